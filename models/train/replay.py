"""Draws one sample of a training again and shows it with its labels: `python -m models.train replay`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from . import fit
from .loop import Batch
from .scenes import SIZE_UNIT_PX, STRIDE

#: Pixels of the shown picture to one of the sample.
SCALE = 8
RED, GREEN = (0, 0, 255), (0, 255, 0)


def replay(net: str, seed: int, step: int, index: int, synthetic: list[Path], out: Path) -> None:
    """Writes sample `index` of step `step`, counted from 0, and prints what else it is labelled with."""
    batch = fit.task(net, seed, synthetic).draw(step)
    cv2.imwrite(str(out), shown(batch, index))
    print(f"wrote {out}: " + " ".join(f"{name} {value:.3f}" for name, value in numbers(batch, index).items()))


def shown(batch: Batch, index: int) -> np.ndarray:
    """The sample, enlarged, with its points in red or the circles of its faces in green."""
    gray = batch["x"][index, 0].clamp(0, 255).byte().numpy()
    out = cv2.cvtColor(cv2.resize(gray, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)
    points = batch.get("points", ())
    for point in points[index] if index < len(points) else ():
        cv2.circle(out, _enlarged(point), SCALE // 2, RED, -1)
    if "target" in batch:
        for row, column in batch["positive"][index].nonzero().tolist():
            x, y, size = batch["target"][index, :3, row, column].double()
            centre = STRIDE * np.array([column + x, row + y]) + (STRIDE - 1) / 2
            cv2.circle(out, _enlarged(centre), round(float(SIZE_UNIT_PX * size.exp() / 2) * SCALE), GREEN, 1)
    return out


def numbers(batch: Batch, index: int) -> dict[str, float]:
    """The labels that are no points. Of the landmark net's samples the last are those of the head's turn, and have that alone."""
    first = len(batch["x"]) - len(batch.get("angles", ()))
    out = {name: float(values[index]) for name, values in batch.items() if values.ndim == 1 and index < len(values)}
    if "angles" in batch and index >= first:
        out |= dict(zip(("yaw_deg", "pitch_deg", "roll_deg"), batch["angles"][index - first].rad2deg().tolist()))
    return out


def _enlarged(point: Tensor | np.ndarray) -> tuple[int, int]:
    x, y = (round(float(v) * SCALE + (SCALE - 1) / 2) for v in point)
    return x, y
