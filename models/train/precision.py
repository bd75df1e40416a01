"""What fewer bits a weight cost in accuracy: `python -m models.train precision`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from . import measured
from .export import HALF, MODELS
from .labels import targets
from .measure_faces import faces
from .measure_synthetic import synthetic
from .pipeline import Pipeline

BITS = (8, 6, 5, 4)


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Whole steps of a scale for each output (the first axis), symmetric about 0."""
    axes = tuple(range(1, values.ndim))
    step = np.abs(values).max(axis=axes, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.round(values / np.maximum(step, 1e-12)) * step


def coarse(source: Path, destination: Path, bits: int) -> int:
    """Writes the net with its large weights rounded, in half precision as before; gives the bytes that it would take."""
    model = onnx.load(str(source))
    size = source.stat().st_size
    for tensor in model.graph.initializer:
        if tensor.name.endswith(HALF):
            values = numpy_helper.to_array(tensor)
            # A step for each output comes on top.
            size += values.size * bits // 8 + 2 * len(values) - values.nbytes
            tensor.CopyFrom(numpy_helper.from_array(rounded(values.astype(np.float32), bits).astype(np.float16), tensor.name))
    onnx.save(model, str(destination))
    return size


def _quiet(_: str) -> None:
    """Shows nothing."""


def precision(people: list[Path]) -> dict[str, Any]:
    """Held-out photographs and synthetic people, with fewer and fewer bits for the weights of the landmark and eye nets."""
    known = targets()
    rows: dict[str, Any] = {}
    for bits in (16, *BITS):
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            shutil.copy(MODELS / "finder.onnx", scratch)
            size = 0
            for name in ("landmarks", "eyes"):
                if bits == 16:
                    shutil.copy(MODELS / f"{name}.onnx", scratch)
                    size += (MODELS / f"{name}.onnx").stat().st_size
                else:
                    size += coarse(MODELS / f"{name}.onnx", scratch / f"{name}.onnx", bits)
            pipeline = Pipeline(scratch)
            photographs = faces(known, "validation", pipeline, ["clean"], _quiet)["clean"]
            rendered = synthetic(pipeline, people, _quiet)
        rows[str(bits)] = {
            "bytes of both": size,
            "corners of photographs, %": photographs["corners_mean"],
            "coarse corners, %": photographs["coarse_corners_mean"],
            "pupils of photographs, %": photographs["pupils_mean"],
            "pupils of synthetic people, median, px": rendered["pupil_median_px"],
            "95 %, px": rendered["pupil_p95_px"],
        }
        print(bits, rows[str(bits)], flush=True)
    measured.write({"precision": {"bits": rows}}, measured.weights())
    return rows
