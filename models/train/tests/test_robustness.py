"""Smeared pictures keep their points.

Run: `python -m unittest discover -s models/train/tests -t .`
"""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import cv2
import numpy as np

from models.train.data import read_gray
from models.train.robustness import _smear
from models.train.tests.test_labels import centroid, spots


class Smear(unittest.TestCase):
    def test_a_spot_is_drawn_out_where_it_is(self) -> None:
        at = np.array([50.0, 40.0])
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "frames" / "000000.jpg"
            path.parent.mkdir()
            cv2.imwrite(str(path), spots((80, 100), at[None], 3.0))
            before = read_gray(path)
            _smear(Path(name), 9)
            after = read_gray(path)
        np.testing.assert_allclose(centroid(after, at, 12), at, atol=0.2)
        self.assertLess(after.max(), 0.85 * before.max())


if __name__ == "__main__":
    unittest.main()
