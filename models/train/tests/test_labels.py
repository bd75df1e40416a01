"""Do labels and picture still agree after every change? Drawn pictures with one spot a point; no data needed.

Run: `python -m unittest discover -s models/train/tests -t .`
"""

from __future__ import annotations

import itertools
import json
import tempfile
import unittest
from pathlib import Path

import albumentations as A
import numpy as np
import torch

from models.train import augment, head, points, samples, scenes, variants, warp

TOLERANCE_PX = 0.35


def spots(hw: tuple[int, int], at: np.ndarray, radius: float = 2.0) -> np.ndarray:
    """A dark picture with one bright Gaussian spot at each of the points (k, 2)."""
    y, x = np.mgrid[0 : hw[0], 0 : hw[1]]
    p = np.zeros(hw)
    for px, py in at:
        p += 220 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
    return p.clip(0, 255).astype(np.uint8)


def centroid(picture: np.ndarray, near: np.ndarray, reach: int) -> np.ndarray:
    """Centre of brightness around a point."""
    h, w = picture.shape
    x0, y0 = (int(v) for v in np.round(near))
    ys = slice(max(y0 - reach, 0), min(y0 + reach + 1, h))
    xs = slice(max(x0 - reach, 0), min(x0 + reach + 1, w))
    part = picture[ys, xs].astype(np.float64)
    part = np.clip(part - part.max() * 0.15, 0, None)
    y, x = np.mgrid[ys, xs]
    return np.array([(part * x).sum(), (part * y).sum()]) / part.sum()


def worst_errors(transform: A.BasicTransform) -> list[float]:
    """Largest distance in px, in x or y, of a spot from its label, from the label left as it was and from one moved back."""
    rng = np.random.default_rng(1)
    transform.p = 1.0
    pipeline = A.Compose([transform], keypoint_params=A.KeypointParams("xy", remove_invisible=False))
    pipeline.set_random_seed(3)
    errors = []
    for _ in range(30):
        at = rng.uniform([40, 35], [88, 69], (1, 2))
        made = pipeline(image=spots((104, 128), at, 3.0), keypoints=at)
        moved = made["keypoints"][0]
        spot = centroid(made["image"], moved, 12)
        errors.append([np.abs(spot - label).max() for label in (moved, at[0], 2 * at[0] - moved)])
    return np.max(errors, 0).tolist()


class Pipelines(unittest.TestCase):
    """Each transform of each pipeline, forced on, moves picture and points alike."""

    def test_every_transform(self) -> None:
        for net, make in augment._STEPS.items():
            for transform in make():
                if isinstance(transform, (A.CoarseDropout, A.RandomToneCurve)):
                    continue  # They cover or recolour, and move nothing.
                as_given, unmoved, reversed_ = worst_errors(transform)
                self.assertLess(as_given, 0.2, f"{net}: {type(transform).__name__} moves the picture by {as_given:.2f} px")
                if isinstance(transform, A.Affine):
                    self.assertGreater(min(unmoved, reversed_), 1, "wrong labels would not be noticed")

    def test_albumentations_downscale_would_be_noticed(self) -> None:
        own = A.Downscale(scale_range=(0.28, 0.95), interpolation_pair=augment._RESAMPLE)
        self.assertGreater(worst_errors(own)[0], 0.5)

    def test_a_stored_pipeline_comes_back(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "eyes.json"
            kept = augment.Augment("eyes")
            kept.store(path)
            back = A.from_dict(json.loads(path.read_text()))
        picture, at = spots((104, 128), np.array([[60.0, 50.0]]), 3.0), np.array([[60.0, 50.0]])
        for pipeline in (kept.pipeline, back):
            pipeline.set_random_seed(5)
        for _ in range(10):
            a, b = (pipeline(image=picture, keypoints=at) for pipeline in (kept.pipeline, back))
            np.testing.assert_array_equal(a["image"], b["image"])
            np.testing.assert_array_equal(a["keypoints"], b["keypoints"])

    def test_same_numbers_same_sample(self) -> None:
        pictures = np.random.default_rng(0).integers(0, 255, (12, 104, 128)).astype(np.uint8)
        at = np.full((12, 5, 2), 50.0, np.float32)
        pipeline = augment.Augment("eyes")
        a = pipeline(pictures, at, np.random.default_rng(9))
        b = augment.Augment("eyes")(pictures, at, np.random.default_rng(9))
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
        c = pipeline(pictures, at, np.random.default_rng(10))
        self.assertFalse(np.array_equal(a[0], c[0]))


class Batches(unittest.TestCase):
    """Whole batches: crop errors, roll, flip."""

    def test_eye_points_follow_the_patch(self) -> None:
        at = np.array([[60.0, 50], [40, 52], [88, 52], [62, 42], [62, 61]], np.float32)
        store = samples.EyeStore(spots((104, 128), at[:1])[None], at[None], np.ones(1, np.float32),
                                 np.ones(1, np.float32))
        errors = []
        for step in range(6):
            b = samples.eyes_batch(store, 40, samples.Draw(4, step), spoil=False)
            for x, p, visible in zip(b["x"], b["points"], b["visible"]):
                if visible > 0 and 6 < p[0, 0] < 42 and 6 < p[0, 1] < 26:
                    errors.append(np.linalg.norm(centroid(x[0].numpy(), p[0].numpy(), 5) - p[0].numpy()))
        self.assertGreater(len(errors), 100)
        self.assertLess(float(np.median(errors)), TOLERANCE_PX)

    def test_flip_swaps_the_sides(self) -> None:
        half = samples.FACE_STORE_PX / 2
        at = np.full((points.COUNT, 2), half, np.float32)
        at[:, 1] += np.linspace(-40, 40, points.COUNT)
        left = points.NAMES.index("left_outer")
        right = points.NAMES.index("right_outer")
        at[left], at[right] = (half + 30, half - 20), (half - 30, half - 20)
        picture = spots((samples.FACE_STORE_PX,) * 2, at[[left]], 4.0)
        store = samples.FaceStore(picture[None], at[None], np.eye(3)[None])
        faceless = np.zeros((1, 1, *samples.LANDMARKS_HW), np.float32)
        errors = {True: [], False: []}
        for step in range(6):
            x, p, face = samples.landmarks_batch(store, 40, samples.Draw(2, step), faceless, spoil=False)
            for crop, q, is_face in zip(x, p.numpy(), face):
                ends = q[[left, right]]
                if is_face < 1 or (ends < 6).any() or (ends > 57).any():
                    continue
                # The spot is the person's left eye, and after a flip the right one.
                bright = [float(crop[0, int(round(y)), int(round(x))]) for x, y in ends]
                flipped = bright[1] > bright[0]
                spot = ends[int(flipped)]
                errors[flipped].append(np.linalg.norm(centroid(crop[0].numpy(), spot, 5) - spot))
        for side in errors.values():
            self.assertGreater(len(side), 20)
            self.assertLess(float(np.median(side)), TOLERANCE_PX)

    def test_heads_turn_with_their_pictures(self) -> None:
        half = (samples.FACE_STORE_PX - 1) / 2
        # Bright at the person's left, which is right in the picture, half as bright at the other side.
        picture = spots((samples.FACE_STORE_PX,) * 2, np.array([[half + 30, half]]), 4.0)
        picture += spots((samples.FACE_STORE_PX,) * 2, np.array([[half - 30, half]]), 4.0) // 2
        turn = head.rotation(0.3, 0.1, 0.0)
        store = samples.FaceStore(picture[None], np.full((1, points.COUNT, 2), half, np.float32), turn[None])
        flips = 0
        for x, angles in zip(*samples.pose_batch(store, 60, samples.Draw(3), spoil=False)):
            crop = x[0].numpy()
            bright = centroid(crop, np.array(np.unravel_index(crop.argmax(), crop.shape))[::-1], 5)
            rest = crop.copy()
            rest[np.hypot(*(np.mgrid[0:64, 0:64] - bright[::-1, None, None])) < 15] = 0
            dim = centroid(rest, np.array(np.unravel_index(rest.argmax(), rest.shape))[::-1], 5)
            flipped = bright[0] < dim[0]
            flips += int(flipped)
            across = (dim - bright) if flipped else (bright - dim)
            seen = head.turned_in_picture(head.mirrored(turn) if flipped else turn, float(np.arctan2(across[1], across[0])))
            np.testing.assert_allclose(angles, head.angles(seen), atol=0.015)
        self.assertTrue(15 < flips < 45)

    def test_pasted_faces_carry_their_points(self) -> None:
        rng = np.random.default_rng(2)
        at = np.array([60.0, 70.0]) + rng.normal(0, 25, (points.COUNT, 2))
        at[points.LEFT_OUTER], at[points.RIGHT_OUTER] = (90, 60), (30, 64)
        shown = points.NAMES.index("nose_bridge")
        at[shown] = (66, 58)
        cutout = scenes.Cutout(spots((140, 120), at[[shown]], 6.0), at, np.zeros((0, 4)))
        for whole, mirrored in itertools.product((False, True), repeat=2):
            for _ in range(10):
                scene = np.zeros((scenes.H, scenes.W), np.float32)
                middle, size, roll = rng.uniform([70, 50], [90, 70]), float(rng.uniform(40, 100)), float(rng.uniform(-0.6, 0.6))
                moved, _, m = cutout.paste(scene, middle, size, roll, mirrored, whole, 1.0)
                np.testing.assert_allclose(centroid(scene, moved[shown], 8), moved[shown], atol=0.2)
                centre, pasted, turned = points.face_frame(moved[points.MIRROR] if mirrored else moved)
                np.testing.assert_allclose([*centre, pasted, turned], [*middle, size, roll], atol=1e-6)
                np.testing.assert_allclose(warp.apply(m, at), moved)

    def test_mirror_is_its_own_inverse(self) -> None:
        np.testing.assert_array_equal(points.MIRROR[points.MIRROR], np.arange(points.COUNT))
        self.assertEqual(points.NAMES[points.MIRROR[points.NAMES.index("mouth_left")]], "mouth_right")
        self.assertEqual(points.MIRROR[points.NAMES.index("chin")], points.NAMES.index("chin"))


class Warps(unittest.TestCase):
    """The sampling rule."""

    def test_right_eye_patch_is_a_left_eye(self) -> None:
        inner, outer, above = np.array([100.0, 60]), np.array([70.0, 60]), np.array([85.0, 50])
        m = warp.invert(warp.eye_matrix(inner, outer, True))
        np.testing.assert_allclose(warp.apply(m, np.stack([inner, outer])), [[8.5, 15.5], [38.5, 15.5]], atol=1e-9)
        self.assertLess(warp.apply(m, above)[1], 15.5)

    def test_halving_keeps_a_spot_in_place(self) -> None:
        at = np.array([[151.3, 140.8]])
        picture = spots((300, 300), at, 12.0)
        m = warp.frame_matrix(np.array([150.0, 150.0]), 280.0, 0.3, 40)
        crop = warp.warp(picture, m, (40, 40))
        expected = warp.apply(warp.invert(m), at)[0]
        np.testing.assert_allclose(centroid(crop, expected, 6), expected, atol=0.06)

    def test_frame_of_an_upright_face(self) -> None:
        at = np.zeros((points.COUNT, 2))
        at[:, 0] = np.linspace(-1, 1, points.COUNT)
        at[points.LEFT_OUTER], at[points.RIGHT_OUTER] = (3, 0), (-3, 0)
        self.assertAlmostEqual(points.face_frame(at)[2], 0.0)


class Turned(unittest.TestCase):
    """A turned face carries its points along, and nearer parts move more."""

    def test_points_stay_on_their_spots(self) -> None:
        across, down = np.meshgrid(np.linspace(-1, 1, 11), np.linspace(-1, 1, 11))
        inside = across**2 + down**2 <= 1.001
        x, y = across[inside] * 60 + 110, down[inside] * 75 + 100
        mesh = np.column_stack([x, y, 60 * (across[inside] ** 2 + down[inside] ** 2)])
        rim = np.flatnonzero(across[inside] ** 2 + down[inside] ** 2 > 0.8)
        at = np.array([[96.0, 92.0], [124.0, 92.0], [110.0, 100.0]])
        picture = spots((200, 220), at)
        for yaw, pitch in ((0.0, 0.0), (0.4, 0.0), (-0.4, 0.15), (0.0, -0.25)):
            made, moved = variants.turn(picture, mesh, rim, yaw, pitch, at)
            for p in moved:
                self.assertLess(np.abs(centroid(made, p, 6) - p).max(), 0.6)
            if yaw == 0 and pitch == 0:
                np.testing.assert_allclose(moved, at + variants.PAD * 220, atol=1e-6)
            if yaw > 0:
                self.assertGreater(abs(moved[2, 0] - at[2, 0] - variants.PAD * 220), 5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
