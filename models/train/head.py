"""How a head is turned, with the axes and signs of `src/geometry.rs`.

A turn (3, 3) takes the head's axes (x to the person's left, y down, z into the head) to those of a camera that looks at the
head: as seen along the line of sight, perspective removed.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from .points import NAMES

#: The mean face of `src/face/head.rs`, in mm, but for the brows, which rise and fall.
MEAN_FACE = {
    "left_outer": (44.5, -1.0, 9.0), "left_inner": (16.5, 0.5, 0.0),
    "right_inner": (-16.5, 0.5, 0.0), "right_outer": (-44.5, -1.0, 9.0),
    "nose_bridge": (0.0, -1.0, -11.0), "nose_tip": (0.0, 36.0, -33.0), "nose_base": (0.0, 47.0, -21.0),
    "nose_left": (15.0, 44.0, -13.0), "nose_right": (-15.0, 44.0, -13.0),
}
_MODEL = np.array(list(MEAN_FACE.values()))
_POINTS = [NAMES.index(name) for name in MEAN_FACE]


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The turn of a head: roll first, then pitch (up), then yaw (to the picture's right), in radians."""
    return Rotation.from_euler("YXZ", [-yaw, -pitch, roll]).as_matrix()


def angles(turn: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll in radians: the inverse of `rotation`."""
    facing = -turn[:, 2]
    yaw, pitch = np.arctan2(facing[0], -facing[2]), np.arcsin(np.clip(-facing[1], -1, 1))
    return np.array([yaw, pitch, np.arctan2(turn[1, 0], turn[1, 1])])


def seen(angles_rad: np.ndarray, place_mm: np.ndarray) -> np.ndarray:
    """The turn along the line of sight of a head that stands at `place_mm` in the camera's space."""
    x, y, z = place_mm
    # The shortest turn that takes the camera's axis to the line of sight.
    axis = np.array([-y, x, 0.0])
    length = np.linalg.norm(axis)
    sight = Rotation.from_rotvec(axis / max(length, 1e-9) * np.arctan2(length, z)).as_matrix()
    return sight.T @ rotation(*angles_rad)


def turned_in_picture(turn: np.ndarray, angle: float) -> np.ndarray:
    """The turn when the picture is turned by `angle`, clockwise positive."""
    return Rotation.from_euler("z", angle).as_matrix() @ turn


def mirrored(turn: np.ndarray) -> np.ndarray:
    """The turn in the mirrored picture."""
    mirror = np.diag([-1.0, 1.0, 1.0])
    return mirror @ turn @ mirror


def laid_over(points: np.ndarray) -> np.ndarray:
    """The turn of the mean face that lies best over points (22, 2) in px, under scaled orthographic projection."""
    points = points[_POINTS].astype(float)
    across = points[0] - points[3]
    turn = Rotation.from_euler("z", np.arctan2(across[1], across[0])).as_matrix()
    for _ in range(20):
        # Scale and shift for this turn, then a small turn for these.
        turned = _MODEL @ turn.T
        flat = turned[:, :2] - turned[:, :2].mean(0)
        centred = points - points.mean(0)
        scale = (flat * centred).sum() / (flat**2).sum()
        depth = turned[:, 2] - turned[:, 2].mean()
        zero = np.zeros(len(depth))
        by_turn = np.stack([np.column_stack([zero, depth, -flat[:, 1]]), np.column_stack([-depth, zero, flat[:, 0]])], 1)
        columns = np.concatenate([by_turn, flat[:, :, None]], 2).reshape(-1, 4)
        step = np.linalg.lstsq(columns, (centred / scale - flat).ravel(), rcond=None)[0][:3]
        step *= 0.5 / max(np.linalg.norm(step), 0.5)
        turn = Rotation.from_rotvec(step).as_matrix() @ turn
        if np.linalg.norm(step) < 1e-7:
            break
    return turn
