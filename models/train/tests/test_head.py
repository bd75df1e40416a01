"""Turns of heads: their angles, and that points turn with them.

Run: `python -m unittest discover -s models/train/tests -t .`
"""

from __future__ import annotations

import unittest

import numpy as np

from models.train import head
from models.train.points import MIRROR, NAMES

ANGLES = [(0.0, 0.0, 0.0), (0.4, -0.2, 0.1), (-0.3, 0.3, -0.5)]


def projected(turn: np.ndarray) -> np.ndarray:
    """The mean face's 22 points in px, those it lacks at 0."""
    points = np.zeros((len(NAMES), 2))
    for name, place in head.MEAN_FACE.items():
        points[NAMES.index(name)] = (turn @ np.array(place))[:2] * 1.3 + [200, 150]
    return points


class Turns(unittest.TestCase):
    """Angles, points and pictures agree."""

    def same(self, a: np.ndarray, b: np.ndarray) -> None:
        self.assertLess(np.abs(np.asarray(a) - b).max(), 1e-4)

    def test_angles_are_found_again(self) -> None:
        for angles in ANGLES:
            turn = head.rotation(*angles)
            self.same(head.angles(turn), np.array(angles))
            self.same(head.laid_over(projected(turn)), turn)

    def test_signs(self) -> None:
        right, up, clockwise = (projected(head.rotation(*a)) for a in ((0.3, 0, 0), (0, 0.3, 0), (0, 0, 0.3)))
        straight = projected(np.eye(3))
        tip, left = NAMES.index("nose_tip"), NAMES.index("left_outer")
        self.assertGreater(right[tip, 0], straight[tip, 0] + 5)
        self.assertLess(up[tip, 1], straight[tip, 1] - 5)
        self.assertGreater(clockwise[left, 1], straight[left, 1] + 5)

    def test_turns_follow_the_picture(self) -> None:
        c, s = np.cos(0.4), np.sin(0.4)
        for angles in ANGLES:
            turn = head.rotation(*angles)
            points = projected(turn)
            self.same(head.laid_over(points[MIRROR] * [-1, 1]), head.mirrored(turn))
            self.same(head.laid_over(points @ np.array([[c, s], [-s, c]])), head.turned_in_picture(turn, 0.4))

    def test_a_head_aside_is_seen_from_its_other_side(self) -> None:
        """It faces as the camera's axis does, from the picture's right: the camera sees it turned to the right."""
        self.same(head.angles(head.seen(np.zeros(3), np.array([100.0, 0.0, 600.0]))), np.array([np.arctan2(100, 600), 0, 0]))


if __name__ == "__main__":
    unittest.main()
