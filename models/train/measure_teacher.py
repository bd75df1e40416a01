"""Measures the teacher itself on synthetic people, whose pupils are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .measure_synthetic import OPEN
from .synthetic import frames, recordings
from .teacher import CENTRE, Teacher


def teacher(folders: list[Path], show: Callable[[str], None] = print) -> dict[str, Any]:
    """Share of pictures with a face, and how far the iris centres of open eyes lie from the truth, in % of the eye's width."""
    mesh = Teacher()
    found: list[bool] = []
    by_person: dict[str, list[float]] = {}
    for recording in recordings(folders):
        errors = by_person.setdefault(recording.name, [])
        for frame in frames(recording):
            eyes, _, views = mesh.label(cv2.cvtColor(frame.gray, cv2.COLOR_GRAY2BGR), 0.0, frame.points[:4].mean(0))
            found.append(views > 0)
            for eye, (outer, inner) in enumerate(((0, 1), (3, 2))):
                if found[-1] and frame.openness[eye] > OPEN:
                    width = np.linalg.norm(frame.points[outer] - frame.points[inner])
                    errors.append(float(np.linalg.norm(eyes[eye, CENTRE] - frame.pupils[eye]) / width * 100))
    report = {
        "frames": len(found),
        "found_share": round(float(np.mean(found)), 4),
        "pupil_median_percent_of_eye": round(float(np.median(np.concatenate(list(by_person.values())))), 2),
        "by_person": {name: round(float(np.median(errors)), 2) for name, errors in by_person.items() if errors},
    }
    show("teacher: " + " ".join(f"{k} {v}" for k, v in report.items()))
    return report
