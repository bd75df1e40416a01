"""Trains the forecast net: first where the gaze will be, then, with that fixed, the error radius.

    python -m models.train.forecast.train --out forecast.pt [--everyone] [--minutes 60] [--workers 2]

On a GPU if there is one, better with --batch 8192 --copies 40; on one free core about a quarter of an hour with
--batch 1024 --steps 16000. Without --everyone the validation people are left out, and what they say of the net is printed now
and then; with it, all people who are not held out take part. --start goes on from a trained net.
"""

import argparse
import copy
import functools
import math
import time

import torch

from . import dataset, radius
from . import net as N
from .constraints import GAZE60_A, GAZE60_B, IN_FLIGHT, KINDS, MAIN, VARIED, Calm, Harm
from .dataset import HORIZONS_S
from .net import DEVICE

# How often each horizon is drawn, for the position and for the radius.
PICK = (0.25, 0.03, 0.10, 0.10, 0.36, 0.04, 0.04, 0.05, 0.02, 0.01)
PICK_AHEAD = (0.0, 0.04, 0.14, 0.12, 0.46, 0.06, 0.06, 0.08, 0.02, 0.02)
RATES = (15.0, 30.0, 60.0, 120.0)
# Part of each kind in a batch.
SHARES = (0.08, 0.19, 0.23, 0.07, 0.17, 0.12, 0.14)
# What the constraints weigh beside the mean error.
HARM, CALM = 0.1, 0.05
# Parts of the time that is left once the data are made: for the position, and for each of the three steps to the radius.
POSITION_TIME, RADIUS_TIME = 0.72, 0.08


def tensors(arrays):
    """Everything training needs of every row."""
    d = {k: v.to(DEVICE) for k, v in N.tensors(arrays).items()}
    kind = torch.full((len(d["x"]),), VARIED, device=DEVICE)
    for i, rate in enumerate(RATES):
        kind[(d["set"] == dataset.GAZECOM) & d["nominal"] & (d["rate"] == rate)] = i
    kind[d["set"] == dataset.GAZE60_A] = GAZE60_A
    kind[d["set"] == dataset.GAZE60_B] = GAZE60_B
    d["kind"] = kind
    d["horizons"] = torch.tensor(HORIZONS_S, dtype=torch.float32, device=DEVICE)
    # Mean error of holding the newest sample, by kind and horizon, so that none outweighs another by its noise.
    d["scale"] = torch.ones(KINDS, len(HORIZONS_S), device=DEVICE)
    for k in range(KINDS):
        rows = (kind == k).nonzero().flatten()
        rows = rows[:: max(len(rows) // 50000, 1)]
        for h in range(len(HORIZONS_S)):
            error = (d["x"][rows] - d["truth"][rows, h]).norm(dim=1)
            d["scale"][k, h] = error[torch.isfinite(error)].mean()
    return d


class Groups:
    """Rows in groups, drawn without a loop over these."""

    def __init__(self, groups, gen):
        self.rows, self.gen = torch.cat(groups), gen
        self.sizes = torch.tensor([len(v) for v in groups], device=DEVICE)
        self.starts = self.sizes.cumsum(0) - self.sizes

    def draw(self, group):
        """A row of each of these groups."""
        part = torch.rand(len(group), generator=self.gen, device=DEVICE, dtype=torch.float64)
        return self.rows[self.starts[group] + (part * self.sizes[group]).long()]


def edges(shares):
    """Shares of one, as the places between them."""
    return torch.tensor(shares, device=DEVICE).cumsum(0)[:-1]


class Sampler:
    """Rows by kind; of pursuit by kind and horizon, because it is rare."""

    def __init__(self, d, gen):
        self.gen, self.shares = gen, edges(SHARES)
        usable = d["index"] >= 1
        self.kinds = Groups([(usable & (d["kind"] == k)).nonzero().flatten() for k in range(KINDS)], gen)
        pursuit = {}
        for k in range(KINDS):
            for h in range(1, 8):
                rows = (usable & (d["kind"] == k) & (d["cls"][:, h] == 2)).nonzero().flatten()
                if len(rows) >= 50:
                    pursuit[k, h] = rows
        self.pursuit = Groups(list(pursuit.values()), gen)
        self.pursuit_horizon = torch.tensor([h for _, h in pursuit], device=DEVICE)

    def choose(self, edges, n):
        """Places, each as often as the `edges` between them say."""
        return torch.bucketize(torch.rand(n, generator=self.gen, device=DEVICE), edges, right=True)

    def base(self, n):
        return self.kinds.draw(self.choose(self.shares, n))

    def pursuits(self, n):
        group = torch.randint(len(self.pursuit_horizon), (n,), generator=self.gen, device=DEVICE)
        return self.pursuit.draw(group), self.pursuit_horizon[group]


class Descent:
    """AdamW with a warm start and a cosine to zero, and a running mean of the weights, steadier than those of any step.

    Ends after so many steps, or so many seconds if those are over first; the cosine follows whichever is ahead.
    """

    def __init__(self, module, lr, steps, seconds):
        self.module, self.lr, self.steps, self.seconds, self.step = module, lr, steps, max(seconds, 1.0), 0
        self.mean = copy.deepcopy(module)
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=lr, weight_decay=1e-2, fused=DEVICE.type == "cuda"
        )
        self.began, self.total = time.time(), torch.zeros((), device=DEVICE)

    def done(self):
        return max(self.step / self.steps, (time.time() - self.began) / self.seconds)

    def left(self):
        return self.done() < 1.0

    def follow(self, loss, shown):
        for group in self.optimizer.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * min(self.done(), 1.0)))
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
        self.total += shown.detach()

    def tell(self, *constraints):
        if self.step % 1000 == 0:
            seconds = time.time() - self.began
            print(f"{self.step} {seconds:.0f}s {self.total / 1000:.4f} |", " | ".join(map(str, constraints)), flush=True)
            self.total.zero_()

    def finish(self):
        self.module.load_state_dict(self.mean.state_dict())


def answers(body, d, rows, hi):
    out = body(N.seen(d, rows, d["horizons"][hi]))
    return d["x"][rows] + N.turned(d, rows, N.move(out, d["basis"][rows]))


class Watch:
    """What a net's error at 50 ms is on people it is not trained on, by kind, as ratios to holding."""

    def __init__(self, d):
        known = torch.isfinite(d["truth"][:, MAIN]).all(1)
        self.d, self.rows = d, [(known & (d["kind"] == k)).nonzero().flatten() for k in range(VARIED)]

    def __call__(self, body):
        ratios = []
        for rows in self.rows:
            truth = self.d["truth"][rows, MAIN]
            with torch.no_grad():
                at = torch.cat([answers(body, self.d, r, torch.full_like(r, MAIN)) for r in rows.split(100_000)])
            ratios.append((at - truth).norm(dim=1).mean() / (self.d["x"][rows] - truth).norm(dim=1).mean())
        print("others: 15, 30, 60, 120 Hz, A, B:", " ".join(f"{r:.4f}" for r in ratios), flush=True)


def train_position(net, d, a, gen, seconds, watch):
    draw, pick, harm, calm = Sampler(d, gen), edges(PICK), Harm(), Calm()
    descent = Descent(net.body, a.lr, a.steps, seconds)
    in_fixation = lambda r: (d["cls"][r, MAIN] == 0) & torch.isfinite(d["truth"][r, MAIN]).all(1)
    singles, rares, pairs = a.batch, a.batch // 4, a.batch // 2
    # Rows drawn for being rare count for their own constraint alone.
    fair = torch.ones(singles + rares + 2 * pairs, device=DEVICE)
    fair[singles : singles + rares] = 0.0
    while descent.left():
        rare, rare_hi = draw.pursuits(rares)
        pair = draw.base(pairs)
        pair_hi = torch.where(torch.rand(pairs, generator=gen, device=DEVICE) < 0.4, 0, MAIN)
        rows = torch.cat([draw.base(singles), rare, pair, pair - 1])
        hi = torch.cat([draw.choose(pick, singles), rare_hi, pair_hi, pair_hi])
        truth = d["truth"][rows, hi]
        known = torch.isfinite(truth).all(1).float()
        truth = torch.nan_to_num(truth)
        at = answers(net.body, d, rows, hi)
        error = known * torch.sqrt(((at - truth) ** 2).sum(1) + 1e-4)
        hold = known * (d["x"][rows] - truth).norm(dim=1)
        kind, cls = d["kind"][rows], d["cls"][rows, hi].long()
        cls = torch.where(d["flight"][rows, hi], IN_FLIGHT, cls)
        mean = (fair * error / d["scale"][kind, hi]).sum() / (fair * known).sum()
        harmed = harm.loss(error, hold, kind, cls, hi)
        now, before = at[-2 * pairs :].chunk(2)
        still = (in_fixation(pair) & in_fixation(pair - 1)).float()
        step = calm.loss(now - before, still, d["kind"][pair], pair_hi == MAIN)
        descent.follow(mean + HARM * harmed + CALM * step, mean)
        descent.tell(calm, harm)
        if watch and descent.step % 5000 == 0:
            watch(descent.mean)
    descent.finish()
    if watch:
        watch(net.body)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--everyone", action="store_true")
    p.add_argument("--start")
    p.add_argument("--minutes", type=float, default=math.inf, help="how long all may take, the making of the data included")
    p.add_argument("--steps", type=int, default=24000)
    p.add_argument("--radius-steps", type=int, default=4000)
    p.add_argument("--batch", type=int, default=1024)
    p.add_argument("--copies", type=int, default=10, help="how often each clip of GazeCom is seen by another webcam")
    p.add_argument("--pool", type=int, default=1_200_000, help="errors that the radius is learned from")
    p.add_argument("--workers", type=int, default=1, help="processes that make the data")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    end = time.time() + 60 * a.minutes
    (gazecom, gaze60), (more_gazecom, more_gaze60), _ = dataset.split()
    watch = None
    if a.everyone:
        gazecom, gaze60 = gazecom + more_gazecom, gaze60 + more_gaze60
    arrays = dataset.build(gazecom, gaze60, a.seed, a.copies, a.workers)
    print(f"{len(arrays['x'])} rows, {DEVICE}", flush=True)
    torch.set_num_threads(1)
    if not a.everyone:
        watch = Watch(tensors(N.prepare(dataset.protocol(more_gazecom, more_gaze60, 99))))
    train(tensors(arrays), a, end, watch)


def train(d, a, end, watch):
    torch.manual_seed(a.seed)
    gen = torch.Generator(DEVICE).manual_seed(a.seed)
    net = (N.load(a.start) if a.start else N.Net()).to(DEVICE)
    left = end - time.time()
    train_position(net, d, a, gen, POSITION_TIME * left, watch)
    N.save(net, a.out)
    pool = radius.Pool(net, d, Sampler(d, gen), edges(PICK_AHEAD), answers, a.pool)
    radius.train(net, pool, functools.partial(Descent, seconds=RADIUS_TIME * left), a, gen)
    N.save(net, a.out)


if __name__ == "__main__":
    main()
