"""Reads the real data sets named by `$GAZED_DATA`: faces68 and webcam_one_person."""

from __future__ import annotations

import csv
import os
import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .points import from_68

#: The faces68 labels count pixels from (1, 1); here (0, 0) is the centre of the first pixel. The
#: teacher, whose mirrored views cancel its own horizontal offset, agrees: it lies 1.3 px (Helen) and
#: 1.9 px (AFW) to the left of the labels as published.
LABEL_ORIGIN_PX = 1.0


def data_root() -> Path:
    """The data folder, `$GAZED_DATA`."""
    root = os.environ.get("GAZED_DATA")
    if root is None or not Path(root).is_dir():
        raise SystemExit(f"no data at {root}: set GAZED_DATA to the folder that holds the data sets")
    return Path(root)


def cache_root() -> Path:
    """Where labels, checkpoints and logs go: `$GAZED_TRAIN_CACHE` or `target/train`."""
    root = Path(os.environ.get("GAZED_TRAIN_CACHE", "target/train"))
    root.mkdir(parents=True, exist_ok=True)
    return root


@dataclass
class Face:
    """One labelled face: `file` relative to faces68, the 68 points in px."""

    file: str
    points68: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """The 22 points of the contract, (22, 2)."""
        return from_68(self.points68)

    @property
    def photograph(self) -> str:
        """Faces cut from one photograph share this name."""
        return self.file.rsplit("_", 1)[0]

    def gray(self) -> np.ndarray:
        """The picture as gray uint8."""
        return read_gray(data_root() / "faces68" / self.file)


def read_gray(path: Path) -> np.ndarray:
    """A picture as gray uint8; says which file cannot be read."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise SystemExit(f"cannot read the picture {path}")
    return picture


def faces68() -> list[Face]:
    """All faces, in the order of the label file."""
    path = data_root() / "faces68" / "landmarks.csv"
    with path.open() as lines:
        rows = list(csv.reader(lines))[1:]
    return [
        Face(row[0], np.array(row[1:], np.float32).reshape(68, 2) - LABEL_ORIGIN_PX)
        for row in rows
    ]


def split(faces: list[Face], seed: int = 7, held_out: float = 0.12) -> dict[str, list[int]]:
    """Indices of `train` and `validation` (Helen, by photograph) and `test` (AFW)."""
    photographs = sorted({f.photograph for f in faces if f.file.startswith("helen/")})
    random.Random(seed).shuffle(photographs)
    validation = set(photographs[: int(len(photographs) * held_out)])
    out: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for i, face in enumerate(faces):
        if face.file.startswith("afw/"):
            out["test"].append(i)
        else:
            out["validation" if face.photograph in validation else "train"].append(i)
    return out


@dataclass
class ScreenFrame:
    """One frame of webcam_one_person: file, the point looked at in px, block."""

    file: str
    target_px: tuple[float, float]
    block: int

    def gray(self) -> np.ndarray:
        """The picture as gray uint8."""
        return read_gray(data_root() / "webcam_one_person" / self.file)


def webcam_frames() -> list[ScreenFrame]:
    """The frames of webcam_one_person in order."""
    path = data_root() / "webcam_one_person" / "frames.csv"
    with path.open() as lines:
        return [
            ScreenFrame(r["file"], (float(r["target_x_px"]), float(r["target_y_px"])), int(r["block"]))
            for r in csv.DictReader(lines)
        ]
