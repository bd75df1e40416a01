"""The card says which numbers are of other weights, what was missed, and how each person was read.

Run: `python -m unittest discover -s models/train/tests -t .`
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

from models.train import card, measure_faces, measure_synthetic, measured
from models.train.labels import Targets
from models.train.pipeline import Eye, Face
from models.train.synthetic import Frame


def face(points: np.ndarray, pupils: np.ndarray, openness: float) -> Face:
    """As the chain would see it."""
    eyes = tuple(Eye(np.vstack([pupil, np.zeros((4, 2))]), openness, 0.5, 0.9) for pupil in pupils)
    return Face(points, points, 0.9, 0.01, eyes)


class MeasuredWith(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.models = Path(folder.name)
        for name in ("finder", "landmarks", "eyes"):
            (self.models / f"{name}.onnx").write_bytes(name.encode())
        for name, value in (("MODELS", self.models), ("RESULTS", self.models / "results.json")):
            patch = mock.patch.object(measured, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.said = io.StringIO()
        self.enterContext(contextlib.redirect_stdout(self.said))

    def remark(self, part: str) -> str:
        return measured.remark(part, json.loads(measured.RESULTS.read_text()))

    def test_other_weights_are_remarked(self) -> None:
        measured.RESULTS.write_text(json.dumps({"webcam": {"frames": 1}}))
        measured.write({"test": {"a": 1}}, measured.weights(), ["prior"])
        known = json.loads(measured.RESULTS.read_text())
        self.assertEqual((known["webcam"], known["test"]), ({"frames": 1}, {"a": 1}))
        self.assertEqual([self.remark(part) for part in ("test", "prior")], ["", ""])
        self.assertEqual(self.said.getvalue(), "")
        (self.models / "eyes.onnx").write_bytes(b"other")
        self.assertIn("another eyes.onnx", self.remark("test"))
        measured.write({"test": {"a": 2}}, measured.weights())
        self.assertEqual(self.remark("test"), "")
        self.assertIn("eyes.onnx", self.remark("prior"))

    def test_of_numbers_without_a_note_the_card_says_nothing(self) -> None:
        measured.RESULTS.write_text(json.dumps({"webcam": {}}))
        self.assertEqual(self.remark("webcam"), "")
        self.assertIn("webcam", self.said.getvalue())


class Missed(unittest.TestCase):
    def test_what_is_missed_or_not_measured_is_listed(self) -> None:
        webcam = {"jitter_at_27_px_eye": {"x_px": 0.0782, "y_px": 0.03}, "gaze_leave_one_block_mean_px": 190.0, "tracked_share": 1.0}
        text = card._missed({"webcam": webcam})
        self.assertIn("| steadiness in x, px | at most 0.07 | 0.0782 |", text)
        self.assertNotIn("steadiness in y", text)
        self.assertNotIn("gaze by ridge", text)
        self.assertIn("| closed against open eyes, AUC | at least 0.98 | not measured |", text)


class Measures(unittest.TestCase):
    points = np.arange(44.0).reshape(22, 2)
    pupils = np.array([[3.0, 4.0], [5.0, 6.0]])

    def test_people_are_told_apart(self) -> None:
        frame = Frame(np.zeros((4, 4)), self.points, self.pupils, np.array([1.0, 0.1]), np.eye(3))
        seen = {"1": 0.5, "2": 2.0}
        chain = mock.Mock()
        chain.track.side_effect = [face(self.points, self.pupils + [off, 0], 1.0) for off in seen.values() for _ in range(2)]
        with mock.patch.object(measure_synthetic, "recordings", lambda _: [Path(n) for n in seen]), \
                mock.patch.object(measure_synthetic, "frames", lambda _: [frame, frame]), np.errstate(all="ignore"):
            report = measure_synthetic.synthetic(chain, [], lambda _: None)
        people = report["by_person"]
        self.assertEqual({name: row["pupil_median_px"] for name, row in people.items()}, seen)
        self.assertEqual((report["people"], report["frames"], people["1"]["frames"]), (2, 4, 2))
        self.assertIn("| 2 | 2 | 1.0 | 2.0 |", card._synthetic(report))

    def test_afw_is_counted_from_both_origins(self) -> None:
        photograph = mock.Mock()
        photograph.gray.return_value = np.zeros((60, 60), np.uint8)
        t = Targets([photograph], self.points[None], self.points[None], self.pupils[None], {"test": [0], "validation": [0]})
        across = np.linalg.norm(self.points[0] - self.points[3])
        with mock.patch.object(measure_faces, "nearest", lambda *_: face(self.points - 1, self.pupils, 1.0)):
            test, held = (measure_faces.faces(t, part, mock.Mock(), ["clean"], lambda _: None)["clean"] for part in ("test", "validation"))
        self.assertEqual(test["corners_mean"], round(np.sqrt(2) / across * 100, 2))
        self.assertEqual(test["corners_other_origin_mean"], 0)
        self.assertNotIn("corners_other_origin_mean", held)


if __name__ == "__main__":
    unittest.main()
