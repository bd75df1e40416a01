"""Trains the error radius of a net whose positions are fixed.

The radius is the smallest on average that holds a set share of all truths and of those in saccades. A quantile a row would
give every row the same chance; the mean is smaller where it is large only where that buys most, which is where a saccade is
likely. So a teacher first learns how likely a saccade is and how the errors are distributed with and without one. What a
radius is worth to a row then follows: the chances of holding the truth, each at its price, minus the radius. The prices are
those at which the best radii hold what is wanted. The net learns the best radii, and then climbs the worth itself.
"""

import functools
import math

import torch
from torch import nn

from . import net as N
from .constraints import KINDS, MAIN
from .dataset import HORIZONS_S

# Wanted shares of all truths and of saccades.
OVERALL, OF_SACCADES = 0.9695, 0.866
# Price of any truth, in units of the kind's scale. Below it the radius cuts into the noise of fixations, which saves
# little; above it there is nothing more to hold.
CHEAPEST, DEAREST = 0.3, 3.0
GRID_DEG = torch.cat([torch.linspace(0.2, 3.0, 29), torch.linspace(3.2, 20.0, 57)])
SACCADE = 1


@functools.cache
def grid():
    return GRID_DEG.to(N.DEVICE)


class Chances(nn.Module):
    """Chance of a saccade, and two Weibull distributions of the error: of other movements and of saccades."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(N.FEATURES, 96), nn.SiLU(), nn.Linear(96, 64), nn.SiLU(), nn.Linear(64, 5)
        )

    def parts(self, f):
        out = self.layers(f)
        scale, shape = out[:, 1:3], nn.functional.softplus(out[:, 3:5] + 1.0) + 0.3
        return out[:, 0], scale, shape

    def loss(self, f, size, saccade):
        chance, scale, shape = self.parts(f)
        which = saccade.long()[:, None]
        scale, shape = scale.gather(1, which)[:, 0], shape.gather(1, which)[:, 0]
        log = torch.log(size.clamp(min=0.02)) - scale
        density = torch.log(shape) + shape * log - torch.exp((shape * log).clamp(max=8.0))
        return nn.functional.binary_cross_entropy_with_logits(chance, saccade.float()) - density.mean()

    def held(self, f, radius=None):
        """Chance of a saccade, and shares of other movements and of saccades that each radius (rows, or one row) holds."""
        chance, scale, shape = self.parts(f)
        radius = grid()[None] if radius is None else radius
        log = torch.log(radius)[:, :, None] - scale[:, None]
        shares = 1.0 - torch.exp(-torch.exp((shape[:, None] * log).clamp(max=8.0)))
        return torch.sigmoid(chance), shares[:, :, 0], shares[:, :, 1]


def worth(chance, others, saccades, radius, scale, price, of_saccade):
    """Of a radius that holds those shares of other movements and of saccades; a saccade has a price of its own on top."""
    held = chance * saccades
    return price * (held + (1 - chance) * others) + of_saccade * held - radius / scale


def best(chance, others, saccades, scale, price, of_saccade):
    """The radius of the grid that is worth most."""
    return grid()[worth(chance[:, None], others, saccades, grid(), scale, price, of_saccade).argmax(1)]


def prices(teacher, pool, group, scale):
    """Prices of any truth and of saccades, at which the shares held of the rows of a group are those wanted."""
    rows = group[torch.randperm(len(group), device=group.device)[:20000]]
    with torch.no_grad():
        known = teacher.held(pool["seen"][rows])
    size, saccade = pool["size"][rows], pool["cls"][rows] == SACCADE
    low, high = math.log(CHEAPEST), math.log(DEAREST)
    for _ in range(6):
        price = math.exp(0.5 * (low + high))
        few, many = 0.0, 300.0
        for _ in range(10):
            of_saccade = 0.5 * (few + many)
            inside = size <= best(*known, scale, price, of_saccade)
            enough = inside[saccade].float().mean() >= OF_SACCADES
            few, many = (few, of_saccade) if enough else (of_saccade, many)
        enough = inside.float().mean() >= OVERALL
        low, high = (low, math.log(price)) if enough else (math.log(price), high)
    return price, of_saccade


class Pool:
    """Rows with a horizon, what is seen of them, and how far the answer is from the truth."""

    def __init__(self, net, d, draw, pick, answers, size):
        parts = {k: [] for k in ("seen", "size", "kind", "cls", "hi")}
        count = 0
        while count < size:
            rows = draw.base(20000)
            hi = draw.choose(pick, len(rows))
            known = torch.isfinite(d["truth"][rows, hi]).all(1)
            rows, hi = rows[known], hi[known]
            with torch.no_grad():
                off = (answers(net.body, d, rows, hi) - d["truth"][rows, hi]).norm(dim=1)
            seen = N.seen(d, rows, d["horizons"][hi])
            for k, v in zip(parts, (seen, off, d["kind"][rows], d["cls"][rows, hi].long(), hi)):
                parts[k].append(v)
            count += len(rows)
        self.all = {k: torch.cat(v) for k, v in parts.items()}
        self.scale = d["scale"]

    def __getitem__(self, key):
        return self.all[key]

    def batch(self, n, gen):
        at = torch.randint(len(self["size"]), (n,), generator=gen, device=gen.device)
        return {k: v[at] for k, v in self.all.items()}


def train(net, pool, descent, a, gen):
    """`descent` makes the optimizer of a module from its learning rate and number of steps."""
    teacher = Chances().to(N.DEVICE)
    steps = descent(teacher, a.lr, a.radius_steps)
    while steps.left():
        b = pool.batch(a.batch * 2, gen)
        loss = teacher.loss(b["seen"], b["size"], b["cls"] == SACCADE)
        steps.follow(loss, loss)
        steps.tell("chances")
    steps.finish()

    teacher.requires_grad_(False)
    price = torch.full((2, KINDS, len(HORIZONS_S)), CHEAPEST, device=N.DEVICE)
    for kind in range(KINDS):
        for hi in range(1, len(HORIZONS_S)):
            group = ((pool["kind"] == kind) & (pool["hi"] == hi)).nonzero().flatten()
            if len(group) >= 300:
                price[:, kind, hi] = torch.tensor(prices(teacher, pool, group, pool.scale[kind, hi]), device=N.DEVICE)
    print("price of any truth, and of saccades, at 50 ms:", price[:, :, MAIN].tolist(), flush=True)

    for lr, climb in ((a.lr, False), (0.5 * a.lr, True)):
        steps = descent(net.spread, lr, a.radius_steps)
        while steps.left():
            b = pool.batch(a.batch * 2, gen)
            cost = [v[b["kind"], b["hi"]][:, None] for v in (pool.scale, *price)]
            radius = N.radius(net.spread(b["seen"]))
            if climb:
                chance, others, saccades = teacher.held(b["seen"], radius[:, None])
                loss = -worth(chance[:, None], others, saccades, radius[:, None], *cost).mean()
            else:
                off = torch.log(radius / best(*teacher.held(b["seen"]), *cost))
                loss = nn.functional.smooth_l1_loss(off, torch.zeros_like(off), beta=0.1)
            steps.follow(loss, loss)
            steps.tell("worth" if climb else "best radii")
        steps.finish()
