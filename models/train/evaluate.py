"""Measures the exported nets and writes the numbers: `python -m models.train evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import measured
from .export import MODELS
from .false_alarms import false_alarms
from .labels import targets
from .measure_faces import faces
from .measure_synthetic import synthetic
from .measure_teacher import teacher
from .measure_webcam import webcam
from .pipeline import Pipeline


def evaluate(parts: list[str], models: Path | None, write: bool, every: int, people: list[Path],
             rooms: list[Path]) -> dict[str, Any]:
    """Parts: `validation` and `test` of faces68, `webcam`, `synthetic` (recordings below `people`),
    `teacher` (on the same), `false_alarms` (drawn pictures and recordings of rooms without a user below `rooms`)."""
    pipeline, used = Pipeline(models or MODELS), measured.weights(models=models)
    report: dict[str, Any] = {}
    for part in parts:
        if part == "webcam":
            report[part] = webcam(pipeline, every)
        elif part == "false_alarms":
            report[part] = false_alarms(pipeline, rooms)
            print(f"false alarms: {report[part]}")
        elif part == "synthetic":
            report[part] = synthetic(pipeline, people)
        elif part == "teacher":
            report[part] = teacher(people)
        else:
            report[part] = faces(targets(), part, pipeline)
    if write:
        measured.write(report, used)
    return report
