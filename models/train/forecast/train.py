"""Trains the forecast net: first where the gaze will be, then, with that fixed, the error radius.

    python -m models.train.forecast.train --out forecast.pt [--everyone]

On one free core about ten minutes for the first and eight for the second. Without --everyone the validation people are left out;
with it, all people who are not held out take part. --start goes on from a trained net.
"""

import argparse
import copy
import math
import time

import torch

from . import dataset, radius
from . import net as N
from .constraints import GAZE60_A, GAZE60_B, IN_FLIGHT, KINDS, MAIN, VARIED, Calm, Harm
from .dataset import HORIZONS_S

HORIZONS = torch.tensor(HORIZONS_S, dtype=torch.float32)
# How often each horizon is drawn, for the position and for the radius.
PICK = torch.tensor([0.25, 0.03, 0.10, 0.10, 0.36, 0.04, 0.04, 0.05, 0.02, 0.01])
PICK_AHEAD = torch.tensor([0.0, 0.04, 0.14, 0.12, 0.46, 0.06, 0.06, 0.08, 0.02, 0.02])
RATES = (15.0, 30.0, 60.0, 120.0)
# Part of each kind in a batch.
SHARES = (0.08, 0.19, 0.23, 0.07, 0.17, 0.12, 0.14)
# What the constraints weigh beside the mean error.
HARM, CALM = 0.1, 0.05
COPIES = 10


def tensors(arrays):
    """Everything training needs of every row."""
    d = N.tensors(N.prepare(arrays))
    kind = torch.full((len(d["t"]),), VARIED)
    for i, rate in enumerate(RATES):
        kind[(d["set"] == dataset.GAZECOM) & d["nominal"] & (d["rate"] == rate)] = i
    kind[d["set"] == dataset.GAZE60_A] = GAZE60_A
    kind[d["set"] == dataset.GAZE60_B] = GAZE60_B
    d["kind"] = kind
    # Mean error of holding the newest sample, by kind and horizon, so that none outweighs another by its noise.
    d["scale"] = torch.ones(KINDS, len(HORIZONS_S))
    for k in range(KINDS):
        rows = (kind == k).nonzero().flatten()
        rows = rows[:: max(len(rows) // 50000, 1)]
        for h in range(len(HORIZONS_S)):
            error = (d["x"][rows] - d["truth"][rows, h]).norm(dim=1)
            d["scale"][k, h] = error[torch.isfinite(error)].mean()
    return d


class Sampler:
    """Rows by kind; of pursuit by kind and horizon, because it is rare."""

    def __init__(self, d, gen):
        self.gen = gen
        usable = d["index"] >= 1
        self.by_kind = [(usable & (d["kind"] == k)).nonzero().flatten() for k in range(KINDS)]
        self.pursuit = {}
        for k in range(KINDS):
            for h in range(1, 8):
                rows = (usable & (d["kind"] == k) & (d["cls"][:, h] == 2)).nonzero().flatten()
                if len(rows) >= 50:
                    self.pursuit[k, h] = rows

    def pick(self, rows, n):
        return rows[torch.randint(len(rows), (n,), generator=self.gen)]

    def base(self, n):
        return torch.cat([self.pick(r, int(n * s)) for r, s in zip(self.by_kind, SHARES)])

    def pursuits(self, n):
        each = max(n // len(self.pursuit), 2)
        rows = torch.cat([self.pick(r, each) for r in self.pursuit.values()])
        return rows, torch.tensor([h for _, h in self.pursuit]).repeat_interleave(each)

    def horizons(self, pick, n):
        return torch.multinomial(pick, n, replacement=True, generator=self.gen)


class Descent:
    """AdamW with a warm start and a cosine to zero, and a running mean of the weights, steadier than those of any step."""

    def __init__(self, module, lr, steps):
        self.module, self.lr, self.steps, self.step = module, lr, steps, 0
        self.mean = copy.deepcopy(module)
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=1e-4)
        self.began, self.total = time.time(), 0.0

    def follow(self, loss, shown):
        for group in self.optimizer.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
            group["lr"] = self.lr * min(1.0, (self.step + 1) / 300) * cosine + 1e-6
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        keep = min(0.999, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.module.parameters()):
                mean.lerp_(now, 1 - keep)
        self.step += 1
        self.total += float(shown.detach())

    def tell(self, *constraints):
        if self.step % 1000 == 0:
            seconds = time.time() - self.began
            print(f"{self.step} {seconds:.0f}s {self.total / 1000:.4f} |", " | ".join(map(str, constraints)), flush=True)
            self.total = 0.0

    def finish(self):
        self.module.load_state_dict(self.mean.state_dict())


def answers(net, d, rows, hi):
    out = net.body(N.seen(d, rows, HORIZONS[hi]))
    return d["x"][rows] + N.turned(d, rows, N.move(out, d["basis"][rows]))


def train_position(net, d, a, gen):
    draw, harm, calm = Sampler(d, gen), Harm(), Calm()
    descent = Descent(net.body, a.lr, a.steps)
    in_fixation = lambda r: (d["cls"][r, MAIN] == 0) & torch.isfinite(d["truth"][r, MAIN]).all(1)
    for _ in range(a.steps):
        single = draw.base(a.batch)
        rare, rare_hi = draw.pursuits(a.batch // 4)
        pair = draw.base(a.batch // 2)
        pair_hi = torch.where(torch.rand(len(pair), generator=gen) < 0.4, 0, MAIN)
        rows = torch.cat([single, rare, pair, pair - 1])
        hi = torch.cat([draw.horizons(PICK, len(single)), rare_hi, pair_hi, pair_hi])
        truth = d["truth"][rows, hi]
        known = torch.isfinite(truth).all(1)
        truth = torch.nan_to_num(truth)
        at = answers(net, d, rows, hi)
        error = torch.sqrt(((at - truth) ** 2).sum(1) + 1e-4)
        hold = (d["x"][rows] - truth).norm(dim=1)
        kind, cls = d["kind"][rows], d["cls"][rows, hi].long()
        cls = torch.where(d["flight"][rows, hi], IN_FLIGHT, cls)
        # Rows drawn for being rare count for their own constraint alone.
        fair = known.clone()
        fair[len(single) : len(single) + len(rare)] = False
        mean = (error / d["scale"][kind, hi])[fair].mean()
        harmed = harm.loss(error[known], hold[known], kind[known], cls[known], hi[known])
        now, before = at[-2 * len(pair) :].chunk(2)
        still = in_fixation(pair) & in_fixation(pair - 1)
        step = calm.loss((now - before)[still], d["kind"][pair[still]], pair_hi[still] == MAIN)
        descent.follow(mean + HARM * harmed + CALM * step, mean)
        descent.tell(calm, harm)
    descent.finish()


def train_radius(net, d, a, gen):
    pool = radius.Pool(net, d, Sampler(d, gen), PICK_AHEAD, answers)
    radius.train(net, pool, Descent, a, gen)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--everyone", action="store_true")
    p.add_argument("--start")
    p.add_argument("--steps", type=int, default=16000)
    p.add_argument("--radius-steps", type=int, default=4000)
    p.add_argument("--batch", type=int, default=1024)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    (gazecom, gaze60), (more_gazecom, more_gaze60), _ = dataset.split()
    if a.everyone:
        gazecom, gaze60 = gazecom + more_gazecom, gaze60 + more_gaze60
    train(tensors(dataset.build(gazecom, gaze60, a.seed, COPIES)), a)


def train(d, a):
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    gen = torch.Generator().manual_seed(a.seed)
    net = N.Net()
    if a.start:
        net.load_state_dict(torch.load(a.start))
    train_position(net, d, a, gen)
    torch.save(net.state_dict(), a.out)
    train_radius(net, d, a, gen)
    torch.save(net.state_dict(), a.out)


if __name__ == "__main__":
    main()
