"""A sample can be drawn again, and is shown with its labels where they are. No data needed.

Run: `python -m unittest discover -s models/train/tests -t .`
"""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from models.train import fit, replay, samples, stores
from models.train.loop import Task


def eyes() -> Task:
    """Draws from one made-up eye."""
    picture = np.random.default_rng(0).integers(0, 255, (1, *samples.EYE_STORE_HW)).astype(np.uint8)
    at = np.array([[[60, 50], [40, 52], [88, 52], [62, 42], [62, 61]]], np.float32)
    store = samples.EyeStore(picture, at, np.ones(1, np.float32), np.ones(1, np.float32))
    return Task(lambda n: samples.eyes_batch(store, 8, samples.Draw(1, n)), lambda forward, b: None, lambda net: "")


class Replay(unittest.TestCase):
    def test_two_calls_agree(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(fit, "task", lambda *_: eyes()):
            out = [Path(folder) / f"{n}.png" for n in range(3)]
            for path, step in zip(out, (7, 7, 8)):
                replay.replay("eyes", 1, step, 3, [], path)
            a, b, other = (path.read_bytes() for path in out)
        self.assertEqual(a, b)
        self.assertNotEqual(a, other)

    def test_points_are_drawn_where_they_are(self) -> None:
        batch = {"x": torch.zeros(1, 1, 32, 48), "points": torch.tensor([[[10.0, 20.0]]]), "openness": torch.tensor([0.5])}
        red = np.argwhere((replay.shown(batch, 0) == replay.RED).all(2)).mean(0)
        # The centre of pixel (10, 20), enlarged.
        np.testing.assert_allclose(red / replay.SCALE, [20.5, 10.5], atol=0.1)
        self.assertEqual(replay.numbers(batch, 0), {"openness": 0.5})

    def test_mined_crops_are_kept_by_finder(self) -> None:
        made = []

        def crops(count: int, sources: list, seed: int, pipeline: object) -> np.ndarray:
            made.append(pipeline)
            return np.full((count, 1, 64, 64), len(made), np.float32)

        with tempfile.TemporaryDirectory() as name, mock.patch.object(stores, "faceless_crops", crops), \
                mock.patch.object(stores, "Pipeline", lambda models: models):
            folder, models = Path(name), Path(name) / "models"
            models.mkdir()
            alone = stores.faceless(folder, 2, list, 1, models)
            for net in ("finder", "landmarks", "eyes"):
                (models / f"{net}.onnx").write_bytes(b"1")
            mined = [stores.faceless(folder, 2, list, 1, models) for _ in range(2)]
            (models / "finder.onnx").write_bytes(b"2")
            other = stores.faceless(folder, 2, list, 1, models)
            self.assertEqual(made, [None, models, models])
            self.assertEqual(mined[0], mined[1])
            self.assertEqual(len({alone, mined[0], other}), 3)
            self.assertEqual([np.load(path).max() for path in (alone, mined[0], other)], [1, 2, 3])


if __name__ == "__main__":
    unittest.main()
