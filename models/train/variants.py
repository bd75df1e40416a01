"""Makes more of each photograph: the face turned, or behind glasses and sunglasses.

Photographs of faces are mostly frontal and bare-eyed; people at a desk are not. A turned face is made
as in Zhu et al. 2016 ("Face alignment across large poses"): the teacher's mesh gives the face a depth,
anchors around it carry hair and background along, the mesh is turned, and every triangle takes its
pixels from the photograph, the nearest one last. Points move with the triangle they lie in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from scipy.spatial import Delaunay

from . import teacher
from .labels import EYE_INDEX, Portrait, Targets
from .points import face_frame
from .warp import bilinear

#: Photographs are padded by this share of their longer side, so that anchors have room around the face.
PAD = 0.25
#: The ring of anchors that turns with the head: so many times as far from the middle as the face's outline,
#: and so many face sizes behind it.
RING, RING_DEPTH = 1.35, 0.16


def _background(outline: np.ndarray, centre: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """Anchors that stay where they are: a wide ring around the outline and the picture's border."""
    h, w = hw
    wide = (centre + 2.0 * (outline - centre)).clip([2, 2], [w - 3, h - 3])
    along = np.linspace(0, 1, 6)[:-1]
    border = [(a * (w - 1), 0) for a in along] + [(w - 1, a * (h - 1)) for a in along]
    border += [((1 - a) * (w - 1), h - 1) for a in along] + [(0, (1 - a) * (h - 1)) for a in along]
    return np.concatenate([wide, np.array(border)])


def _affines(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Maps (t, 2, 3) that take each target triangle (t, 3, 2) to its source triangle."""
    ones = np.ones((*target.shape[:2], 1))
    a = np.concatenate([target, ones], 2)
    flat = np.abs(np.linalg.det(a)) < 1e-6
    a[flat] = np.eye(3)
    return np.linalg.solve(a, source).transpose(0, 2, 1)


def turn(picture: np.ndarray, mesh: np.ndarray, outline: np.ndarray, yaw: float, pitch: float,
         points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture (h, w) with its face turned by radians, and where `points` (k, 2) went.

    `mesh` (n, 3) is the face in px, z growing away from the camera; `outline` are the indices of its rim.
    """
    pad = round(PAD * max(picture.shape))
    picture = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    mesh = mesh + [pad, pad, 0]
    size = float(np.linalg.norm(np.ptp(mesh[:, :2], axis=0)))
    rim = mesh[outline]
    centre = rim[:, :2].mean(0)
    ring = np.column_stack([centre + RING * (rim[:, :2] - centre), rim[:, 2] + RING_DEPTH * size])
    still = _background(rim[:, :2], centre, picture.shape)
    moving = np.concatenate([mesh, ring])
    pivot = np.array([*centre, rim[:, 2].max()])
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turned = (moving - pivot) @ (about_x @ about_y).T + pivot
    source = np.concatenate([moving[:, :2], still])
    target = np.concatenate([turned[:, :2], still])
    depth = np.concatenate([turned[:, 2], np.full(len(still), turned[:, 2].max() + size)])
    triangles = Delaunay(source).simplices
    to_source = _affines(source[triangles], target[triangles])
    owner = np.full(picture.shape, -1, np.int32)
    corners = np.round(target[triangles] * 16).astype(np.int32)
    for t in np.argsort(-depth[triangles].mean(1)):
        cv2.fillConvexPoly(owner, corners[t], int(t), lineType=cv2.LINE_8, shift=4)
    yy, xx = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float64)
    m = to_source[owner.clip(0)]
    x = np.where(owner < 0, xx, m[..., 0, 0] * xx + m[..., 0, 1] * yy + m[..., 0, 2])
    y = np.where(owner < 0, yy, m[..., 1, 0] * xx + m[..., 1, 1] * yy + m[..., 1, 2])
    made = bilinear(picture.astype(np.float32), x, y)
    return made.round().astype(np.uint8), _follow(points + pad, source, target, triangles)


def _follow(points: np.ndarray, source: np.ndarray, target: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Where points inside the source triangles lie in the target triangles."""
    forward = _affines(target[triangles], source[triangles])
    corners = source[triangles]
    edge = np.roll(corners, -1, 1) - corners
    sign = np.sign(edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0])
    out = np.empty_like(points)
    for k, p in enumerate(points):
        d = p - corners
        inside = (edge[..., 0] * d[..., 1] - edge[..., 1] * d[..., 0]) * sign[:, None]
        t = int(np.argmax(inside.min(1)))
        out[k] = forward[t, :, :2] @ p + forward[t, :, 2]
    return out


def wear(picture: np.ndarray, points: np.ndarray, dark: bool, rng: np.random.Generator) -> np.ndarray:
    """The picture with glasses drawn on the face of the 22 `points`: frame, glare, and dark lenses if asked for."""
    h, w = picture.shape
    across = points[0] - points[3]
    width = float(np.linalg.norm(across))
    u = across / width
    v = np.array([-u[1], u[0]])
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    drop, lens_w, lens_h = rng.normal(0.05, 0.03) * width, rng.uniform(0.23, 0.36), rng.uniform(0.13, 0.27)
    power, rim = rng.uniform(2, 5), rng.uniform(0.008, 0.03) * width
    tone, opacity = rng.uniform(2, 90), rng.uniform(0.75, 1.0) if dark else rng.uniform(0.0, 0.25)
    frame_tone = rng.uniform(0, 90) if rng.random() < 0.75 else rng.uniform(120, 235)
    out = picture.astype(np.float32)
    middles = []
    for outer, inner, *_ in EYE_INDEX:
        eye = np.linalg.norm(points[outer] - points[inner])
        middle = (points[outer] + points[inner]) / 2 + v * drop
        a, b = lens_w * width * (0.6 + 0.4 * eye / (0.31 * width)), lens_h * width
        middles.append((middle, a))
        dx, dy = xx - middle[0], yy - middle[1]
        x, y = (u[0] * dx + u[1] * dy) / a, (v[0] * dx + v[1] * dy) / b
        radius = (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)
        lens = 1 / (1 + np.exp(((radius - 1) * min(a, b) * 1.5).clip(-30, 30)))
        shade = tone * (1 + 0.5 * rng.uniform(-1, 1) * y)
        out = out * (1 - lens * opacity) + shade * lens * opacity
        for _ in range(rng.integers(0, 4)):
            gx, gy = rng.uniform(-0.8, 0.8, 2)
            glare = np.exp(-(((x - gx) / rng.uniform(0.05, 0.5)) ** 2 + ((y - gy) / rng.uniform(0.05, 0.4)) ** 2))
            out += glare * lens * rng.uniform(10, 170 if dark else 120)
        if rng.random() < 0.85:
            edge = np.exp(-(((radius - 1) * min(a, b) / rim) ** 2))
            out = out * (1 - edge) + frame_tone * edge
    made = out.clip(0, 255)
    side = middles[0][1] * u
    lines = [(middles[0][0] - side, middles[1][0] + side), (middles[0][0] + side, middles[0][0] + 2.2 * side - 0.1 * width * v),
             (middles[1][0] - side, middles[1][0] - 2.2 * side - 0.1 * width * v)]
    for a, b in lines:
        cv2.line(made, np.round(a * 16).astype(int).tolist(), np.round(b * 16).astype(int).tolist(), float(frame_tone),
                 max(1, round(rim)), cv2.LINE_AA, 4)
    return made.round().astype(np.uint8)


#: Degrees of yaw and pitch that one photograph is turned by, drawn evenly up to these.
MOST_YAW_DEG, MOST_PITCH_DEG = 42.0, 15.0
#: Outer eye corners nearer to each other than this, in face sizes, are a profile: the far eye is gone.
IN_PROFILE = 0.24
#: What a pupil behind dark lenses counts: enough to learn where it must be, too little to be sure of it.
BEHIND_DARK = 0.15


def variants(targets: Targets, index: list[int], seed: int) -> Iterator[Portrait]:
    """Five of each photograph: turned three times, one of them in glasses; dark lenses; glasses."""
    meshes, outline = teacher.meshes()
    for i in index:
        rng = np.random.default_rng((seed, i))
        plain = targets.portrait(i)
        if np.isfinite(meshes[i]).all():
            for k in range(3):
                yaw = np.radians(rng.uniform(0.25, 1) * MOST_YAW_DEG * rng.choice([-1, 1]))
                pitch = np.radians(rng.uniform(-1, 1) * MOST_PITCH_DEG)
                both = np.concatenate([plain.points, plain.pupils])
                made, moved = turn(plain.gray, meshes[i], outline, float(yaw), float(pitch), both)
                dark = k == 0 and rng.random() < 0.5
                if np.linalg.norm(moved[0] - moved[3]) < IN_PROFILE * face_frame(moved[:22])[1]:
                    continue
                if k == 0:
                    made = wear(made, moved[:22], dark, rng)
                yield Portrait(made, moved[:22], moved[22:], BEHIND_DARK if dark else 1.0)
        for dark in (True, False):
            yield replace(plain, gray=wear(plain.gray, plain.points, dark, rng), seen=BEHIND_DARK if dark else 1.0)
