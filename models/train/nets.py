"""The architectures: finder, landmarks, eyes. Gray pictures 0..255 in, normalised inside."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .points import COUNT

#: Input heights and widths.
FINDER_HW = (120, 160)
LANDMARKS_HW = (64, 64)
EYES_HW = (32, 48)
#: Points of the eye net: pupil, inner corner, outer corner, upper lid, lower lid.
EYE_POINTS = 5


class Normalise(nn.Module):
    """Mean 0 and SD 1 over the crop; the floor keeps a flat crop from becoming noise."""

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean((2, 3), keepdim=True)
        variance = (x * x).mean((2, 3), keepdim=True)
        return x / torch.sqrt(variance + 4.0)


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch norm (folded at export), ReLU."""
    pad = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, pad, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class SoftArgmax(nn.Module):
    """Expected position of each heat map, in input px."""

    def __init__(self, channels: int, points: int, hw: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.heat = nn.Conv2d(channels, points, 1)
        rows, columns = hw[0] // stride, hw[1] // stride
        y = (torch.arange(rows) + 0.5) * stride - 0.5
        x = (torch.arange(columns) + 0.5) * stride - 0.5
        grid = torch.stack([x.repeat(rows), y.repeat_interleave(columns)], 1)
        self.register_buffer("grid", grid)
        self.points, self.cells = points, rows * columns

    def forward(self, x: Tensor) -> Tensor:
        heat = self.heat(x).reshape(-1, self.points, self.cells).softmax(2)
        return (heat @ self.grid).reshape(-1, 2 * self.points)


class PointNet(nn.Module):
    """Convolutions, then a connected head and a soft-argmax head whose points are averaged."""

    def __init__(self, body: nn.Module, channels: int, hw: tuple[int, int], stride: int, points: int, extra: int,
                 squeeze: int, hidden: int, heat_stride: int | None = None) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.body = body
        self.squeeze = conv(channels, squeeze, 1)
        cells = (hw[0] // stride) * (hw[1] // stride)
        self.hidden = nn.Sequential(nn.Linear(squeeze * cells, hidden), nn.ReLU())
        self.head = nn.Linear(hidden, 2 * points + extra)
        self.argmax = SoftArgmax(channels, points, hw, stride)
        self.split = 2 * points
        scale = torch.tensor([hw[1], hw[0]], dtype=torch.float32).repeat(points)
        self.register_buffer("scale", scale / 4)
        self.register_buffer("offset", (scale - 1) / 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """The convolutions, which may run in half precision while training."""
        return self.body(self.normalise(x))

    def answer(self, features: Tensor) -> Tensor:
        """The heads, always in full precision."""
        out = self.head(self.hidden(self.squeeze(features).flatten(1)))
        connected = out[:, : self.split] * self.scale + self.offset
        points = (connected + self.argmax(features)) * 0.5
        return torch.cat([points, out[:, self.split :]], 1)


class Landmarks(PointNet):
    """[1,1,64,64] -> [1,49]: 22 points in crop px, face logit, ln sigma in crop sides, yaw, pitch and roll in radians.

    The head's turn has layers of its own on the same convolutions; both are trained together.
    """

    def __init__(self) -> None:
        body = nn.Sequential(
            conv(1, 16, 5, 2), conv(16, 32, 3, 2), conv(32, 32), conv(32, 64, 3, 2), conv(64, 64)
        )
        super().__init__(body, 64, LANDMARKS_HW, 8, COUNT, 2, squeeze=24, hidden=128)
        cells = (LANDMARKS_HW[0] // 16) * (LANDMARKS_HW[1] // 16)
        self.pose = nn.Sequential(nn.Conv2d(64, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * cells, 96), nn.ReLU(),
                                  nn.Linear(96, 3))

    def answer(self, features: Tensor) -> Tensor:
        """Points and what is known of them, then the head's turn."""
        return torch.cat([super().answer(features), self.pose(features)], 1)


class Eyes(PointNet):
    """[1,1,32,48] -> [1,13]: 5 points in patch px, openness logit, ln sigma in px, confidence logit."""

    def __init__(self) -> None:
        body = nn.Sequential(conv(1, 16, 5, 2), conv(16, 24), conv(24, 40, 3, 2), conv(40, 40))
        super().__init__(body, 40, EYES_HW, 4, EYE_POINTS, 3, squeeze=16, hidden=128)


class Finder(nn.Module):
    """[1,1,120,160] -> [1,6,15,20]: score, centre offset, ln size, cos and sin of roll, by cell."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.body = nn.Sequential(
            conv(1, 12, 5, 2), conv(12, 24, 3, 2), conv(24, 24), conv(24, 48, 3, 2), conv(48, 48),
            conv(48, 48, dilation=2), conv(48, 48, dilation=4), conv(48, 48, dilation=2),
        )
        self.head = nn.Conv2d(48, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """The convolutions, which may run in half precision while training."""
        return self.body(self.normalise(x))

    def answer(self, features: Tensor) -> Tensor:
        """Score and box by cell."""
        return self.head(features)


def build(name: str) -> nn.Module:
    """The net called `finder`, `landmarks` or `eyes`."""
    return {"finder": Finder, "landmarks": Landmarks, "eyes": Eyes}[name]()
