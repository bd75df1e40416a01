"""Measures on recordings of synthetic people never trained on: exact pupils, openness, room without a user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .pipeline import Face, Pipeline
from .synthetic import Frame, frames, recordings

#: Open eyes for the pupil error; closed against open for the blink measure.
OPEN, CLOSED = 0.6, 0.15


def auc(low: np.ndarray, high: np.ndarray) -> float:
    """Probability that one of `high` is larger than one of `low` (ties count half)."""
    if len(low) == 0 or len(high) == 0:
        return float("nan")
    order = np.sort(low)
    below, upto = np.searchsorted(order, high, "left"), np.searchsorted(order, high, "right")
    return float(((below + upto) / 2).mean() / len(low))


@dataclass
class Eyes:
    """What was read of eyes beside the truth: of open ones the pupil's error, of all the openness."""

    errors: list[float] = field(default_factory=list)
    percent: list[float] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    true: list[float] = field(default_factory=list)
    frames: int = 0
    tracked: int = 0

    def add(self, frame: Frame, face: Face | None) -> None:
        """One frame and what the chain sees in it."""
        self.frames += 1
        if face is None:
            return
        self.tracked += 1
        for eye, (outer, inner) in enumerate(((0, 1), (3, 2))):
            got = face.eyes[eye]
            self.said.append(got.openness)
            self.true.append(float(frame.openness[eye]))
            if self.true[-1] > OPEN:
                off = float(np.linalg.norm(got.points[0] - frame.pupils[eye]))
                self.errors.append(off)
                self.sigma.append(got.sigma_px)
                self.percent.append(off / float(np.linalg.norm(frame.points[outer] - frame.points[inner])) * 100)

    def report(self) -> dict[str, Any]:
        """Errors in px and % of the eye, tracked share, openness error; where no open eye was read, the share alone."""
        share = {"frames": self.frames, "tracked_share": round(self.tracked / max(1, self.frames), 4)}
        if not self.errors:
            return share
        return share | {
            "pupil_median_px": round(float(np.median(self.errors)), 3),
            "pupil_p95_px": round(float(np.percentile(self.errors, 95)), 3),
            "pupil_median_percent_of_eye": round(float(np.median(self.percent)), 2),
            "openness_mean_error": round(float(np.abs(np.subtract(self.said, self.true)).mean()), 3),
        }


def synthetic(pipeline: Pipeline, folders: list[Path], show: Callable[[str], None] = print) -> dict[str, Any]:
    """Over all people, with the AUC of closed against open eyes, and by person, each of whom has a recording."""
    everyone = Eyes()
    by_person = {}
    found = recordings(folders)
    for recording in found:
        person = by_person.setdefault(recording.name, Eyes())
        for frame in frames(recording):
            face = pipeline.track(frame.gray)
            everyone.add(frame, face)
            person.add(frame, face)
    s, t = np.array(everyone.said), np.array(everyone.true)
    report = {"people": len(found)} | everyone.report() | {
        "closed_eyes": int((t < CLOSED).sum()),
        "closed_open_auc": round(auc(s[t < CLOSED], s[t > OPEN]), 4),
        "sigma_error_correlation": round(float(np.corrcoef(everyone.sigma, everyone.errors)[0, 1]), 3),
    }
    show("synthetic: " + " ".join(f"{k} {v}" for k, v in report.items()))
    return report | {"by_person": {name: person.report() for name, person in by_person.items()}}
