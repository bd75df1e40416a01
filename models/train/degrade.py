"""What spoils a picture: light, contrast, side light, blur, noise, occlusion, glare.

Nothing here moves a pixel, so labels stay as they are. All work on batches (n, 1, h, w), 0..255.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def _uniform(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    return torch.rand(n, 1, 1, 1, generator=g) * (high - low) + low


def _some(n: int, share: float, g: torch.Generator) -> Tensor:
    return (torch.rand(n, 1, 1, 1, generator=g) < share).float()


def light(x: Tensor, g: torch.Generator) -> Tensor:
    """Gamma, gain, offset and light from one side."""
    n, _, h, w = x.shape
    x = 255 * (x / 255).clamp(1e-3, 1) ** torch.exp(_uniform(n, -0.6, 0.6, g) * _some(n, 0.6, g))
    angle = _uniform(n, 0, 2 * np.pi, g)
    yy = torch.linspace(-1, 1, h).view(1, 1, h, 1)
    xx = torch.linspace(-1, 1, w).view(1, 1, 1, w)
    along = torch.cos(angle) * xx + torch.sin(angle) * yy + _uniform(n, -0.5, 0.5, g)
    steep = torch.exp(_uniform(n, 0.0, 1.8, g))
    shade = 1 - torch.sigmoid(along * steep) * _uniform(n, 0.0, 0.85, g) * _some(n, 0.5, g)
    gain = torch.exp(_uniform(n, -0.5, 0.3, g) - _some(n, 0.2, g) * _uniform(n, 0.3, 1.3, g))
    return x * shade * gain + _uniform(n, -15, 25, g) * _some(n, 0.5, g)


def blur(x: Tensor, g: torch.Generator, most: float) -> Tensor:
    """Gaussian blur of the same strength over two halves of the batch, motion blur on a few."""
    n, _, h, w = x.shape
    out = x.clone()
    order = torch.randperm(n, generator=g)
    for part, (sx, sy) in zip(order.chunk(8)[:4], _blur_kinds(g, most)):
        r = 4
        t = torch.arange(-r, r + 1).float()
        kx, ky = (torch.exp(-0.5 * (t / max(s, 0.05)) ** 2) for s in (sx, sy))
        k = (ky / ky.sum()).view(-1, 1) * (kx / kx.sum())
        out[part] = F.conv2d(F.pad(out[part], (r, r, r, r), mode="replicate"), k.view(1, 1, 2 * r + 1, 2 * r + 1))
    return out


def _blur_kinds(g: torch.Generator, most: float) -> list[tuple[float, float]]:
    s = (torch.rand(6, generator=g) * most).tolist()
    return [(s[0], s[0]), (s[1], s[1]), (s[2], 0.1), (0.1, s[3])]


def noise(x: Tensor, g: torch.Generator) -> Tensor:
    """White noise, on some of the pictures strong, some of it in blobs of two px."""
    n, _, h, w = x.shape
    sd = _uniform(n, 0.0, 4.0, g) + _some(n, 0.3, g) * _uniform(n, 0.0, 14.0, g)
    fine = torch.randn(x.shape, generator=g)
    coarse = F.interpolate(torch.randn(n, 1, (h + 1) // 2, (w + 1) // 2, generator=g), scale_factor=2.0)[..., :h, :w]
    pick = _some(n, 0.3, g)
    return x + sd * (fine * (1 - pick) + coarse * pick)


def cover(x: Tensor, g: torch.Generator, share: float, largest: float) -> tuple[Tensor, Tensor]:
    """Covers part of some pictures with a soft ellipse, gray or bright (a hand, hair, a reflection).

    Gives the pictures and the opacity of the cover (n, 1, h, w).
    """
    n, _, h, w = x.shape
    yy = torch.linspace(-1, 1, h).view(1, 1, h, 1)
    xx = torch.linspace(-1, 1, w).view(1, 1, 1, w)
    angle = _uniform(n, 0, np.pi, g)
    dx, dy = xx - _uniform(n, -1.0, 1.0, g), yy - _uniform(n, -1.0, 1.0, g)
    u = torch.cos(angle) * dx + torch.sin(angle) * dy
    v = torch.cos(angle) * dy - torch.sin(angle) * dx
    a, b = _uniform(n, 0.05, largest, g), _uniform(n, 0.03, largest * 0.6, g)
    inside = torch.sigmoid((1 - (u / a) ** 2 - (v / b) ** 2) * 6) * _uniform(n, 0.4, 1.0, g) * _some(n, share, g)
    tone = _uniform(n, 0, 255, g)
    tone = torch.where(_some(n, 0.3, g) > 0, torch.full_like(tone, 250.0), tone)
    return x * (1 - inside) + tone * inside, inside


def quantise(x: Tensor) -> Tensor:
    """Back to whole gray levels in 0..255, as a camera gives them."""
    return x.clamp(0, 255).round()
