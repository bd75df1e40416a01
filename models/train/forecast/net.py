"""The forecast net: what it sees, what it answers.

Everything is said in a frame of its own: the origin is the newest sample, the first axis points from the mean of the
newest four samples to the newest one, and the second axis to the side on which the last fixation was. A movement in any
direction is then the same movement.

What is seen (SEEN numbers): the displacements that the answer may combine (the three samples before the newest, the means
of the newest 2 to 24, the gated mean, the place it left, where the gaze has been these seconds, and the mean over when the
fixation may have begun with the place left then), each with its length compressed by ln(1 + length / noise); those lengths;
how far the samples of each mean scatter about it; the ages of the samples; the gate's state; how much the gaze has jumped
lately; the noise, the direction and the number of samples; how likely the fixation began just now, its age, that of the one
before, and how surprising the newest sample was.

The answer has a share for each displacement, an offset, and the error radius.
"""

import numpy as np
import torch
from torch import nn

from .runs import MAX_AGE_S

SLOTS = 24
SINGLES = (1, 2, 3)
MEANS = (2, 3, 4, 6, 8, 12, 16, 24)
AXIS_MEAN = 2  # place in MEANS of the mean that the first axis points from
AGES = (1, 2, 3, 4, 5, 7, 11, 15, 23)
BASIS = len(SINGLES) + len(MEANS) + 5
LEFT, RUN_MEAN = len(SINGLES) + len(MEANS) + 1, len(SINGLES) + len(MEANS) + 3  # places in the basis
SEEN = 3 * BASIS + len(MEANS) + len(AGES) + 8 + 7
FEATURES = SEEN + 1
# Widths of the position's tower.
WIDE = (384, 160)
ANSWERS = BASIS + 3
OFFSET_DEG = 3.0
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare(d):
    """Adds what the net sees of every row ("seen"), its displacements ("basis", in its own frame) and frame ("axis", "side")."""
    x, t, index = d["x"].astype(np.float64), d["t"], d["index"].astype(np.int64)
    rows = np.arange(len(t))
    start = rows - index
    local = x - x[start]
    zero = np.zeros((1, 2))
    # Sums run over whole arrays; their differences stay within one track.
    sums = np.concatenate([zero, np.cumsum(local, 0)])
    squares = np.concatenate([[0.0], np.cumsum((local * local).sum(1))])
    sd = np.maximum(d["sd"].astype(np.float64), 1e-6)
    basis, scatter = [], []
    for k in SINGLES:
        there = index >= k
        basis.append(np.where(there[:, None], x[np.where(there, rows - k, rows)] - x, 0.0))
    for k in MEANS:
        n = np.minimum(k, index + 1)
        first = rows + 1 - n
        # A track's first rows may be counted from another start; shift the sums to this row's own.
        mean = (sums[rows + 1] - sums[first]) / n[:, None]
        variance = (squares[rows + 1] - squares[first]) / n - (mean * mean).sum(1)
        basis.append(mean - local)
        scatter.append(np.sqrt(np.maximum(variance, 0.0)) / sd)
    mean = d["mean"] - x
    basis += [mean, d["left"] - d["mean"], d["place"] - x, d["run_mean"] - x, d["run_left"] - d["run_mean"]]
    basis = np.stack(basis, 1)

    axis = -basis[:, len(SINGLES) + AXIS_MEAN]
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    axis = np.where(length > 1e-9, axis / np.maximum(length, 1e-9), [[1.0, 0.0]])
    side = np.column_stack([-axis[:, 1], axis[:, 0]])
    # Two samples lie on one line with the place left; rounding must not choose the side then.
    side *= np.where((basis[:, LEFT] * side).sum(1, keepdims=True) < -1e-3, -1.0, 1.0)
    basis = np.stack([(basis * axis[:, None]).sum(2), (basis * side[:, None]).sum(2)], 2)
    size = np.linalg.norm(basis, axis=2)
    compressed = np.log1p(size / sd[:, None])
    direction = basis / np.maximum(size, 1e-9)[:, :, None]
    ages = []
    for k in AGES:
        there = np.minimum(k, index)
        ages.append(np.minimum(t - t[rows - there], MAX_AGE_S))
    state = [
        np.log(d["weight"]),
        4.0 * np.minimum(d["since"], MAX_AGE_S),
        np.log1p(d["jumped_deg"]),
        d["jumps"] / 3.0,
        np.log(sd),
        np.log(np.maximum(d["slow_sd"], 1e-6) / sd),
        axis[:, 0] ** 2,
        np.minimum(index, SLOTS - 1) / (SLOTS - 1),
        d["first"],
        d["second"],
        d["few"],
        4.0 * np.minimum(d["age"], MAX_AGE_S),
        4.0 * np.minimum(d["age_before"], MAX_AGE_S),
        np.log1p(d["spread"]),
        d["surprise"] / 5.0,
    ]
    seen = np.concatenate(
        [
            (direction * compressed[:, :, None]).reshape(len(t), -1),
            compressed,
            np.log1p(np.stack(scatter, 1)),
            4.0 * np.stack(ages, 1),
            np.stack(state, 1),
        ],
        1,
    )
    d["seen"], d["basis"] = seen.astype(np.float32), basis.astype(np.float32)
    d["axis"], d["side"] = axis.astype(np.float32), side.astype(np.float32)
    return d


class Net(nn.Module):
    def __init__(self, wide=WIDE):
        super().__init__()
        first, second = wide
        self.body = nn.Sequential(
            nn.Linear(FEATURES, first), nn.SiLU(), nn.Linear(first, second), nn.SiLU(), nn.Linear(second, BASIS + 2)
        )
        # The radius has a tower of its own, so that neither answer bends the other.
        self.spread = nn.Sequential(
            nn.Linear(FEATURES, 64), nn.SiLU(), nn.Linear(64, 48), nn.SiLU(), nn.Linear(48, 1)
        )
        with torch.no_grad():
            self.body[-1].weight.mul_(0.1)
            self.body[-1].bias.zero_()
            self.body[-1].bias[RUN_MEAN] = 1.0  # start as the mean of the present fixation
            self.spread[-1].bias.fill_(2.0)

    def forward(self, f):
        return torch.cat([self.body(f), self.spread(f)], 1)


def load(path):
    """A trained net, as wide as it was saved."""
    state = torch.load(path, map_location="cpu")
    net = Net((len(state["body.0.bias"]), len(state["body.2.bias"])))
    net.load_state_dict(state)
    return net


def save(net, path):
    torch.save({k: v.cpu() for k, v in net.state_dict().items()}, path)


def seen(d, rows, horizon):
    return torch.cat([d["seen"][rows], horizon[:, None] * 10.0], 1)


def move(out, basis):
    """From the newest sample to the answer, in the row's own frame."""
    return (out[:, :BASIS, None] * basis).sum(1) + out[:, BASIS : BASIS + 2] * OFFSET_DEG


def turned(d, rows, v):
    """A vector of the row's own frame in the world's."""
    return v[:, :1] * d["axis"][rows] + v[:, 1:] * d["side"][rows]


def radius(out):
    return torch.nn.functional.softplus(out[:, -1]) * 2.0


def tensors(arrays):
    return {k: torch.from_numpy(v) for k, v in arrays.items()}
