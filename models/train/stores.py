"""The crops that a training draws from: of photographs, of photographs changed, and of synthetic people.

Cutting them takes minutes, so they are cut once, by as many processes as there are cores, and kept in the cache.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from . import synthetic
from .data import cache_root
from .labels import Targets, targets
from .pipeline import Pipeline
from .samples import EyeStore, FaceStore, faceless_crops
from .variants import variants

#: Photographs or recordings that a process cuts at a time.
CHUNK = 20
#: Of the changes to photographs: trainings with other seeds draw from the same crops.
SEED = 5

Store = TypeVar("Store", EyeStore, FaceStore)


@dataclass
class Stores:
    """Eyes and faces to train on, and how many of each are photographs, photographs changed, and rendered, in this order.

    `folder` holds them, and its name is their key.
    """

    folder: Path
    eyes: EyeStore
    faces: FaceStore
    eye_counts: list[int]
    face_counts: list[int]


def of(folders: list[Path]) -> Stores:
    """Those of the training photographs and of the recordings in or below the folders."""
    recordings = synthetic.recordings(folders)
    t = targets()
    folder = cache_root() / f"stores-{key(t, recordings)}"
    if not folder.exists():
        # Renamed when complete: a training that is stopped leaves no half of it.
        with tempfile.TemporaryDirectory(dir=cache_root(), prefix=f"{folder.name}.") as unfinished:
            whole = Path(unfinished) / folder.name
            whole.mkdir()
            _cut(t, recordings, whole)
            # Another training may have been first.
            if not folder.exists():
                whole.rename(folder)
    return Stores(folder, _load(EyeStore, folder), _load(FaceStore, folder), *np.load(folder / "counts.npy").tolist())


def faceless(folder: Path, count: int, sources: Callable[[], list[np.ndarray]], seed: int, models: Path) -> Path:
    """The file of faceless crops in `folder`, half of them what the nets in `models` take for a face.

    Kept by its finder: another takes other backgrounds for faces, and no sample could be drawn again.
    """
    whole = all((models / f"{name}.onnx").exists() for name in ("finder", "landmarks", "eyes"))
    miner = hashlib.sha256((models / "finder.onnx").read_bytes()).hexdigest()[:12] if whole else "nothing"
    path = folder / f"faceless-{seed}-{miner}.npy"
    if not path.exists():
        crops = faceless_crops(count, sources(), seed, Pipeline(models) if whole else None)
        unfinished = folder / f"{path.stem}.{os.getpid()}.npy"
        np.save(unfinished, crops)
        unfinished.replace(path)
    return path


def key(t: Targets, recordings: list[Path]) -> str:
    """Other photographs, labels or recordings give another key."""
    facts = [f"{t.faces[i].file} {t.mixed[i].sum():.3f}" for i in t.split["train"]]
    facts += [f"{r.name} {(r / 'truth.csv').stat().st_size}" for r in recordings]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _cut(t: Targets, recordings: list[Path], folder: Path) -> None:
    photographs = t.split["train"]
    jobs = [(partial(_photographs, t), photographs), (partial(_changed, t), photographs), (synthetic.stores, recordings)]
    eyes, faces, counts = [], [], []
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        for cut, things in jobs:
            parts = list(pool.map(cut, [things[at : at + CHUNK] for at in range(0, len(things), CHUNK)]))
            eyes += [part[0] for part in parts]
            faces += [part[1] for part in parts]
            counts.append([sum(len(part[kind].pictures) for part in parts) for kind in (0, 1)])
            print(f"cut {counts[-1][0]} eyes and {counts[-1][1]} faces", flush=True)
    _save(eyes, folder)
    _save(faces, folder)
    np.save(folder / "counts.npy", np.transpose(counts))


def _photographs(t: Targets, index: list[int]) -> tuple[EyeStore, FaceStore]:
    portraits = [t.portrait(i) for i in index]
    return EyeStore.build(portraits), FaceStore.build(portraits)


def _changed(t: Targets, index: list[int]) -> tuple[EyeStore, FaceStore]:
    portraits = list(variants(t, index, SEED))
    return EyeStore.build(portraits), FaceStore.build(portraits)


def _save(parts: list[Store], folder: Path) -> None:
    kind = type(parts[0])
    for field in fields(kind):
        np.save(folder / f"{kind.__name__}-{field.name}.npy", np.concatenate([getattr(part, field.name) for part in parts]))


def _load(kind: type[Store], folder: Path) -> Store:
    """Pictures stay on disk until they are drawn, shared by all processes that draw."""
    return kind(*(np.load(folder / f"{kind.__name__}-{field.name}.npy", mmap_mode="r") for field in fields(kind)))
