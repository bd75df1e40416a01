"""Measures the exported nets and writes the numbers: `python -m models.train evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .export import MODELS
from .labels import targets
from .measure_faces import faces
from .measure_webcam import webcam
from .pipeline import Pipeline

RESULTS = MODELS / "train" / "results.json"


def evaluate(parts: list[str], models: Path | None, write: bool, every: int = 1) -> dict[str, Any]:
    """Parts: `validation` and `test` of faces68, `webcam`."""
    pipeline = Pipeline(models or MODELS)
    t = targets()
    report: dict[str, Any] = {}
    for part in parts:
        report[part] = webcam(pipeline, every) if part == "webcam" else faces(t, part, pipeline)
    if write:
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(known | report, indent=2) + "\n")
    return report
