"""Losses of the three nets."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def wing(distance: Tensor, width: float, curve: float) -> Tensor:
    """Wing loss (Feng et al. 2018) of a distance in px: logarithmic below `width`, linear above."""
    c = width - width * math.log(1 + width / curve)
    return torch.where(distance < width, width * torch.log1p(distance / curve), distance - c)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Distances of points (n, k, 2); the small constant keeps the gradient finite at zero."""
    return torch.sqrt(((a - b) ** 2).sum(-1) + 1e-6)


def expected_error(log_sigma: Tensor, error: Tensor) -> Tensor:
    """Negative log likelihood of an exponentially spread error: its minimum is sigma = mean error."""
    log_sigma = log_sigma.clamp(-6, 5)
    return error.detach() * torch.exp(-log_sigma) + log_sigma


def masked_mean(x: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean, 0 where nothing counts."""
    return (x * weight).sum() / weight.sum().clamp(min=1e-6)


#: What it counts when two views of one face or eye are read differently, beside how far off each is.
STEADY = 0.8


def apart(off: Tensor) -> Tensor:
    """How differently off (n / 2, k) the two views of each picture are; row `i` and row `i + n / 2` show the same.

    Where a label is wrong, both views should be off alike: only the difference is unsteadiness.
    """
    half = len(off) // 2
    return torch.sqrt(((off[:half] - off[half:]) ** 2).sum(-1) + 1e-6)


def both(weight: Tensor) -> Tensor:
    """The smaller weight of the two views."""
    half = len(weight) // 2
    return torch.minimum(weight[:half], weight[half:])


def landmarks_loss(out: Tensor, points: Tensor, face: Tensor, side: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Wing loss over the points (eyes count double), steadiness, face logit, sigma."""
    n, k = points.shape[:2]
    off = out[:, : 2 * k].view(n, k, 2) - points
    d = torch.sqrt((off**2).sum(-1) + 1e-6)
    weight = torch.ones(k, device=out.device)
    weight[:8] = 2.0
    inside = face[:, None] * weight
    fit = masked_mean(wing(d, 5.0, 0.5), inside)
    steady = masked_mean(wing(apart(off), 5.0, 0.5), both(inside))
    error = d.mean(1) / side
    sigma = masked_mean(expected_error(out[:, 2 * k + 1], error), face)
    score = F.binary_cross_entropy_with_logits(out[:, 2 * k], face)
    loss = fit + STEADY * steady + score + 0.2 * sigma
    return loss, {"px": masked_mean(d.mean(1), face).detach(), "score": score.detach()}


#: What the pupil's place between the corners counts, beside the places of all points: it is what the gaze is read from.
BETWEEN = 3.0


def between_corners(off: Tensor) -> Tensor:
    """How far off (n, 5, 2) the pupil is from the middle of the corners: an error that all three share moves no gaze."""
    return off[:, 0] - off[:, 1:3].mean(1)


def eyes_loss(out: Tensor, b: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Wing loss over the five points and over the pupil between the corners, steadiness, openness, sigma, confidence."""
    n = len(out)
    off = out[:, :10].view(n, 5, 2) - b["points"]
    real_eye = 1 - b["stray"]
    seen = b["pupil_weight"] * b["visible"]
    between = between_corners(off)[:, None]
    off = torch.cat([off, between], 1)
    d = torch.sqrt((off**2).sum(-1) + 1e-6)
    weight = torch.stack([3.0 * seen, *([real_eye] * 4), BETWEEN * seen * real_eye], 1)
    fit = masked_mean(wing(d, 3.0, 0.3), weight)
    unsteady = apart(off)
    steady = masked_mean(wing(unsteady, 3.0, 0.3), both(weight))
    openness = F.binary_cross_entropy_with_logits(out[:, 10], b["openness"], reduction="none")
    openness = masked_mean(openness, real_eye)
    sigma = masked_mean(expected_error(out[:, 11], d[:, 0]), seen)
    good = seen * (d[:, 0].detach() < 3.0).float()
    confidence = F.binary_cross_entropy_with_logits(out[:, 12], good)
    loss = fit + STEADY * steady + openness + 0.2 * sigma + 0.3 * confidence
    return loss, {
        "pupil_px": masked_mean(d[:, 0], seen).detach(),
        "between_px": masked_mean(d[:, 5], seen).detach(),
        "apart_px": masked_mean(unsteady[:, 5], both(seen)).detach(),
        "corner_px": masked_mean(d[:, 1:3].mean(1), real_eye).detach(),
        "openness": openness.detach(),
        "confidence": confidence.detach(),
    }


def finder_loss(out: Tensor, target: Tensor, positive: Tensor, ignore: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Focal score loss (Lin et al. 2017) over all cells, box loss over the cells that own a face.

    `target` (n, 5, h, w) holds offset, ln size, cos and sin; `positive` (n, h, w) is 0..1.
    """
    score = out[:, 0]
    p = torch.sigmoid(score)
    bce = F.binary_cross_entropy_with_logits(score, positive, reduction="none")
    modulate = (positive - p).abs() ** 2
    focal = (bce * modulate * (1 - ignore)).sum() / positive.sum().clamp(min=1)
    own = (positive > 0.5).float()
    box = F.smooth_l1_loss(out[:, 1:], target, reduction="none", beta=0.2)
    box = (box * own[:, None]).sum() / own.sum().clamp(min=1)
    return 2.0 * focal + box, {"focal": focal.detach(), "box": box.detach()}
