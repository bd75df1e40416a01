"""The chain of the three nets in Python, as the daemon runs it on one still: finder, landmarks, eyes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from . import warp
from .nets import LANDMARKS_HW
from .points import COUNT, LEFT_INNER, LEFT_OUTER, RIGHT_INNER, RIGHT_OUTER, face_frame

#: A detection counts above this score, a crop as a face above this.
FINDER_SCORE, FACE_SCORE = 0.3, 0.5
#: A new face must be expected to be seen better than this, in crop sides, or the finder be as sure of it as this.
LARGEST_NEW_ERROR, SURE_FIND = 0.045, 0.7
LANDMARK_PASSES, EYE_PASSES = 2, 2
#: An eye that is less open shows no gaze.
LEAST_OPENNESS = 0.35


@dataclass
class Eye:
    """Points in picture px: pupil, inner, outer, upper, lower; openness, sigma px, confidence 0..1."""

    points: np.ndarray
    openness: float
    sigma_px: float
    confidence: float


@dataclass
class Face:
    """22 points in picture px (eye points from the eye net), face score, sigma, left and right eye."""

    points: np.ndarray
    coarse: np.ndarray
    score: float
    sigma: float
    eyes: tuple[Eye, Eye]

    @property
    def confidence(self) -> float:
        """As `gazectl track` gives it: of the landmarks and of the better open eye."""
        return min(self.score, max(e.confidence if e.openness >= LEAST_OPENNESS else 0.0 for e in self.eyes))

    def is_new_face(self, found: float) -> bool:
        """Whether the daemon would begin to track it, found by the finder with this score."""
        return self.score > FACE_SCORE and (found >= SURE_FIND or self.sigma <= LARGEST_NEW_ERROR)


def _sigmoid(x: float | np.ndarray) -> float | np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


class Pipeline:
    """Runs the ONNX files of one folder."""

    def __init__(self, models: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._run = {
            name: onnxruntime.InferenceSession(str(models / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
            for name in ("finder", "landmarks", "eyes")
        }

    def net(self, name: str, picture: np.ndarray) -> np.ndarray:
        """Output of one net on one picture."""
        return self._run[name].run(None, {"picture": picture[None, None].astype(np.float32)})[0][0]

    def find(self, picture: np.ndarray, threshold: float = FINDER_SCORE) -> list[tuple[float, np.ndarray, float, float]]:
        """Faces (score, centre px, size px, roll), best first, each once."""
        small, s, offset = warp.finder_input(picture)
        out = self.net("finder", small).astype(np.float64)
        score = _sigmoid(out[0])
        faces: list[tuple[float, np.ndarray, float, float]] = []
        for flat in np.argsort(-score, axis=None):
            i, j = divmod(int(flat), score.shape[1])
            if score[i, j] < threshold:
                break
            at = np.array([8 * j + 3.5 + 8 * out[1, i, j], 8 * i + 3.5 + 8 * out[2, i, j]])
            size = 32 * float(np.exp(np.clip(out[3, i, j], -2, 3)))
            centre, size = (at - offset + 0.5) / s - 0.5, size / s
            if all(np.linalg.norm(centre - f[1]) > 0.5 * max(size, f[2]) for f in faces):
                faces.append((float(score[i, j]), centre, size, float(np.arctan2(out[5, i, j], out[4, i, j]))))
        return faces

    def landmarks(self, picture: np.ndarray, centre: np.ndarray, size: float, roll: float) -> tuple[np.ndarray, float, float]:
        """22 points in picture px, face score, expected error in crop sides, from one crop."""
        m = warp.frame_matrix(centre, size, roll, LANDMARKS_HW[0])
        out = self.net("landmarks", warp.warp(picture, m, LANDMARKS_HW)).astype(np.float64)
        points = warp.apply(m, out[: 2 * COUNT].reshape(COUNT, 2))
        return points, float(_sigmoid(out[2 * COUNT])), float(np.exp(out[2 * COUNT + 1]))

    def eye(self, picture: np.ndarray, inner: np.ndarray, outer: np.ndarray, mirrored: bool) -> Eye:
        """One eye from its corners."""
        m = warp.eye_matrix(inner, outer, mirrored)
        out = self.net("eyes", warp.warp(picture, m, (32, 48))).astype(np.float64)
        k = float(np.linalg.norm(outer - inner)) / 30
        return Eye(warp.apply(m, out[:10].reshape(5, 2)), float(_sigmoid(out[10])), float(np.exp(out[11])) * k,
                   float(_sigmoid(out[12])))

    def follow(self, picture: np.ndarray, centre: np.ndarray, size: float, roll: float) -> Face:
        """Landmarks and eyes from a rough face frame."""
        for _ in range(LANDMARK_PASSES):
            points, score, sigma = self.landmarks(picture, centre, size, roll)
            centre, size, roll = face_frame(points)
        eyes = []
        refined = points.copy()
        for outer, inner, side in ((LEFT_OUTER, LEFT_INNER, 0), (RIGHT_OUTER, RIGHT_INNER, 1)):
            a, b = points[inner], points[outer]
            for _ in range(EYE_PASSES):
                eye = self.eye(picture, a, b, side == 1)
                a, b = eye.points[1], eye.points[2]
            eyes.append(eye)
            refined[[inner, outer, 4 + 2 * side, 5 + 2 * side]] = eye.points[1:]
        return Face(refined, points, score, sigma, (eyes[0], eyes[1]))

    def track(self, picture: np.ndarray) -> Face | None:
        """The best face of a picture, or none."""
        for found, centre, size, roll in self.find(picture)[:3]:
            face = self.follow(picture, centre, size, roll)
            if face.is_new_face(found):
                return face
        return None
