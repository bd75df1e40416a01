"""The sampling rule of the crops: similarity warp, bilinear, border replicated, halved where coarse."""

from __future__ import annotations

import math

import cv2
import numpy as np


def halve(picture: np.ndarray) -> np.ndarray:
    """Means of 2x2 px; an odd last row or column is repeated."""
    h, w = picture.shape
    if h % 2 or w % 2:
        picture = np.pad(picture, ((0, h % 2), (0, w % 2)), mode="edge")
    p = picture.astype(np.float32)
    return (p[0::2, 0::2] + p[1::2, 0::2] + p[0::2, 1::2] + p[1::2, 1::2]) * 0.25


def bilinear(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at px positions, exact in float (OpenCV's warp rounds positions to 1/32 px)."""
    h, w = picture.shape
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    x0, y0 = np.minimum(x.astype(int), max(w - 2, 0)), np.minimum(y.astype(int), max(h - 2, 0))
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
    p = picture
    top = p[y0, x0] * (1 - fx) + p[y0, x1] * fx
    return top * (1 - fy) + (p[y1, x0] * (1 - fx) + p[y1, x1] * fx) * fy


def warp(picture: np.ndarray, to_picture: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """Crop of size `hw`; `to_picture` (2, 3) maps crop px to picture px. Gives float32."""
    scale = math.sqrt(abs(float(np.linalg.det(to_picture[:, :2]))))
    levels = max(0, math.floor(math.log2(max(scale, 1e-6))))
    while levels > 0 and min(picture.shape) < 2:
        levels -= 1
    p = picture.astype(np.float32)
    for _ in range(levels):
        p = halve(p)
    yy, xx = np.mgrid[0 : hw[0], 0 : hw[1]].astype(np.float64)
    x = to_picture[0, 0] * xx + to_picture[0, 1] * yy + to_picture[0, 2]
    y = to_picture[1, 0] * xx + to_picture[1, 1] * yy + to_picture[1, 2]
    f = 2.0**levels
    return bilinear(p, (x + 0.5) / f - 0.5, (y + 0.5) / f - 0.5)


def frame_matrix(centre: np.ndarray, size: float, roll: float, side: int) -> np.ndarray:
    """Crop px -> picture px for the square of a face frame."""
    k = size / side
    c, s = math.cos(roll) * k, math.sin(roll) * k
    m = (side - 1) / 2
    return np.array([[c, -s, centre[0] - c * m + s * m], [s, c, centre[1] - s * m - c * m]])


def eye_matrix(inner: np.ndarray, outer: np.ndarray, mirrored: bool) -> np.ndarray:
    """Patch px -> picture px: inner corner at (8.5, 15.5), outer at (38.5, 15.5).

    `mirrored` is for the right eye: the patch is the mirror image, so that it looks like a left eye.
    """
    u = (outer - inner) / 30.0
    v = np.array([-u[1], u[0]]) * (-1.0 if mirrored else 1.0)
    origin = inner - 8.5 * u - 15.5 * v
    return np.array([[u[0], v[0], origin[0]], [u[1], v[1], origin[1]]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps (..., 2) points."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse map."""
    return cv2.invertAffineTransform(matrix)


def finder_input(picture: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The 160x120 finder input, its scale and offset: input px = (px + 0.5) * s - 0.5 + offset."""
    h, w = picture.shape
    s = min(160 / w, 120 / h)
    nw, nh = max(1, round(w * s)), max(1, round(h * s))
    small = cv2.resize(picture, (nw, nh), interpolation=cv2.INTER_AREA if s < 1 else cv2.INTER_LINEAR)
    out = np.zeros((120, 160), np.float32)
    ox, oy = (160 - nw) // 2, (120 - nh) // 2
    out[oy : oy + nh, ox : ox + nw] = small
    return out, s, np.array([ox, oy], np.float64)
