"""Training crops: upright uint8 stores of faces and eyes, and the batches drawn from them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import clutter, degrade, head, warp
from .augment import Augment
from .labels import EYE_INDEX, Portrait, lid_gap
from .nets import EYES_HW, LANDMARKS_HW
from .pipeline import Pipeline
from .points import MIRROR, face_frame

#: Store sides and the crop px a store px stands for.
FACE_STORE_PX, FACE_STORE_SPAN = 176, 1.9
EYE_STORE_HW, EYE_STORE_SCALE = (104, 128), 1.6
#: A lid gap of this many eye widths counts as wide open.
OPEN_GAP = 0.36
#: An eye this many times narrower than the other is turned away too far to be read.
TURNED_AWAY = 0.45
#: Under this openness the teacher's pupil is not believed.
BELIEVED_OPENNESS = 0.3


FACE_AUGMENT, EYE_AUGMENT = Augment("landmarks"), Augment("eyes")


def sample_grid(matrix: Tensor, hw: tuple[int, int], store_hw: tuple[int, int]) -> Tensor:
    """Sampling grid of crops; `matrix` (n, 2, 3) maps crop px to store px."""
    h, w = hw
    yy, xx = torch.meshgrid(torch.arange(h).float(), torch.arange(w).float(), indexing="ij")
    pixels = torch.stack([xx, yy, torch.ones_like(xx)], -1).view(1, -1, 3)
    at = pixels @ matrix.transpose(1, 2)
    size = torch.tensor([store_hw[1], store_hw[0]]).float()
    return ((at + 0.5) / size * 2 - 1).view(-1, h, w, 2)


def crop(stores: Tensor, matrix: Tensor, hw: tuple[int, int]) -> Tensor:
    """Crops (n, 1, h, w) out of stores (n, 1, H, W), bilinear, border replicated."""
    grid = sample_grid(matrix, hw, (stores.shape[2], stores.shape[3]))
    return F.grid_sample(stores, grid, mode="bilinear", padding_mode="border", align_corners=False)


def to_crop(matrix: Tensor, points: Tensor) -> Tensor:
    """Store px -> crop px for points (n, k, 2)."""
    inverse = torch.linalg.inv(matrix[:, :, :2])
    return (points - matrix[:, None, :, 2]) @ inverse.transpose(1, 2)


def similarity(centre: Tensor, scale: Tensor, angle: Tensor, hw: tuple[int, int]) -> Tensor:
    """Maps of crops whose middle lies at `centre` (n, 2), `scale` store px a crop px, turned."""
    c, s = torch.cos(angle) * scale, torch.sin(angle) * scale
    my, mx = (hw[0] - 1) / 2, (hw[1] - 1) / 2
    return torch.stack([
        torch.stack([c, -s, centre[:, 0] - c * mx + s * my], 1),
        torch.stack([s, c, centre[:, 1] - s * mx - c * my], 1),
    ], 1)


@dataclass
class FaceStore:
    """Upright faces: pictures (n, S, S) uint8, points (n, 22, 2) in store px, the heads' turns (n, 3, 3) in the store.

    How a photographed head is turned is not known: its turn is that of a mean face laid over its points.
    """

    pictures: np.ndarray
    points: np.ndarray
    turns: np.ndarray

    @staticmethod
    def build(portraits: Iterable[Portrait]) -> "FaceStore":
        """Cuts the faces out."""
        pictures, points, turns = [], [], []
        for p in portraits:
            centre, size, roll = face_frame(p.points)
            m = warp.frame_matrix(centre, size * FACE_STORE_SPAN, roll, FACE_STORE_PX)
            pictures.append(warp.warp(p.gray, m, (FACE_STORE_PX, FACE_STORE_PX)).round().astype(np.uint8))
            points.append(warp.apply(warp.invert(m), p.points))
            turns.append(head.laid_over(points[-1]))
        return FaceStore(np.stack(pictures), np.stack(points).astype(np.float32), np.stack(turns))


@dataclass
class EyeStore:
    """Eyes as left eyes: pictures uint8, 5 points in store px, openness, weights.

    Points: pupil, inner corner, outer corner, upper lid, lower lid. `pupil_weight` is 0 where the
    pupil is not known.
    """

    pictures: np.ndarray
    points: np.ndarray
    openness: np.ndarray
    pupil_weight: np.ndarray

    @staticmethod
    def build(portraits: Iterable[Portrait]) -> "EyeStore":
        """Cuts both eyes of each face."""
        rows: list[tuple] = []
        for p in portraits:
            width = [float(np.linalg.norm(p.points[i[0]] - p.points[i[1]])) for i in EYE_INDEX]
            for eye in (0, 1):
                if width[eye] < TURNED_AWAY * max(width):
                    continue
                outer, inner, upper, lower = p.points[EYE_INDEX[eye]]
                openness = float(np.clip(lid_gap(p.points[None], eye)[0] / OPEN_GAP, 0, 1))
                five = np.stack([p.pupils[eye], inner, outer, upper, lower])
                picture, points = cut_eye(p.gray, five, eye == 1)
                rows.append((picture, points, openness, p.seen * float(openness > BELIEVED_OPENNESS)))
        return EyeStore.of_rows(rows)

    @staticmethod
    def of_rows(rows: list[tuple]) -> "EyeStore":
        """From (picture, points, openness, pupil weight) of each eye."""
        columns = list(zip(*rows))
        return EyeStore(np.stack(columns[0]), *(np.array(c, np.float32) for c in columns[1:]))


def cut_eye(picture: np.ndarray, five: np.ndarray, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """The store picture of one eye (5 points in picture px) and the points in it."""
    patch = warp.eye_matrix(five[1], five[2], mirrored)
    h, w = EYE_STORE_HW
    k = 1 / EYE_STORE_SCALE
    grow = np.array([[k, 0, 23.5 - k * (w - 1) / 2], [0, k, 15.5 - k * (h - 1) / 2]])
    m = np.hstack([patch[:, :2] @ grow[:, :2], (patch[:, :2] @ grow[:, 2] + patch[:, 2])[:, None]])
    out = warp.warp(picture, m, EYE_STORE_HW).round().astype(np.uint8)
    return out, warp.apply(warp.invert(m), five).astype(np.float32)


class Draw:
    """Random numbers of one step of a training: the same seed and step always draw the same batch."""

    def __init__(self, seed: int, step: int = 0) -> None:
        self.numpy = np.random.default_rng((seed, step))
        self.torch = torch.Generator().manual_seed(int(self.numpy.integers(0, 2**62)))

    def normal(self, n: int, sd: float | Tensor) -> Tensor:
        """n normal numbers."""
        return torch.randn(n, generator=self.torch) * sd

    def uniform(self, n: int, low: float, high: float) -> Tensor:
        """n uniform numbers."""
        return torch.rand(n, generator=self.torch) * (high - low) + low

    def true(self, n: int, share: float) -> Tensor:
        """n booleans, true with probability `share`."""
        return torch.rand(n, generator=self.torch) < share


def faceless_crops(count: int, sources: list[np.ndarray], seed: int, pipeline: Pipeline | None = None) -> np.ndarray:
    """Crops without a face, (count, 1, 64, 64): squares out of backgrounds.

    With a pipeline, half of them are where its finder takes a background for a face.
    """
    rng = np.random.default_rng(seed)
    out: list[np.ndarray] = []
    while len(out) < count:
        p = clutter.background(rng, sources).clip(0, 255)
        if pipeline is not None and len(out) % 2:
            p = (p + rng.normal(0, 3, p.shape)).clip(0, 255)
            taken = pipeline.find(p.astype(np.uint8), 0.15)[:2]
            out += [warp.warp(p, warp.frame_matrix(*f[1:], LANDMARKS_HW[0]), LANDMARKS_HW) for f in taken]
            if taken:
                continue
        side = int(np.exp(rng.uniform(np.log(12), np.log(120))))
        y, x = int(rng.integers(0, clutter.H - side + 1)), int(rng.integers(0, clutter.W - side + 1))
        out.append(cv2.resize(p[y : y + side, x : x + side], LANDMARKS_HW[::-1], interpolation=cv2.INTER_AREA))
    return np.stack(out[:count])[:, None].clip(0, 255).astype(np.float32)


def landmarks_batch(store: FaceStore, n: int, draw: Draw, faceless: np.ndarray,
                    weights: np.ndarray | None = None, spoil: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Crops, points in crop px and whether the crop holds a face to be tracked (1 or 0).

    The second half of the batch shows the faces of the first once more, cut and spoilt in another way.
    """
    pick = np.tile(draw.numpy.choice(len(store.pictures), n // 2, p=weights), 2)
    made, moved = FACE_AUGMENT(store.pictures[pick], store.points[pick], draw.numpy)
    pictures, points = torch.from_numpy(made)[:, None].float(), torch.from_numpy(moved)
    flip = draw.true(n // 2, 0.5).repeat(2)
    pictures = torch.where(flip.view(-1, 1, 1, 1), pictures.flip(3), pictures)
    mirrored = points[:, MIRROR].clone()
    mirrored[..., 0] = FACE_STORE_PX - 1 - mirrored[..., 0]
    points = torch.where(flip.view(-1, 1, 1), mirrored, points)
    side = LANDMARKS_HW[0]
    unit = FACE_STORE_PX / FACE_STORE_SPAN
    tight = draw.true(n, 0.5)
    loose = ~tight
    shift = torch.where(tight, torch.tensor(0.025), torch.tensor(0.09))[:, None] * torch.randn(n, 2, generator=draw.torch)
    scale = torch.exp(draw.normal(n, torch.where(tight, 0.035, 0.14)).clamp(-0.35, 0.35))
    angle = draw.normal(n, torch.where(tight, 0.04, 0.2)).clamp(-0.6, 0.6)
    stray = draw.true(n, 0.08) & loose
    direction = draw.uniform(n, 0, 2 * math.pi)
    away = torch.stack([torch.cos(direction), torch.sin(direction)], 1) * draw.uniform(n, 0.6, 0.9)[:, None]
    shift = torch.where(stray[:, None], away, shift.clamp(-0.25, 0.25))
    centre = (FACE_STORE_PX - 1) / 2 + shift * unit
    matrix = similarity(centre, scale * unit / side, angle, LANDMARKS_HW)
    x = crop(pictures, matrix, LANDMARKS_HW)
    mixed = draw.true(n, 0.03)
    x = torch.where(mixed.view(-1, 1, 1, 1), shuffle_blocks(x, draw), x)
    blank = draw.true(n, 0.12)
    x[blank] = torch.from_numpy(faceless[draw.numpy.integers(0, len(faceless), int(blank.sum()))])
    if spoil:
        x = _spoil(x, draw, blur=1.2, covered=0.3, largest=0.45)[0]
    return x, to_crop(matrix, points), (~(stray | blank | mixed)).float()


def pose_batch(store: FaceStore, n: int, draw: Draw, weights: np.ndarray | None = None,
               spoil: bool = True) -> tuple[Tensor, Tensor]:
    """Crops as a tracker cuts them, and yaw, pitch and roll (n, 3) in radians as seen in them.

    Nothing is sheared or stretched: that would turn a head by an angle that nobody knows.
    """
    pick = draw.numpy.choice(len(store.pictures), n, p=weights)
    pictures = torch.from_numpy(store.pictures[pick])[:, None].float()
    flip = draw.true(n, 0.5)
    pictures = torch.where(flip.view(-1, 1, 1, 1), pictures.flip(3), pictures)
    unit = FACE_STORE_PX / FACE_STORE_SPAN
    shift = (0.025 * torch.randn(n, 2, generator=draw.torch)).clamp(-0.1, 0.1)
    angle = draw.normal(n, 0.06).clamp(-0.2, 0.2)
    scale = torch.exp(draw.normal(n, 0.04).clamp(-0.15, 0.15))
    matrix = similarity((FACE_STORE_PX - 1) / 2 + shift * unit, scale * unit / LANDMARKS_HW[0], angle, LANDMARKS_HW)
    x = crop(pictures, matrix, LANDMARKS_HW)
    if spoil:
        x = _spoil(x, draw, blur=1.2, covered=0.2, largest=0.35)[0]
    seen = [head.angles(head.turned_in_picture(head.mirrored(t) if f else t, -float(a)))
            for t, f, a in zip(store.turns[pick], flip, angle)]
    return x, torch.from_numpy(np.stack(seen)).float()


def shuffle_blocks(x: Tensor, draw: Draw) -> Tensor:
    """Quarters of the crop in another order and turned: face texture without a face."""
    h, w = x.shape[2] // 2, x.shape[3] // 2
    parts = [x[:, :, :h, w:], x[:, :, h:, w:], x[:, :, h:, :w].flip(2), x[:, :, :h, :w].flip(2)]
    order = torch.randperm(4, generator=draw.torch).tolist()
    top = torch.cat([parts[order[0]], parts[order[1]]], 3)
    return torch.cat([top, torch.cat([parts[order[2]], parts[order[3]]], 3)], 2)


def eyes_batch(store: EyeStore, n: int, draw: Draw, weights: np.ndarray | None = None, spoil: bool = True) -> dict[str, Tensor]:
    """Patches `x`, `points` in patch px, `openness`, `pupil_weight`, `visible` (1 or 0).

    The second half of the batch shows the eyes of the first once more, cut and spoilt in another way.
    """
    pick = np.tile(draw.numpy.choice(len(store.pictures), n // 2, p=weights), 2)
    made, moved = EYE_AUGMENT(store.pictures[pick], store.points[pick], draw.numpy)
    pictures, points = torch.from_numpy(made)[:, None].float(), torch.from_numpy(moved)
    inner, outer = points[:, 1], points[:, 2]
    width = (outer - inner).norm(dim=1)
    tight = draw.true(n, 0.5)
    sd = torch.where(tight, 0.025, 0.075)[:, None] * width[:, None]
    a = inner + (torch.randn(n, 2, generator=draw.torch).clamp(-2, 2)) * sd
    b = outer + (torch.randn(n, 2, generator=draw.torch).clamp(-2, 2)) * sd
    stray = draw.true(n, 0.04) & ~tight
    direction = draw.uniform(n, 0, 2 * math.pi)
    away = torch.stack([torch.cos(direction), torch.sin(direction)], 1) * (0.6 * width)[:, None]
    a, b = (torch.where(stray[:, None], p + away, p) for p in (a, b))
    u = (b - a) / 30
    v = torch.stack([-u[:, 1], u[:, 0]], 1)
    origin = a - 8.5 * u - 15.5 * v
    matrix = torch.stack([u, v, origin], 2)
    x = crop(pictures, matrix, EYES_HW)
    clear = x
    covered = torch.zeros_like(x)
    if spoil:
        x, covered = _spoil(x, draw, blur=1.3, covered=0.3, largest=0.5)
    target = to_crop(matrix, points)
    blank = draw.true(n, 0.04)
    x = torch.where(blank.view(-1, 1, 1, 1), _spoil(shuffle_blocks(clear, draw), draw, 1.0, 0.2, 0.4)[0], x)
    hidden = _at(covered, target[:, 0]) > 0.6
    visible = (~(stray | blank | hidden)).float()
    return {
        "x": x,
        "points": target,
        "openness": torch.from_numpy(store.openness[pick]),
        "pupil_weight": torch.from_numpy(store.pupil_weight[pick]),
        "visible": visible,
        "stray": (stray | blank).float(),
    }


def _at(picture: Tensor, points: Tensor) -> Tensor:
    """Values of pictures (n, 1, h, w) at points (n, 2)."""
    h, w = picture.shape[2:]
    x = points[:, 0].round().long().clamp(0, w - 1)
    y = points[:, 1].round().long().clamp(0, h - 1)
    return picture[torch.arange(len(points)), 0, y, x]


def _spoil(x: Tensor, draw: Draw, blur: float, covered: float, largest: float) -> tuple[Tensor, Tensor]:
    x, opacity = degrade.cover(x, draw.torch, covered, largest)
    x = degrade.blur(degrade.light(x, draw.torch), draw.torch, blur)
    return degrade.quantise(degrade.noise(x, draw.torch)), opacity
