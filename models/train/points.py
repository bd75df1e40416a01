"""The 22 points of a face, their order, their mirror images and the face frame.

Left and right are the person's own. Coordinates have (0, 0) at the centre of the top left pixel.
"""

from __future__ import annotations

import numpy as np

#: Name of each point and the iBUG-68 points whose mean it is.
POINTS: list[tuple[str, tuple[int, ...]]] = [
    ("left_outer", (45,)),
    ("left_inner", (42,)),
    ("right_inner", (39,)),
    ("right_outer", (36,)),
    ("left_upper", (43, 44)),
    ("left_lower", (46, 47)),
    ("right_upper", (37, 38)),
    ("right_lower", (40, 41)),
    ("nose_bridge", (27,)),
    ("nose_tip", (30,)),
    ("nose_left", (35,)),
    ("nose_right", (31,)),
    ("nose_base", (33,)),
    ("mouth_left", (54,)),
    ("mouth_right", (48,)),
    ("mouth_top", (51,)),
    ("mouth_bottom", (57,)),
    ("left_brow_outer", (26,)),
    ("left_brow_inner", (22,)),
    ("right_brow_inner", (21,)),
    ("right_brow_outer", (17,)),
    ("chin", (8,)),
]

NAMES: list[str] = [name for name, _ in POINTS]
COUNT = len(POINTS)

#: A face's size is this many times the RMS distance of its points from their mean.
CROP_PER_RMS = 5.0

LEFT_OUTER, LEFT_INNER, RIGHT_INNER, RIGHT_OUTER = 0, 1, 2, 3
LEFT_UPPER, LEFT_LOWER, RIGHT_UPPER, RIGHT_LOWER = 4, 5, 6, 7


def _mirror_name(name: str) -> str:
    if name.startswith(("left_", "right_")):
        side, rest = name.split("_", 1)
        return f"{'right' if side == 'left' else 'left'}_{rest}"
    parts = name.rsplit("_", 1)
    if parts[-1] in ("left", "right"):
        return f"{parts[0]}_{'right' if parts[-1] == 'left' else 'left'}"
    return name


#: MIRROR[i] is the index of the point that point i becomes in a mirrored picture.
MIRROR = np.array([NAMES.index(_mirror_name(n)) for n in NAMES])


def from_68(points: np.ndarray) -> np.ndarray:
    """Picks the 22 points out of iBUG-68 points: (..., 68, 2) -> (..., 22, 2)."""
    return np.stack([points[..., list(ids), :].mean(-2) for _, ids in POINTS], axis=-2)


def face_frame(points: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Centre in px, size in px and roll in radians of one face's (22, 2) points."""
    centre = points.mean(0)
    rms = float(np.sqrt(((points - centre) ** 2).sum(1).mean()))
    across = points[LEFT_OUTER] - points[RIGHT_OUTER]
    return centre, CROP_PER_RMS * rms, float(np.arctan2(across[1], across[0]))
