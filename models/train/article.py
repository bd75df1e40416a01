"""The yardstick: EyesNet as its article describes it ("Mobile eye-tracking on PyTorch", 2020).

Two branches of one architecture, one an eye: 1x16x32 -> convolution 32 k5 s2, then convolution 64 k3
s2 four times, LeakyReLU; head 128-64-16-2, sigmoid: the pupil position averaged over both eyes, in
parts of the crop. It is a measure to compare with and is not shipped in the daemon.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _branch() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(1, 32, 5, 2, 2), nn.LeakyReLU(0.01)]
    inputs = 32
    for _ in range(4):
        layers += [nn.Conv2d(inputs, 64, 3, 2, 1), nn.LeakyReLU(0.01)]
        inputs = 64
    return nn.Sequential(*layers)


class ArticleEyesNet(nn.Module):
    """Left and right patch [n,1,16,32] in 0..1 -> [n,2] in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.left = _branch()
        self.right = _branch()
        self.head = nn.Sequential(
            nn.Linear(128, 64), nn.LeakyReLU(0.01), nn.Linear(64, 16), nn.LeakyReLU(0.01), nn.Linear(16, 2)
        )

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        both = torch.cat([self.left(left).flatten(1), self.right(right).flatten(1)], 1)
        return torch.sigmoid(self.head(both))
