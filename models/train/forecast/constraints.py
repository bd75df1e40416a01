"""What the net must keep to while its error falls, by Lagrange multipliers.

Each constraint follows its own measure over the batches, raises its price while that is too high and lowers it while
there is room, so that none costs more error than it has to.
"""

import torch

from .dataset import HORIZONS_S
from .net import DEVICE

# What is judged apart: four rates of GazeCom as the benchmark has them, gaze60 A and B, and everything varied.
GAZECOM_15, GAZECOM_30, GAZECOM_60, GAZECOM_120, GAZE60_A, GAZE60_B, VARIED = range(7)
KINDS = 7
# Classes: fixation, saccade (here: one that has not begun), pursuit, and saccade in flight.
CLASSES = 4
PURSUIT, IN_FLIGHT = 2, 3
HORIZONS = len(HORIZONS_S)
MAIN = 4  # 50 ms


class Harm:
    """No class of any kind may be worse than holding at any horizon; some must be better."""

    PACE = 0.01
    DEAREST = 2.0

    def __init__(self):
        most = torch.full((KINDS, CLASSES, HORIZONS), 0.99, device=DEVICE)
        # Pursuit is rarest where samples are few; other people's may be harder than these.
        most[:, PURSUIT] = 0.96
        most[GAZE60_A, IN_FLIGHT, MAIN] = 0.80
        self.most = most.flatten()
        self.error, self.hold, self.price = (torch.zeros_like(self.most) for _ in range(3))
        self.seen = 0.0

    def loss(self, error, hold, kind, cls, hi):
        """Both errors are 0 where the truth is not known."""
        group = (kind * CLASSES + cls) * HORIZONS + hi
        e = torch.zeros_like(self.most).index_add(0, group, error)
        with torch.no_grad():
            h = torch.zeros_like(self.most).index_add(0, group, hold)
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
    NOW = [0.80, 0.265, 0.19, 0.19, 0.34, 0.45, 0.80]
    AHEAD = [0.80, 0.30, 0.222, 0.23, 0.51, 0.70, 1.00]

    def __init__(self):
        self.most = torch.tensor([self.NOW, self.AHEAD], device=DEVICE).T.flatten() ** 2
        self.square = self.most.clone()
        self.price = torch.ones_like(self.most)

    def loss(self, step, still, kind, ahead):
        """Steps count where `still` is 1 and not where it is 0."""
        group = 2 * kind + ahead.long()
        n = torch.zeros_like(self.most).index_add(0, group, still)
        mean = torch.zeros_like(self.most).index_add(0, group, still * (step * step).sum(1)) / n.clamp(min=1.0)
        with torch.no_grad():
            seen = (n > 0).float()
            self.square += self.PACE * seen * (mean - self.square)
            change = self.PACE * (self.square / self.most - 1.0).clamp(-0.5, 1.0)
            self.price = (self.price + seen * change).clamp(0.0, self.DEAREST)
        return (self.price / self.most * mean).sum()

    def __str__(self):
        return " ".join(f"{s:.2f}*{p:.1f}" for s, p in zip((self.square / self.most).sqrt().tolist(), self.price.tolist()))
