"""The forecast net: what it sees, what it answers.

Input row (FEATURES numbers, degrees and seconds scaled to about one): for each of 23 older samples its position relative
to the newest one, how far that is in units of the noise, and its age; then the gate's state (mean relative to the newest sample, weight, where the last restart
came from, how long ago), the noise, how many samples there are, and the horizon.

The answer is a combination of displacement vectors that are already in the input, so that it turns and scales with the
movement; the net only says how much of each. The last output is the error radius.
"""

import numpy as np
import torch
from torch import nn

SLOTS = 24
BASIS = 3  # older samples that the answer may combine
FEATURES = 4 * (SLOTS - 1) + 11
POSITION = 1 / 3.0
AGE = 4.0
MAX_AGE = 1.0


def window(d, rows):
    """(displacements [B,23,2], ages [B,23], is there [B,23]) of the older samples of each row; nearest first."""
    back = torch.arange(1, SLOTS)
    there = back[None] <= d["index"][rows][:, None]
    ix = torch.where(there, rows[:, None] - back[None], rows[:, None])
    disp = d["x"][ix] - d["x"][rows][:, None]
    age = torch.where(there, (d["t"][rows][:, None] - d["t"][ix]).float(), torch.zeros(()))
    return disp, age, there


def features(d, rows, horizon, flip):
    """(features, basis vectors [B,BASIS+2,2]); flip [B,2] of +-1 mirrors the axes."""
    disp, age, there = window(d, rows)
    x = d["x"][rows]
    mean = d["mean"][rows] - x
    left = d["left"][rows] - d["mean"][rows]
    disp, mean, left = disp * flip[:, None], mean * flip, left * flip
    scale, sd = POSITION, d["sd"][rows]
    length = lambda v: torch.log1p(v.norm(dim=-1) / (sd if v.dim() == 2 else sd[:, None]))
    f = torch.cat(
        [
            (disp * scale).flatten(1),
            length(disp),
            age.clamp(max=MAX_AGE) * AGE,
            mean * scale,
            length(mean)[:, None],
            left * scale,
            length(left)[:, None],
            torch.log(d["weight"][rows])[:, None],
            (d["since"][rows].clamp(max=MAX_AGE) * AGE)[:, None],
            torch.log(sd)[:, None],
            there.float().mean(1, keepdim=True),
            (horizon * 10.0)[:, None],
        ],
        1,
    )
    return f, torch.cat([disp[:, :BASIS], mean[:, None], left[:, None]], 1)


class Net(nn.Module):
    def __init__(self, wide=96, deep=64):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(FEATURES, wide), nn.SiLU(), nn.Linear(wide, deep), nn.SiLU(), nn.Linear(deep, BASIS + 4)
        )
        # The radius has a tower of its own, so that neither answer bends the other.
        self.spread = nn.Sequential(
            nn.Linear(FEATURES, wide // 2), nn.SiLU(), nn.Linear(wide // 2, deep // 2), nn.SiLU(), nn.Linear(deep // 2, 1)
        )
        with torch.no_grad():
            self.body[-1].weight.mul_(0.1)
            self.body[-1].bias.zero_()
            self.body[-1].bias[BASIS] = 1.0  # start as the gated mean
            self.spread[-1].bias.fill_(2.0)

    def forward(self, f):
        return torch.cat([self.body(f), self.spread(f)], 1)

    @staticmethod
    def answer(out, basis):
        move = (out[:, : BASIS + 2, None] * basis).sum(1) + out[:, BASIS + 2 : BASIS + 4] / POSITION
        return move, torch.nn.functional.softplus(out[:, -1]) * 2.0


def tensors(path):
    d = np.load(path)
    return {k: torch.from_numpy(d[k]) for k in d.files}
