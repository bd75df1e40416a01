"""Trains the forecast net. One core is enough: about a quarter of an hour.

    python -m models.train.forecast.train --train train.npz --validation val.npz --out forecast.pt
"""

import argparse
import copy
import math
import time

import torch

from . import net as N
from .dataset import CLEAN60, GAZE60_A, GAZE60_B, GAZE60_MIX, GAZECOM, HORIZONS_S

# Mean error at 50 ms of holding the last sample, so that no set outweighs another by its noise.
SCALE = torch.tensor([1.25, 2.1, 1.9, 2.0, 1.25])
PICK = torch.tensor([0.15, 0.05, 0.12, 0.10, 0.35, 0.08, 0.06, 0.09, 0.04, 0.03])


RATES = ((15.0, 0.08), (30.0, 0.13), (60.0, 0.13), (120.0, 0.06))


def sampler(d, batch, gen):
    """Row numbers in which each kind of set has its share: nominal and varied GazeCom, gaze60 A, B, mixed."""
    usable = d["index"] >= 1
    groups = [
        *((usable & (d["set"] == GAZECOM) & d["nominal"] & (d["rate"] == r), w) for r, w in RATES),
        (usable & (d["set"] == GAZECOM) & ~d["nominal"], 0.20),
        (usable & (d["set"] == GAZE60_A), 0.15),
        (usable & (d["set"] == GAZE60_B), 0.15),
        (usable & (d["set"] == GAZE60_MIX), 0.10),
    ]
    groups = [(m.nonzero().flatten(), w) for m, w in groups]
    while True:
        yield torch.cat([r[torch.randint(len(r), (int(batch * w),), generator=gen)] for r, w in groups])


class Duals:
    """The smallest mean radius that holds its share of the truths, by Lagrange multipliers.

    A quantile a row would give every row the same chance; the mean radius is smaller when it is large only where that
    buys most coverage. So the loss is the radius minus what each held truth is worth, and the worth of saccades and of
    the rest, in each set, is raised while too few are held and lowered while too many are.
    """

    WANTED = torch.tensor([[0.975, 0.850], [0.965, 0.855]])  # GazeCom, gaze60: others, saccades

    def __init__(self):
        self.worth = torch.full((2, 2), 2.0)
        self.held = self.WANTED.clone()

    def loss(self, size, radius, cls, kind, scale, hi):
        row = ((kind == GAZE60_A) | (kind == GAZE60_B) | (kind == GAZE60_MIX)).long()
        column = (cls == 1).long()
        # A soft edge, so that truths near it pull.
        soft = torch.sigmoid((radius - size) / (0.15 * size.clamp(min=0.3)))
        with torch.no_grad():
            inside = (size <= radius).float()
            main = hi == 4
            for i in (0, 1):
                for j in (0, 1):
                    m = main & (row == i) & (column == j)
                    if m.any():
                        self.held[i, j] += 0.05 * (inside[m].mean() - self.held[i, j])
            self.worth *= torch.exp(0.03 * (self.WANTED - self.held) / (1 - self.WANTED) )
            self.worth.clamp_(0.1, 200.0)
        value = self.worth[row, column]
        return self.held.flatten().tolist(), 0.02 * (radius / scale - value * soft).mean()


def loss_of(net, duals, d, rows, hi, flip, a):
    horizon = torch.tensor(HORIZONS_S, dtype=torch.float32)[hi]
    truth, before = d["truth"][rows, hi], d["truth"][rows - 1, hi]
    known = torch.isfinite(truth).all(1) & torch.isfinite(before).all(1)
    rows, hi, flip, horizon, truth, before = (v[known] for v in (rows, hi, flip, horizon, truth, before))
    both = torch.cat([rows, rows - 1])
    f, basis = N.features(d, both, horizon.repeat(2), flip.repeat(2, 1))
    move, radius = net.answer(net(f), basis)
    err = (d["x"][both] - torch.cat([truth, before])) * flip.repeat(2, 1) + move
    size = torch.sqrt((err * err).sum(1) + 1e-4)
    cls = d["cls"][both, hi.repeat(2)]
    scale = SCALE[d["set"][both].long()]
    weight = torch.where(cls == 2, a.pursuit, 1.0) * torch.where(hi.repeat(2) == 0, 2.0, 1.0) / scale
    error = (weight * size).mean()
    covered, radius_loss = duals.loss(size.detach(), radius, cls, d["set"][both], scale, hi.repeat(2))
    n = len(rows)
    still = (cls[:n] == 0) & (cls[n:] == 0)
    step = ((d["x"][rows] - d["x"][rows - 1]) * flip + move[:n] - move[n:]) / scale[:n, None]
    square = (step * step).sum(1)[still]
    # Landings after a saccade are steps too, but must not be smoothed away: large steps count less than their square.
    jitter = (square / (1.0 + square / 0.5)).mean()
    return error + radius_loss + a.steady * jitter, error.item(), radius_loss.item(), jitter.item(), *covered


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--train", required=True)
    p.add_argument("--validation")
    p.add_argument("--out", required=True)
    p.add_argument("--steps", type=int, default=20000)
    p.add_argument("--batch", type=int, default=1024)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--steady", type=float, default=0.6)
    p.add_argument("--pursuit", type=float, default=2.0)
    p.add_argument("--wide", type=int, default=96)
    p.add_argument("--deep", type=int, default=64)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    gen = torch.Generator().manual_seed(a.seed)
    d = N.tensors(a.train)
    net = N.Net(a.wide, a.deep)
    ema = copy.deepcopy(net)
    opt = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=1e-4)
    duals = Duals()
    draw = sampler(d, a.batch, gen)
    began, log = time.time(), []
    for step in range(a.steps):
        lr = a.lr * min(1.0, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * step / a.steps)) + 1e-6
        for g in opt.param_groups:
            g["lr"] = lr
        rows = next(draw)
        hi = torch.multinomial(PICK, len(rows), replacement=True, generator=gen)
        flip = torch.randint(0, 2, (len(rows), 2), generator=gen).float() * 2 - 1
        loss, *parts = loss_of(net, duals, d, rows, hi, flip, a)
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.body.parameters(), 1.0)
        torch.nn.utils.clip_grad_norm_(net.spread.parameters(), 1.0)
        opt.step()
        keep = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            for e, q in zip(ema.parameters(), net.parameters()):
                e.lerp_(q, 1 - keep)
        log.append(parts)
        if (step + 1) % 500 == 0:
            m = torch.tensor(log).mean(0)
            log = []
            share = " ".join(f"{v:.3f}" for v in m[3:])
            worth = " ".join(f"{v:.1f}" for v in duals.worth.flatten())
            print(f"{step + 1} {time.time() - began:.0f}s error {m[0]:.4f} radius {m[1]:.4f} jitter {m[2]:.4f} held {share} worth {worth}", flush=True)
            torch.save(dict(state=ema.state_dict(), wide=a.wide, deep=a.deep), a.out)
    torch.save(dict(state=ema.state_dict(), wide=a.wide, deep=a.deep), a.out)


if __name__ == "__main__":
    main()
