"""Measures the exported nets and writes the numbers: `python -m models.train evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .export import MODELS
from .false_alarms import false_alarms
from .labels import targets
from .measure_faces import faces
from .measure_synthetic import synthetic
from .measure_webcam import webcam
from .pipeline import Pipeline

RESULTS = MODELS / "train" / "results.json"


def evaluate(parts: list[str], models: Path | None, write: bool, every: int, people: list[Path],
             rooms: list[Path]) -> dict[str, Any]:
    """Parts: `validation` and `test` of faces68, `webcam`, `synthetic` (recordings below `people`),
    `false_alarms` (drawn pictures and recordings of rooms without a user below `rooms`)."""
    pipeline = Pipeline(models or MODELS)
    report: dict[str, Any] = {}
    for part in parts:
        if part == "webcam":
            report[part] = webcam(pipeline, every)
        elif part == "false_alarms":
            report[part] = false_alarms(pipeline, rooms)
            print(f"false alarms: {report[part]}")
        elif part == "synthetic":
            report[part] = synthetic(pipeline, people)
        else:
            report[part] = faces(targets(), part, pipeline)
    if write:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(known | report, indent=2) + "\n")
    return report
