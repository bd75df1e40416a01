"""Scenes for the finder: training faces of any size and roll over backgrounds, and scenes without one."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from . import clutter, degrade
from .augment import Augment
from .clutter import H, W
from .data import cache_root, data_root
from .labels import Targets
from .points import face_frame

STRIDE = 8
ROWS, COLUMNS = H // STRIDE, W // STRIDE
#: ln size is relative to this many px.
SIZE_UNIT_PX = 32.0
#: Half axes of the cut-out head and its middle, in face sizes.
HEAD_AXES, HEAD_MIDDLE = (0.37, 0.52), (0.0, -0.03)


def other_faces(targets: Targets) -> list[np.ndarray]:
    """Boxes (k, 4) x y w h in px of faces beside the labelled one, found by the teacher's detector."""
    path = cache_root() / "other_faces.npz"
    if not path.exists():
        import mediapipe as mp

        rows = []
        with mp.solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=0.25) as detector:
            for i, face in enumerate(targets.faces):
                picture = cv2.imread(str(data_root() / "faces68" / face.file))
                h, w = picture.shape[:2]
                centre, size, _ = face_frame(targets.points[i])
                for found in detector.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).detections or []:
                    b = found.location_data.relative_bounding_box
                    box = np.array([b.xmin * w, b.ymin * h, b.width * w, b.height * h])
                    if np.linalg.norm(box[:2] + box[2:] / 2 - centre) > 0.35 * size:
                        rows.append([i, *box])
        np.savez(path, rows=np.array(rows).reshape(-1, 5))
    rows = np.load(path)["rows"]
    return [rows[rows[:, 0] == i, 1:] for i in range(len(targets.faces))]


class Cutout:
    """One training face: its picture at several scales, frame, other faces and faceless parts."""

    def __init__(self, gray: np.ndarray, points: np.ndarray, others: np.ndarray) -> None:
        self.pyramid = [gray]
        while max(self.pyramid[-1].shape) > 60:
            g = self.pyramid[-1]
            self.pyramid.append(cv2.resize(g, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        self.points, self.others = points, others
        self.centre, self.size, self.roll = face_frame(points)

    def faceless(self) -> list[np.ndarray]:
        """Strips left, right and above the head that hold neither a face nor empty margin."""
        g = self.pyramid[0]
        h, w = g.shape
        c, s = self.centre, self.size
        strips = [(0, 0, c[0] - 0.5 * s, h), (c[0] + 0.5 * s, 0, w, h), (0, 0, w, c[1] - 0.7 * s), (0, c[1] + 0.62 * s, w, h)]
        out = []
        for x0, y0, x1, y1 in (tuple(int(max(v, 0)) for v in strip) for strip in strips):
            crosses = any(b[0] < x1 and b[0] + b[2] > x0 and b[1] < y1 and b[1] + b[3] > y0 for b in self.others)
            part = g[y0:y1, x0:x1]
            if not crosses and min(part.shape) >= 40 and part.std() > 6:
                out.append(part)
        return out

    def paste(self, scene: np.ndarray, centre: np.ndarray, size: float, roll: float, mirrored: bool, whole: bool,
              gain: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws the face; gives its 22 points, its opacity over the scene and the map from its picture."""
        k = size / self.size
        level = int(np.clip(np.floor(np.log2(max(1 / k, 1.0)) + 0.3), 0, len(self.pyramid) - 1))
        f = 2.0**level
        turn = roll - (-self.roll if mirrored else self.roll)
        c, s = np.cos(turn) * k, np.sin(turn) * k
        a = np.array([[c, -s], [s, c]])
        if mirrored:
            a = a @ np.diag([-1.0, 1.0])
        m = np.hstack([a, (centre - a @ self.centre)[:, None]])
        at_level = m.copy()
        at_level[:, 2] += m[:, :2] @ np.full(2, (f - 1) / 2)
        at_level[:, :2] *= f
        g = self.pyramid[level]
        face = cv2.warpAffine(g, at_level, (W, H), flags=cv2.INTER_LINEAR).astype(np.float32)
        if whole:
            alpha = cv2.warpAffine(np.ones(g.shape, np.float32), at_level, (W, H), flags=cv2.INTER_LINEAR)
        else:
            yy, xx = np.mgrid[0:H, 0:W].astype(np.float32)
            dx, dy = xx - centre[0], yy - centre[1]
            u = (np.cos(roll) * dx + np.sin(roll) * dy) / size - HEAD_MIDDLE[0]
            v = (np.cos(roll) * dy - np.sin(roll) * dx) / size - HEAD_MIDDLE[1]
            inside = 1 - np.sqrt((u / HEAD_AXES[0]) ** 2 + (v / HEAD_AXES[1]) ** 2)
            alpha = (inside * max(size, 20) * 0.25 + 0.5).clip(0, 1).astype(np.float32)
        scene[:] = scene * (1 - alpha) + (face * gain).clip(0, 255) * alpha
        return self.points @ m[:, :2].T + m[:, 2], alpha, m


class SceneMaker:
    """Draws batches of scenes with their targets from one part of the split."""

    def __init__(self, targets: Targets, part: str, seed: int, extra: list[Cutout] | None = None, share: float = 0.0) -> None:
        others = other_faces(targets)
        self.cutouts = [Cutout(targets.faces[i].gray(), targets.points[i], others[i]) for i in targets.split[part]]
        self.extra, self.share = extra or [], share if extra else 0.0
        self.sources = [p for c in self.cutouts + self.extra for p in c.faceless()]
        self.augment = Augment("finder")
        self.seed = seed
        self.at(0)

    def at(self, step: int) -> None:
        """Starts the random numbers of one step: seed and step alone decide the batch."""
        self.rng = np.random.default_rng((self.seed, step))
        self.torch = torch.Generator().manual_seed(int(self.rng.integers(0, 2**62)))

    def scene(self) -> tuple[np.ndarray, list[tuple[np.ndarray, float, float]], list[np.ndarray]]:
        """A picture, the faces (centre, size, roll) and circles (x, y, r) to leave out of the loss."""
        rng = self.rng
        p = clutter.background(rng, self.sources)
        faces: list[tuple[np.ndarray, float, float]] = []
        leave: list[np.ndarray] = []
        count = int(rng.choice(4, p=[0.28, 0.57, 0.1, 0.05]))
        whole = rng.random() < 0.55
        for _ in range(count):
            big = rng.random() < 0.2
            size = float(np.exp(rng.uniform(np.log(95), np.log(200)) if big else rng.uniform(np.log(14.5), np.log(115))))
            roll = float(np.clip(rng.normal(0, 0.3), -0.8, 0.8))
            margin = 0.1 * size if rng.random() < 0.3 else min(0.36 * size, 55)
            centre = np.array([rng.uniform(min(margin, W / 2), max(W - margin, W / 2)),
                               rng.uniform(min(margin, H / 2), max(H - margin, H / 2))])
            if any(np.linalg.norm(centre - f[0]) < 0.55 * (size + f[1]) for f in faces):
                continue
            pool = self.extra if rng.random() < self.share else self.cutouts
            cutout = pool[rng.integers(0, len(pool))]
            whole_now = whole and not faces
            if not whole_now and rng.random() < 0.7:
                clutter.shoulders(rng, p, centre, size, roll)
            points, _, m = cutout.paste(p, centre, size, roll, rng.random() < 0.5, whole_now, rng.uniform(0.5, 1.4))
            inside = ((points > 0) & (points < [W - 1, H - 1])).all(1).mean()
            if inside > 0.7:
                faces.append((centre, size, roll))
            else:
                leave.append(np.array([*centre, 0.6 * size]))
            if whole_now:
                for b in cutout.others:
                    middle = m[:, :2] @ (b[:2] + b[2:] / 2) + m[:, 2]
                    leave.append(np.array([*middle, 0.7 * b[2:].max() * size / cutout.size]))
            if rng.random() < 0.15:
                clutter.hand(rng, p) if size < 60 else None
        if not faces and not leave and rng.random() < 0.25:
            self._shuffled(p)
        return p, faces, leave

    def _shuffled(self, p: np.ndarray) -> None:
        """Face parts in the wrong order: texture of a face, but none."""
        rng = self.rng
        g = self.cutouts[rng.integers(0, len(self.cutouts))]
        c, s = g.centre, g.size * 0.42
        h, w = g.pyramid[0].shape
        x0, y0, x1, y1 = int(max(c[0] - s, 0)), int(max(c[1] - s, 0)), int(min(c[0] + s, w)), int(min(c[1] + s, h))
        face = g.pyramid[0][y0:y1, x0:x1]
        k = rng.uniform(20, 110) / max(face.shape)
        face = cv2.resize(face, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        n = int(rng.integers(3, 5))
        bh, bw = face.shape[0] // n, face.shape[1] // n
        if bh < 3 or bw < 3:
            return
        blocks = [face[r * bh : (r + 1) * bh, q * bw : (q + 1) * bw] for r in range(n) for q in range(n)]
        order = rng.permutation(len(blocks))
        turned = [np.ascontiguousarray(blocks[o][:: rng.choice([-1, 1])]) for o in order]
        mixed = np.vstack([np.hstack(turned[r * n : (r + 1) * n]) for r in range(n)])
        mixed = mixed[:H, :W]
        y, x = int(rng.integers(0, H - mixed.shape[0] + 1)), int(rng.integers(0, W - mixed.shape[1] + 1))
        p[y : y + mixed.shape[0], x : x + mixed.shape[1]] = mixed

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pictures (n, 1, H, W), box targets (n, 5, r, c), scores (n, r, c) and cells to ignore."""
        made = [self.scene() for _ in range(n)]
        stack = np.stack([m[0] for m in made]).clip(0, 255).astype(np.uint8)
        x = torch.from_numpy(self.augment(stack, None, self.rng)[0])[:, None].float()
        x = degrade.blur(degrade.light(x, self.torch), self.torch, 0.9)
        x = degrade.quantise(degrade.noise(x, self.torch))
        for i in np.flatnonzero(self.rng.random(n) < 0.25):
            bar = int(self.rng.integers(5, 40))
            x[i, :, :, :bar] = 0
            x[i, :, :, W - bar :] = 0
            made[i] = (made[i][0], *_behind_bars(made[i][1], made[i][2], bar))
        cells = [_cells(m[1], m[2]) for m in made]
        target, positive, ignore = (torch.from_numpy(np.stack(c)) for c in zip(*cells))
        return x, target, positive, ignore


def _behind_bars(faces: list, leave: list, bar: int) -> tuple[list, list]:
    """Faces that black bars at both sides cut into are left out of the loss."""
    clear = [f for f in faces if bar + 0.25 * f[1] < f[0][0] < W - bar - 0.25 * f[1]]
    cut = [np.array([*f[0], 0.6 * f[1]]) for f in faces if not bar + 0.25 * f[1] < f[0][0] < W - bar - 0.25 * f[1]]
    return clear, leave + cut


def _cells(faces: list[tuple[np.ndarray, float, float]], leave: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    target = np.zeros((5, ROWS, COLUMNS), np.float32)
    positive = np.zeros((ROWS, COLUMNS), np.float32)
    ignore = np.zeros((ROWS, COLUMNS), np.float32)
    y, x = np.mgrid[0:ROWS, 0:COLUMNS] * STRIDE + (STRIDE - 1) / 2
    for cx, cy, r in leave:
        ignore[(x - cx) ** 2 + (y - cy) ** 2 < r**2] = 1
    for centre, size, roll in faces:
        distance = np.hypot(x - centre[0], y - centre[1])
        own = distance <= max(0.11 * size, distance.min() + 0.5)
        near = distance < max(0.22 * size, 9.0)
        ignore[near] = 1
        ignore[own] = 0
        positive[own] = 1
        target[0][own] = (centre[0] - x[own]) / STRIDE
        target[1][own] = (centre[1] - y[own]) / STRIDE
        target[2][own] = np.log(size / SIZE_UNIT_PX)
        target[3][own], target[4][own] = np.cos(roll), np.sin(roll)
    return target, positive, ignore


def score(out: Tensor, target: Tensor, positive: Tensor, ignore: Tensor) -> tuple[float, float, float, float]:
    """Share of faces found, of faceless scenes with an alarm, centre error in sizes, ln size error."""
    hot = torch.sigmoid(out[:, 0]) > 0.5
    has = positive.flatten(1).sum(1) > 0
    free = ~has & (ignore.flatten(1).sum(1) == 0)
    best = (out[:, 0] - 1e3 * ignore).flatten(1).argmax(1)
    n = torch.arange(len(out))
    own = positive.flatten(1)[n, best] > 0.5
    found = has & own & hot.flatten(1)[n, best]
    box, true = out[:, 1:].flatten(2)[n, :, best], target.flatten(2)[n, :, best]
    size = SIZE_UNIT_PX * torch.exp(true[:, 2])
    offset = ((box[:, :2] - true[:, :2]).norm(dim=1) * STRIDE / size)[found]
    ln_size = (box[:, 2] - true[:, 2]).abs()[found]
    alarms = hot.flatten(1).any(1)[free].float().mean().item() if free.any() else 0.0
    return (found.sum() / has.sum()).item(), alarms, offset.mean().item(), ln_size.mean().item()
