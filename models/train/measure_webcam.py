"""Measures on webcam_one_person: tracked share, pupils against the teacher, gaze by ridge, steadiness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from . import teacher
from .data import webcam_frames
from .labels import _normalise
from .pipeline import Face, Pipeline
from .points import face_frame

#: Blocks that look like one session (data README) and are left out together as well.
SESSION = range(6, 13)
RIDGE = 3.0


def features(points: np.ndarray, pupils: np.ndarray) -> np.ndarray:
    """Pupils and lids in the frame of each eye, all points in the face frame, place and size of the face."""
    centre, size, roll = face_frame(points)
    c, s = np.cos(roll), np.sin(roll)
    upright = (points - centre) @ np.array([[c, -s], [s, c]]) / size
    parts = [upright.ravel(), centre / 100, [np.log(size), roll]]
    for eye, (outer, inner, upper, lower) in enumerate(((0, 1, 4, 5), (3, 2, 6, 7))):
        five = np.stack([pupils[eye], points[upper], points[lower]])
        parts.append(_normalise(five[None], points[outer][None], points[inner][None], eye == 1).ravel())
    return np.concatenate(parts)


def ridge(x: np.ndarray, y: np.ndarray, test: np.ndarray, weight: float = RIDGE) -> np.ndarray:
    """Standardised ridge regression with an intercept."""
    mean, sd = x.mean(0), x.std(0) + 1e-9
    a = (x - mean) / sd
    w = np.linalg.solve(a.T @ a + weight * np.eye(a.shape[1]), a.T @ (y - y.mean(0)))
    return (test - mean) / sd @ w + y.mean(0)


def leave_out(x: np.ndarray, y: np.ndarray, block: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    """Errors in px of every frame whose block is in a group, that group left out of the fit."""
    errors = []
    for group in groups:
        out = np.isin(block, group)
        predicted = np.clip(ridge(x[~out], y[~out], x[out]), [0, 0], [1920, 1080])
        errors.append(np.linalg.norm(predicted - y[out], axis=1))
    return np.concatenate(errors)


def jitter(pipeline: Pipeline, pictures: list[np.ndarray]) -> dict[str, float]:
    """SD in px, scaled to eyes 27 px wide, of iris minus corners over both eyes under small changes."""
    rng = np.random.default_rng(2)
    spread = []
    for gray in pictures:
        values = []
        for _ in range(12):
            d = rng.uniform(-0.5, 0.5, 2)
            m = np.array([[1, 0, d[0]], [0, 1, d[1]]])
            p = cv2.warpAffine(gray.astype(np.float32), m, gray.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            p = (p * rng.uniform(0.9, 1.1) + rng.normal(0, 2, p.shape)).clip(0, 255).round()
            face = pipeline.track(p.astype(np.uint8))
            if face is None:
                continue
            e = np.mean([eye.points[0] - eye.points[1:3].mean(0) for eye in face.eyes], axis=0)
            w = np.mean([np.linalg.norm(eye.points[1] - eye.points[2]) for eye in face.eyes])
            values.append(e * 27 / w)
        if len(values) > 5:
            spread.append(np.std(values, axis=0))
    x, y = np.sqrt((np.array(spread) ** 2).mean(0))
    return {"x_px": round(float(x), 4), "y_px": round(float(y), 4)}


def webcam(pipeline: Pipeline, every: int = 1, show: Callable[[str], None] = print) -> dict[str, Any]:
    """The whole report."""
    frames = webcam_frames()[::every]
    taught = teacher.load("webcam")
    by_file = {f: i for i, f in enumerate(taught.files)}
    rows, pupil_errors, truth, block, taught_rows = [], [], [], [], []
    lost = 0
    pictures = []
    for n, frame in enumerate(frames):
        gray = frame.gray()
        face: Face | None = pipeline.track(gray)
        if face is None:
            lost += 1
            continue
        if n % max(1, len(frames) // 40) == 0:
            pictures.append(gray)
        pupils = np.stack([e.points[0] for e in face.eyes])
        rows.append(features(face.points, pupils))
        truth.append(frame.target_px)
        block.append(frame.block)
        i = by_file[frame.file]
        if taught.views[i] > 0:
            t = taught.eyes[i]
            width = np.linalg.norm(t[:, 0] - t[:, 1], axis=1)
            pupil_errors.append(np.mean(np.linalg.norm(pupils - t[:, teacher.CENTRE], axis=1) / width) * 100)
            points = face.points.copy()
            points[[0, 1, 4, 5]] = t[0][[0, 1, 5, 12]]
            points[[3, 2, 6, 7]] = t[1][[0, 1, 5, 12]]
            taught_rows.append(features(points, t[:, teacher.CENTRE]))
        else:
            taught_rows.append(np.full(len(rows[-1]), np.nan))
    x, y, b = np.array(rows), np.array(truth), np.array(block)
    each = [[int(k)] for k in np.unique(b)]
    one = leave_out(x, y, b, each)
    session = leave_out(x, y, b, [list(SESSION)])
    xt = np.array(taught_rows)
    ok = ~np.isnan(xt).any(1)
    taught_one = leave_out(xt[ok], y[ok], b[ok], each)
    report = {
        "frames": len(frames),
        "tracked_share": round(1 - lost / len(frames), 4),
        "pupil_to_teacher_median_percent_of_eye": round(float(np.median(pupil_errors)), 2),
        "gaze_leave_one_block_mean_px": round(float(one.mean()), 1),
        "gaze_leave_one_block_median_px": round(float(np.median(one)), 1),
        "gaze_leave_6_12_mean_px": round(float(session.mean()), 1),
        "gaze_teacher_eyes_leave_one_block_mean_px": round(float(taught_one.mean()), 1),
        "jitter_at_27_px_eye": jitter(pipeline, pictures),
    }
    show("webcam: " + " ".join(f"{k} {v}" for k, v in report.items()))
    return report
