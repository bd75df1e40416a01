"""Training targets: the 68-point labels mixed with the teacher's points, both in px.

Each eye's corner and lid labels are predicted from the teacher's mesh in the frame of the eye by
ridge regression over the training part. That removes the constant difference of definition and the
mean of label and prediction has less noise than either.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import teacher
from .data import Face, faces68, split
from .points import LEFT_INNER, LEFT_LOWER, LEFT_OUTER, LEFT_UPPER, RIGHT_INNER, RIGHT_LOWER, RIGHT_OUTER, RIGHT_UPPER

#: Outer corner, inner corner, upper and lower lid of the left and the right eye.
EYE_INDEX = np.array([
    [LEFT_OUTER, LEFT_INNER, LEFT_UPPER, LEFT_LOWER],
    [RIGHT_OUTER, RIGHT_INNER, RIGHT_UPPER, RIGHT_LOWER],
])
#: Training faces that the label audit leaves out.
DROPPED = Path(__file__).resolve().parent / "dropped.csv"
#: Share of the teacher in the mixed target.
TEACHER_SHARE = 0.5


@dataclass
class Portrait:
    """One face to learn from: gray picture, points (22, 2) and pupils (2, 2) in px, and what its pupils count (0..1)."""

    gray: np.ndarray
    points: np.ndarray
    pupils: np.ndarray
    seen: float = 1.0


@dataclass
class Targets:
    """Faces with `points` (n, 22, 2) as labelled, `mixed` likewise, `pupils` (n, 2, 2), the split."""

    faces: list[Face]
    points: np.ndarray
    mixed: np.ndarray
    pupils: np.ndarray
    split: dict[str, list[int]]

    def portrait(self, i: int) -> Portrait:
        """Photograph `i` as it is, with its mixed labels."""
        return Portrait(self.faces[i].gray(), self.mixed[i], self.pupils[i])

    def portraits(self, part: str) -> Iterator[Portrait]:
        """The photographs of one part of the split."""
        return (self.portrait(i) for i in self.split[part])


def _normalise(points: np.ndarray, outer: np.ndarray, inner: np.ndarray, mirrored: bool) -> np.ndarray:
    """Points in the frame of the eye: corners at (+-0.5, 0), y down, the right eye mirrored."""
    centre, axis = (outer + inner) / 2, outer - inner
    width2 = (axis**2).sum(-1, keepdims=True)
    d = points - centre[..., None, :]
    x = (d * axis[..., None, :]).sum(-1) / width2
    perpendicular = np.stack([-axis[..., 1], axis[..., 0]], -1) * (-1 if mirrored else 1)
    y = (d * perpendicular[..., None, :]).sum(-1) / width2
    return np.stack([x, y], -1)


def _denormalise(points: np.ndarray, outer: np.ndarray, inner: np.ndarray, mirrored: bool) -> np.ndarray:
    centre, axis = (outer + inner) / 2, outer - inner
    perpendicular = np.stack([-axis[..., 1], axis[..., 0]], -1) * (-1 if mirrored else 1)
    return (
        centre[..., None, :] + points[..., :1] * axis[..., None, :] + points[..., 1:] * perpendicular[..., None, :]
    )


def targets(drop: bool = True) -> Targets:
    """All targets; the regression is fitted on the training part alone, less the dropped faces."""
    faces = faces68()
    parts = split(faces)
    if drop and DROPPED.exists():
        with DROPPED.open() as lines:
            out = {row["file"] for row in csv.DictReader(lines)}
        parts["train"] = [i for i in parts["train"] if faces[i].file not in out]
    taught = teacher.load("faces68")
    points = np.stack([f.points for f in faces]).astype(np.float64)
    mixed = points.copy()
    fit: list[tuple[np.ndarray, np.ndarray]] = []
    frames = []
    for eye in (0, 1):
        mesh = taught.eyes[:, eye].astype(np.float64)
        outer, inner = mesh[:, 0], mesh[:, 1]
        x = _normalise(mesh[:, :16], outer, inner, eye == 1).reshape(len(faces), -1)
        y = _normalise(points[:, EYE_INDEX[eye]], outer, inner, eye == 1)
        frames.append((x, y, outer, inner))
        fit.append((x[parts["train"]], y[parts["train"]].reshape(len(parts["train"]), -1)))
    x, y = (np.concatenate([f[k] for f in fit]) for k in (0, 1))
    mean_x, mean_y = x.mean(0), y.mean(0)
    a = x - mean_x
    weights = np.linalg.solve(a.T @ a + 0.02 * np.eye(a.shape[1]), a.T @ (y - mean_y))
    for eye in (0, 1):
        x, _, outer, inner = frames[eye]
        predicted = ((x - mean_x) @ weights + mean_y).reshape(len(faces), 4, 2)
        predicted = _denormalise(predicted, outer, inner, eye == 1)
        index = EYE_INDEX[eye]
        mixed[:, index] = (1 - TEACHER_SHARE) * points[:, index] + TEACHER_SHARE * predicted
    return Targets(faces, points, mixed, taught.pupils().astype(np.float64), parts)


def lid_gap(points: np.ndarray, eye: int) -> np.ndarray:
    """Distance of upper and lower lid across the eye's axis, in eye widths: (n, 22, 2) -> (n,)."""
    outer, inner, upper, lower = (points[:, i] for i in EYE_INDEX[eye])
    lids = _normalise(np.stack([upper, lower], 1), outer, inner, eye == 1)
    return lids[:, 1, 1] - lids[:, 0, 1]
