"""Measures on recordings of synthetic people never trained on: exact pupils, openness, room without a user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .pipeline import Pipeline
from .synthetic import frames, recordings

#: Open eyes for the pupil error; closed against open for the blink measure.
OPEN, CLOSED = 0.6, 0.15


def auc(low: np.ndarray, high: np.ndarray) -> float:
    """Probability that one of `high` is larger than one of `low` (ties count half)."""
    if len(low) == 0 or len(high) == 0:
        return float("nan")
    order = np.sort(low)
    below, upto = np.searchsorted(order, high, "left"), np.searchsorted(order, high, "right")
    return float(((below + upto) / 2).mean() / len(low))


def synthetic(pipeline: Pipeline, folders: list[Path], show: Callable[[str], None] = print) -> dict[str, Any]:
    """Pupil errors in px and % of the eye, tracked share, openness error, AUC of closed against open."""
    errors, percent, said, true, sigma = [], [], [], [], []
    total = tracked = 0
    found = recordings(folders)
    for recording in found:
        for frame in frames(recording):
            total += 1
            face = pipeline.track(frame.gray)
            if face is None:
                continue
            tracked += 1
            for eye, (outer, inner) in enumerate(((0, 1), (3, 2))):
                got = face.eyes[eye]
                said.append(got.openness)
                true.append(float(frame.openness[eye]))
                if true[-1] > OPEN:
                    off = float(np.linalg.norm(got.points[0] - frame.pupils[eye]))
                    errors.append(off)
                    sigma.append(got.sigma_px)
                    percent.append(off / float(np.linalg.norm(frame.points[outer] - frame.points[inner])) * 100)
    s, t = np.array(said), np.array(true)
    report = {
        "people": len(found),
        "frames": total,
        "tracked_share": round(tracked / max(1, total), 4),
        "pupil_median_px": round(float(np.median(errors)), 3),
        "pupil_p95_px": round(float(np.percentile(errors, 95)), 3),
        "pupil_median_percent_of_eye": round(float(np.median(percent)), 2),
        "openness_mean_error": round(float(np.abs(s - t).mean()), 3),
        "closed_eyes": int((t < CLOSED).sum()),
        "closed_open_auc": round(auc(s[t < CLOSED], s[t > OPEN]), 4),
        "sigma_error_correlation": round(float(np.corrcoef(sigma, errors)[0, 1]), 3),
    }
    show("synthetic: " + " ".join(f"{k} {v}" for k, v in report.items()))
    return report
