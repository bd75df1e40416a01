"""Reads recordings of the synthetic user (`gazectl synthesize`) for training and measuring.

Everything is exact, and everything is trained on: the corners of a rendered eye lie by a definition of
their own, some hundredths of the eye's width beside where people click in photographs, but they hold
still while the eye moves, which labels made by a net do not.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import head, warp
from .data import read_gray
from .points import NAMES, face_frame
from .scenes import Cutout
from .samples import FACE_STORE_PX, FACE_STORE_SPAN, EyeStore, FaceStore, cut_eye

#: Under this openness the lid hides too much of the pupil for its place to be asked for.
PUPIL_SHOWN = 0.35


@dataclass
class Frame:
    """One rendered frame: gray picture, 22 points, pupils (left, right), openness (left, right), the head's turn (3, 3)."""

    gray: np.ndarray
    points: np.ndarray
    pupils: np.ndarray
    openness: np.ndarray
    turn: np.ndarray


def recordings(folders: list[Path]) -> list[Path]:
    """The recordings in or below the folders."""
    found = sorted({t.parent for folder in folders for t in folder.glob("**/truth.csv")})
    if folders and not found:
        raise SystemExit(f"no truth.csv below {', '.join(map(str, folders))}: make one with gazectl synthesize")
    return found


def frames(recording: Path, every: int = 1) -> Iterator[Frame]:
    """The frames of one recording."""
    with (recording / "truth.csv").open() as lines:
        rows = list(csv.DictReader(lines))[::every]
    for row in rows:
        def at(name: str) -> tuple[float, float]:
            return float(row[f"{name}_x_px"]), float(row[f"{name}_y_px"])

        yield Frame(
            read_gray(recording / row["file"]), np.array([at(n) for n in NAMES]),
            np.array([at("left_pupil"), at("right_pupil")]),
            np.array([float(row["left_openness"]), float(row["right_openness"])]),
            head.seen(np.radians([float(row[f"head_{n}_deg"]) for n in ("yaw", "pitch", "roll")]),
                      np.array([float(row[f"head_{n}_mm"]) for n in "xyz"])),
        )


def stores(made: list[Path]) -> tuple[EyeStore, FaceStore]:
    """Eye and face stores of the recordings."""
    eyes, pictures, points, turns = [], [], [], []
    for recording in made:
        for frame in frames(recording):
            p = frame.points
            for eye in (0, 1):
                outer, inner = ((0, 1), (3, 2))[eye]
                upper, lower = ((4, 5), (6, 7))[eye]
                five = np.stack([frame.pupils[eye], p[inner], p[outer], p[upper], p[lower]])
                openness = float(frame.openness[eye])
                picture, at = cut_eye(frame.gray, five, eye == 1)
                eyes.append((picture, at, openness, float(openness > PUPIL_SHOWN)))
            centre, size, roll = face_frame(p)
            m = warp.frame_matrix(centre, size * FACE_STORE_SPAN, roll, FACE_STORE_PX)
            pictures.append(warp.warp(frame.gray, m, (FACE_STORE_PX, FACE_STORE_PX)).round().astype(np.uint8))
            points.append(warp.apply(warp.invert(m), p).astype(np.float32))
            turns.append(head.turned_in_picture(frame.turn, -roll))
    return EyeStore.of_rows(eyes), FaceStore(np.stack(pictures), np.stack(points), np.stack(turns))


def cutouts(folders: list[Path], count: int) -> list[Cutout]:
    """At most `count` rendered frames for the finder's scenes, spread over the recordings."""
    found = recordings(folders)
    each = max(1, count // max(1, len(found)))
    out = []
    for recording in found:
        for n, frame in enumerate(frames(recording, every=7)):
            if n >= each or len(out) >= count:
                break
            out.append(Cutout(frame.gray, frame.points, np.zeros((0, 4))))
    return out
