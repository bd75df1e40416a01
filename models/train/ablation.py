"""What the synthetic people bring: eye nets that differ in the share of rendered samples alone, each with several seeds."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import fit, measured, nets
from .data import cache_root
from .export import HW, MODELS, Folded, to_onnx
from .labels import targets
from .loop import Course
from .loop import fit as train
from .measure_faces import faces
from .measure_synthetic import synthetic
from .measure_webcam import webcam
from .pipeline import Pipeline

#: Shares of rendered samples that are compared.
SHARES = (0.0, fit.SYNTHETIC_SHARE["eyes"])
SEEDS = (1, 2)


def ablation(steps: int, people: list[Path], others: list[Path]) -> None:
    """Trains from nothing on recordings below `people`, measures on those below `others`, writes to results.json."""
    torch.set_num_threads(1)
    # The eye nets are those that are compared.
    used = measured.weights(("finder.onnx", "landmarks.onnx"))
    rows: dict[str, dict[str, list[float]]] = {}
    for share in SHARES:
        for seed in SEEDS:
            torch.manual_seed(seed)
            course = Course(steps, cache_root() / f"ablation-{share}-{seed}.checkpoint.pt", facts={"seed": seed})
            net = train(nets.build("eyes"), fit.eyes(seed, people, share), course)
            for name, value in _measure(net, others).items():
                rows.setdefault(f"{share:.0%} rendered", {}).setdefault(name, []).append(value)
    table: dict[str, Any] = {share: {name: _summary(values) for name, values in row.items()} for share, row in rows.items()}
    measured.write({"ablation": {"steps": steps, "seeds": len(SEEDS), "shares": table}}, used)
    print(json.dumps(table, indent=2))


def _measure(eyes: torch.nn.Module, others: list[Path]) -> dict[str, float]:
    """Of the whole chain, with the other nets as they are shipped."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("finder", "landmarks"):
            shutil.copy(MODELS / f"{name}.onnx", folder)
        to_onnx(Folded(eyes), {"picture": (1, 1, *HW["eyes"])}, "out", Path(folder) / "eyes.onnx")
        chain = Pipeline(Path(folder))
        photographs = faces(targets(), "validation", chain, ["clean"])["clean"]
        rendered, man = synthetic(chain, others), webcam(chain, 1)
    return {
        "corners of photographs, %": photographs["corners_mean"], "pupils of photographs, %": photographs["pupils_mean"],
        "pupils of synthetic people, px": rendered["pupil_median_px"], "openness of synthetic people": rendered["openness_mean_error"],
        "gaze of the man at a webcam, px": man["gaze_leave_one_block_mean_px"],
    }


def _summary(values: list[float]) -> str:
    """Mean over the seeds, and each."""
    return f"{np.mean(values):.3g} ({', '.join(f'{value:.3g}' for value in values)})"
