"""What the net must keep to while its error falls, by Lagrange multipliers.

Each constraint follows its own measure over the batches, raises its price while that is too high and lowers it while
there is room, so that none costs more error than it has to.
"""

import torch

from .dataset import HORIZONS_S

# What is judged apart: four rates of GazeCom as the benchmark has them, gaze60 A and B, and everything varied.
GAZECOM_15, GAZECOM_30, GAZECOM_60, GAZECOM_120, GAZE60_A, GAZE60_B, VARIED = range(7)
KINDS = 7
# Classes: fixation, saccade (here: one that has not begun), pursuit, and saccade in flight.
CLASSES = 4
IN_FLIGHT = 3
HORIZONS = len(HORIZONS_S)
MAIN = 4  # 50 ms


class Harm:
    """No class of any kind may be worse than holding at any horizon; some must be better."""

    PACE = 0.01
    DEAREST = 1.0

    def __init__(self):
        most = torch.full((KINDS, CLASSES, HORIZONS), 0.99)
        most[GAZE60_A, IN_FLIGHT, MAIN] = 0.80
        self.most = most.flatten()
        self.error, self.hold, self.price = (torch.zeros(len(self.most)) for _ in range(3))
        self.seen = 0.0

    def loss(self, error, hold, kind, cls, hi):
        group = (kind * CLASSES + cls) * HORIZONS + hi
        e = torch.zeros(len(self.most)).index_add(0, group, error)
        with torch.no_grad():
            h = torch.zeros(len(self.most)).index_add(0, group, hold)
            self.error += self.PACE * (e - self.error)
            self.hold += self.PACE * (h - self.hold)
            self.seen += self.PACE * (1.0 - self.seen)
            change = self.PACE * (self.ratio() - self.most) * (h > 0)
            self.price = (self.price + change).clamp(0.0, self.DEAREST)
        # This batch's error over the running mean of what holding costs: the ratio without its small-sample bias.
        return (self.price * e * self.seen / self.hold.clamp(min=1e-6)).sum()

    def ratio(self):
        return self.error / self.hold.clamp(min=1e-6)

    def __str__(self):
        worst = self.price.topk(5).indices.tolist()
        name = lambda i: f"{i // (CLASSES * HORIZONS)}{'fspx'[i // HORIZONS % CLASSES]}{i % HORIZONS}"
        return " ".join(f"{name(i)}:{self.ratio()[i]:.2f}*{self.price[i]:.1f}" for i in worst)


class Calm:
    """Answers to successive samples inside a fixation may differ by so much, root mean square, in degrees."""

    PACE = 0.01
    DEAREST = 6.0
    NOW = [0.80, 0.27, 0.19, 0.19, 0.35, 0.45, 0.80]
    AHEAD = [0.80, 0.31, 0.235, 0.24, 0.53, 0.70, 1.00]

    def __init__(self):
        self.most = torch.tensor([self.NOW, self.AHEAD]).T.flatten() ** 2
        self.square = self.most.clone()
        self.price = torch.ones(2 * KINDS)

    def loss(self, step, kind, ahead):
        group = 2 * kind + ahead.long()
        n = torch.zeros(2 * KINDS).index_add(0, group, torch.ones(len(group)))
        mean = torch.zeros(2 * KINDS).index_add(0, group, (step * step).sum(1)) / n.clamp(min=1.0)
        with torch.no_grad():
            seen = (n > 0).float()
            self.square += self.PACE * seen * (mean - self.square)
            change = self.PACE * (self.square / self.most - 1.0).clamp(-0.5, 1.0)
            self.price = (self.price + seen * change).clamp(0.0, self.DEAREST)
        return (self.price / self.most * mean).sum()

    def __str__(self):
        return " ".join(f"{s:.2f}*{p:.1f}" for s, p in zip((self.square / self.most).sqrt().tolist(), self.price.tolist()))


class Cover:
    """The smallest mean radius that holds what it should.

    A quantile a row would give every row the same chance; the mean radius is smaller when it is large only where that
    buys most. So the loss is the radius minus what each held truth is worth: one price for all rows of a kind and
    horizon, which may be negative, so that no more is held than wanted, and one more for each class that must not fall
    below its own share.
    """

    OVERALL = 0.969
    LEAST = [0.95, 0.86, 0.95]  # fixation, saccade, pursuit

    def __init__(self):
        self.least = torch.tensor(self.LEAST)[None, :, None]
        self.held, self.price = torch.full((KINDS, HORIZONS), self.OVERALL), torch.zeros(KINDS, HORIZONS)
        self.class_held = self.least.repeat(KINDS, 1, HORIZONS)
        self.class_price = torch.zeros(KINDS, 3, HORIZONS)
        self.class_price[:, 1] = 100.0

    def loss(self, size, radius, scale, kind, cls, hi):
        # A soft edge, so that truths near it pull.
        soft = torch.sigmoid((radius - size) / (0.15 * size.clamp(min=0.3)))
        with torch.no_grad():
            inside = (size <= radius).float()
            follow(self.held, kind * HORIZONS + hi, inside)
            follow(self.class_held, (kind * 3 + cls) * HORIZONS + hi, inside)
            self.price = (self.price + 0.3 * (self.OVERALL - self.held)).clamp(-2.0, 50.0)
            self.class_price = (self.class_price + 2.0 * (self.least - self.class_held)).clamp(0.0, 500.0)
        value = self.price[kind, hi] + self.class_price[kind, cls, hi]
        return (radius / scale - value * soft).mean()

    def __str__(self):
        main = zip(self.held[:, MAIN], self.price[:, MAIN], self.class_held[:, 1, MAIN], self.class_price[:, 1, MAIN])
        return " ".join(f"{a:.3f}*{b:.1f}/{c:.2f}*{d:.0f}" for a, b, c, d in main)


def follow(shares, group, inside):
    """Moves running shares towards those of a batch, by 0.1 % a row."""
    flat = shares.view(-1)
    n = torch.zeros_like(flat).index_add(0, group, torch.ones(len(group)))
    mean = torch.zeros_like(flat).index_add(0, group, inside) / n.clamp(min=1.0)
    flat += (1.0 - 0.999**n) * (mean - flat)
