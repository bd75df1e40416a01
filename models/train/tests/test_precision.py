"""Weights of fewer bits."""

import unittest

import numpy as np

from models.train.precision import rounded


class Rounding(unittest.TestCase):
    def test_nothing_moves_further_than_half_a_step_of_its_output(self) -> None:
        values = np.random.default_rng(1).normal(0, 1, (5, 3, 2, 2)) * np.array([1e-3, 0.1, 1, 10, 0])[:, None, None, None]
        for bits in (4, 8):
            largest = np.abs(values).max(axis=(1, 2, 3))
            off = np.abs(rounded(values, bits) - values).max(axis=(1, 2, 3))
            self.assertTrue((off <= 0.5001 * largest / (2 ** (bits - 1) - 1)).all(), off)
            self.assertLessEqual(len(np.unique(rounded(values, bits)[2])), 2**bits - 1)


if __name__ == "__main__":
    unittest.main()
