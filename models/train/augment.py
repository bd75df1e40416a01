"""What Albumentations adds to the uint8 stores: shear and stretch, few pixels, JPEG, blur, dropout.

Geometry moves the points with the picture. The pipelines are stored beside the weights, and a batch
is drawn from (seed, step) alone, so any drawn sample can be made again exactly.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: E402  (the variable above keeps the import from asking the network)

#: Share of the samples that go through a pipeline; the others stay sharp.
SHARE = 0.45
#: Albumentations' default (nearest) moves the picture by up to 1.5 px against its points.
_RESAMPLE = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}


class Downscale(A.Downscale):
    """Goes down and up by the same scale.

    Albumentations' own goes down by the scale and up by the ratio of the rounded sizes, which moves the picture by up to
    1.3 px against its points.
    """

    def apply(self, img: np.ndarray, scale: float, **params: Any) -> np.ndarray:
        """The picture with as many pixels less; `scale` is rounded to whole pixels."""
        h, w = img.shape[:2]
        size = max(1, round(w * scale)), max(1, round(h * scale))
        small = cv2.resize(img, size, interpolation=self.interpolation_pair["downscale"])
        return cv2.resize(small, (w, h), interpolation=self.interpolation_pair["upscale"])


def _quality(smallest: float) -> list[A.BasicTransform]:
    return [
        Downscale(scale_range=(smallest, 0.95), interpolation_pair=_RESAMPLE, p=0.6),
        A.ImageCompression(quality_range=(8, 85), p=0.5),
    ]


def _blur() -> A.OneOf:
    return A.OneOf([
        A.MotionBlur(blur_limit=(3, 7), allow_shifted=False),
        A.Defocus(radius=(1, 3), alias_blur=(0.1, 0.3)),
    ], p=0.2)


def _shape() -> A.Affine:
    return A.Affine(scale={"x": (0.94, 1.06), "y": (0.94, 1.06)}, shear=(-4, 4), keep_ratio=False,
                    border_mode=cv2.BORDER_REPLICATE, p=0.4)


def _holes(largest: int) -> A.CoarseDropout:
    return A.CoarseDropout(num_holes_range=(1, 2), hole_height_range=(4, largest), hole_width_range=(4, largest),
                           fill="random_uniform", p=0.15)


#: Pipeline of each net's store: transforms, in order.
_STEPS = {
    "landmarks": lambda: [_shape(), _blur(), *_quality(0.3), A.RandomToneCurve(scale=0.2, p=0.2), _holes(45)],
    "eyes": lambda: [_shape(), _blur(), *_quality(0.28), A.RandomToneCurve(scale=0.2, p=0.2)],
    "finder": lambda: [*_quality(0.5), A.RandomToneCurve(scale=0.2, p=0.2)],
}


class Augment:
    """One pipeline with its own random numbers."""

    def __init__(self, net: str, share: float = SHARE) -> None:
        self.pipeline = A.Compose(_STEPS[net](), keypoint_params=A.KeypointParams("xy", remove_invisible=False))
        self.share = share

    def __call__(self, pictures: np.ndarray, points: np.ndarray | None, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (n, h, w) uint8 and points (n, k, 2) in px; numbers come from `rng` alone."""
        out = pictures.copy()
        moved = np.zeros((len(out), 0, 2), np.float32) if points is None else points.copy()
        self.pipeline.set_random_seed(int(rng.integers(0, 2**31)))
        for i in np.flatnonzero(rng.random(len(out)) < self.share):
            made = self.pipeline(image=out[i], keypoints=moved[i])
            out[i] = made["image"]
            if points is not None:
                moved[i] = made["keypoints"]
        return out, moved

    def store(self, path: Path) -> None:
        """Writes the pipeline as JSON; `albumentations.from_dict` reads it back where this module is imported."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(A.to_dict(self.pipeline), indent=1, default=str) + "\n")
