"""Measures the finder on pictures without a face: drawn, cut from faceless parts, the room without its user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import clutter
from .data import read_gray
from .labels import targets
from .pipeline import FINDER_SCORE, Pipeline
from .scenes import SceneMaker


def false_alarms(pipeline: Pipeline, rooms: list[Path], count: int = 1000) -> dict[str, Any]:
    """Share of faceless pictures on which the finder alone, and the whole chain, report a face."""
    rng = np.random.default_rng(4242)
    maker = SceneMaker(targets(), "test", 1)
    found: list[tuple[bool, bool]] = []
    for _ in range(count):
        p = clutter.background(rng, maker.sources)
        if rng.random() < 0.25:
            clutter.shoulders(rng, p, np.array([rng.uniform(30, 130), rng.uniform(20, 70)]), rng.uniform(25, 70), 0.0)
        found.append(_alarm(pipeline, (p + rng.normal(0, 3, p.shape)).clip(0, 255).astype(np.uint8)))
    pictures = [q for room in rooms for q in sorted(room.glob("**/*.jpg"))]
    in_rooms = [_alarm(pipeline, read_gray(q)) for q in pictures]
    drawn, real = np.array(found), np.array(in_rooms or [(False, False)])
    return {
        "drawn_pictures": count,
        "drawn_finder_share": round(float(drawn[:, 0].mean()), 4),
        "drawn_chain_share": round(float(drawn[:, 1].mean()), 4),
        "rooms_without_user": len(in_rooms),
        "rooms_finder_share": round(float(real[:, 0].mean()), 4),
        "rooms_chain_share": round(float(real[:, 1].mean()), 4),
    }


def _alarm(pipeline: Pipeline, picture: np.ndarray) -> tuple[bool, bool]:
    return bool(pipeline.find(picture, FINDER_SCORE)), pipeline.track(picture) is not None
