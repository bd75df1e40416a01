"""Backgrounds without a face, drawn or cut from the faceless parts of the training pictures."""

from __future__ import annotations

import cv2
import numpy as np

#: Height and width of a scene: the finder's input.
H, W = 120, 160


def smooth_noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """A picture of soft blobs, 0..255."""
    small = rng.uniform(0, 255, (max(2, cells * 3 // 4), max(2, cells))).astype(np.float32)
    return cv2.resize(small, (W, H), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def gradient(rng: np.random.Generator) -> np.ndarray:
    """Light falling off along one direction."""
    yy, xx = np.mgrid[0:H, 0:W].astype(np.float32)
    a = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(a) * (xx / W - 0.5) + np.sin(a) * (yy / H - 0.5)
    return (rng.uniform(20, 230) + ramp * rng.uniform(-180, 180)).clip(0, 255)


def room(rng: np.random.Generator) -> np.ndarray:
    """A wall, a corner, a window or lamp, furniture edges and a shelf of books."""
    p = gradient(rng).astype(np.float32)
    corner = int(rng.integers(0, W))
    p[:, corner:] *= rng.uniform(0.6, 1.1)
    for _ in range(rng.integers(1, 7)):
        x, y = int(rng.integers(-20, W)), int(rng.integers(-20, H))
        w, h = int(rng.integers(6, 90)), int(rng.integers(6, 80))
        tone = float(rng.uniform(0, 255))
        cv2.rectangle(p, (x, y), (x + w, y + h), tone, -1 if rng.random() < 0.6 else int(rng.integers(1, 4)))
    if rng.random() < 0.4:
        x, y = int(rng.integers(0, W)), int(rng.integers(10, H - 5))
        while x < W:
            w, h = int(rng.integers(2, 7)), int(rng.integers(8, 26))
            cv2.rectangle(p, (x, y - h), (x + w, y), float(rng.uniform(0, 255)), -1)
            x += w + 1
    return p


def shapes(rng: np.random.Generator) -> np.ndarray:
    """Ellipses, lines, circles in pairs (knobs, lamps, wheels) and letters."""
    p = smooth_noise(rng, int(rng.integers(2, 8))).astype(np.float32)
    for _ in range(rng.integers(2, 14)):
        c = (int(rng.integers(0, W)), int(rng.integers(0, H)))
        tone = float(rng.uniform(0, 255))
        kind = rng.integers(0, 5)
        if kind == 0:
            axes = (int(rng.integers(3, 45)), int(rng.integers(3, 45)))
            cv2.ellipse(p, c, axes, float(rng.uniform(0, 180)), 0, 360, tone, -1, cv2.LINE_AA)
        elif kind == 1:
            d = (int(rng.integers(0, W)), int(rng.integers(0, H)))
            cv2.line(p, c, d, tone, int(rng.integers(1, 6)), cv2.LINE_AA)
        elif kind == 2:
            r, gap = int(rng.integers(1, 8)), int(rng.integers(4, 30))
            for dx in (-gap, gap):
                cv2.circle(p, (c[0] + dx, c[1]), r, tone, -1, cv2.LINE_AA)
        elif kind == 3:
            text = "".join(chr(int(k)) for k in rng.integers(48, 122, rng.integers(1, 9)))
            cv2.putText(p, text, c, int(rng.integers(0, 5)), float(rng.uniform(0.3, 1.6)), tone, int(rng.integers(1, 3)))
        else:
            q = rng.normal(0, 25, (int(rng.integers(3, 7)), 2)) + c
            cv2.fillPoly(p, [q.astype(np.int32)], tone, cv2.LINE_AA)
    return p


def hand(rng: np.random.Generator, p: np.ndarray) -> None:
    """Draws something like a hand or arm: shaded fingers on a palm, bright against the background."""
    tone = float(rng.uniform(70, 230))
    c = np.array([rng.uniform(0, W), rng.uniform(0, H)])
    size = rng.uniform(8, 35)
    base = rng.uniform(0, 2 * np.pi)
    cv2.ellipse(p, tuple(c.astype(int).tolist()), (int(size), int(size * 1.1)), float(np.degrees(base)), 0, 360, tone, -1, cv2.LINE_AA)
    for k in range(int(rng.integers(2, 6))):
        a = base + (k - 2) * rng.uniform(0.2, 0.45)
        tip = c + size * rng.uniform(1.4, 2.3) * np.array([np.cos(a), np.sin(a)])
        cv2.line(p, tuple(c.astype(int).tolist()), tuple(tip.astype(int).tolist()), tone * rng.uniform(0.8, 1.05), max(2, int(size * 0.42)), cv2.LINE_AA)
    wrist = c - size * 3 * np.array([np.cos(base), np.sin(base)])
    cv2.line(p, tuple(c.astype(int).tolist()), tuple(wrist.astype(int).tolist()), tone * 0.95, max(3, int(size * 1.3)), cv2.LINE_AA)


def shoulders(rng: np.random.Generator, p: np.ndarray, centre: np.ndarray, size: float, roll: float) -> None:
    """Draws neck and shoulders below a face of this frame, roughly."""
    down = np.array([-np.sin(roll), np.cos(roll)])
    across = np.array([np.cos(roll), np.sin(roll)])
    tone = float(rng.uniform(0, 255))
    points = [(-0.18, 0.3), (0.18, 0.3), (0.2, 0.62), (0.95, 0.85), (1.1, 2.2), (-1.1, 2.2), (-0.95, 0.85), (-0.2, 0.62)]
    q = np.array([centre + size * (a * rng.uniform(0.85, 1.15) * across + b * down) for a, b in points])
    cv2.fillPoly(p, [q.round().astype(np.int32)], tone, cv2.LINE_AA)


def patches(rng: np.random.Generator, sources: list[np.ndarray]) -> np.ndarray:
    """Faceless parts of pictures, scaled and laid side by side."""
    p = smooth_noise(rng, 3)
    for _ in range(rng.integers(1, 6)):
        part = sources[rng.integers(0, len(sources))]
        k = rng.uniform(0.25, 1.2)
        part = cv2.resize(part, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        if rng.random() < 0.5:
            part = part[:, ::-1]
        if rng.random() < 0.3:
            part = part[::-1]
        x, y = int(rng.integers(-part.shape[1] // 2, W - 5)), int(rng.integers(-part.shape[0] // 2, H - 5))
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + part.shape[1], W), min(y + part.shape[0], H)
        if x1 > x0 and y1 > y0:
            p[y0:y1, x0:x1] = part[y0 - y : y1 - y, x0 - x : x1 - x]
    return p


def background(rng: np.random.Generator, sources: list[np.ndarray]) -> np.ndarray:
    """One background of any kind, float32 (H, W)."""
    kind = rng.random()
    if kind < 0.15:
        p = gradient(rng)
    elif kind < 0.3:
        p = smooth_noise(rng, int(2 ** rng.uniform(1, 6.5)))
    elif kind < 0.5:
        p = room(rng)
    elif kind < 0.65:
        p = shapes(rng)
    else:
        p = patches(rng, sources)
    p = np.ascontiguousarray(p, np.float32)
    if rng.random() < 0.2:
        hand(rng, p)
    return p
