"""Trains the article's EyesNet the way its article did, and measures what its split hides.

The article reports the error on its training loader and splits at random over frames. Here the same
pictures are measured three ways: on the pictures trained on, split at random over frames, and split
by person (or photograph).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from . import warp
from .article import ArticleEyesNet
from .data import cache_root
from .export import MODELS, to_onnx
from .labels import Targets, targets
from .points import LEFT_INNER, LEFT_OUTER, RIGHT_INNER, RIGHT_OUTER
from .synthetic import PUPIL_SHOWN, frames, recordings

#: A crop is this many eye widths wide, upright, centred between the corners; twice as wide as high.
CROP_PER_EYE = 1.7
HW = (16, 32)


def eye_crop(picture: np.ndarray, outer: np.ndarray, inner: np.ndarray, pupil: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 16x32 crop in 0..1 and the pupil's place in it in parts of the crop."""
    centre, k = (outer + inner) / 2, float(np.linalg.norm(outer - inner)) * CROP_PER_EYE / HW[1]
    m = np.array([[k, 0, centre[0] - k * (HW[1] - 1) / 2], [0, k, centre[1] - k * (HW[0] - 1) / 2]])
    place = (warp.apply(warp.invert(m), pupil) + 0.5) / [HW[1], HW[0]]
    return warp.warp(picture, m, HW) / 255.0, place


#: Left and right crops, the pupil place averaged over the eyes, and whose picture it is.
Pairs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]


def pairs(portraits: Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> Pairs:
    """Crops of (person, gray picture, 22 points, pupils)."""
    left, right, place, person = [], [], [], []
    for name, gray, p, pupils in portraits:
        a = eye_crop(gray, p[LEFT_OUTER], p[LEFT_INNER], pupils[0])
        b = eye_crop(gray, p[RIGHT_OUTER], p[RIGHT_INNER], pupils[1])
        left.append(a[0])
        right.append(b[0])
        place.append((a[1] + b[1]) / 2)
        person.append(name)
    x, y, p = (torch.from_numpy(np.stack(v).astype(np.float32)) for v in (left, right, place))
    return x[:, None], y[:, None], p, person


def photographs(t: Targets) -> Pairs:
    """Helen, nearly one picture a person."""
    index = sorted(t.split["train"] + t.split["validation"])
    return pairs((t.faces[i].photograph, t.faces[i].gray(), t.mixed[i], t.pupils[i]) for i in index)


def rendered(folders: list[Path]) -> Pairs:
    """Synthetic people, several frames of each: open eyes."""
    return pairs(
        (recording.name, frame.gray, frame.points, frame.pupils)
        for recording in recordings(folders) for frame in frames(recording) if frame.openness.min() > PUPIL_SHOWN
    )


def train_as_article(left: torch.Tensor, right: torch.Tensor, place: torch.Tensor, index: np.ndarray, epochs: int,
                     seed: int) -> ArticleEyesNet:
    """Adam 1e-3, mean squared error, no augmentation, batches of 64."""
    torch.manual_seed(seed)
    net = ArticleEyesNet()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        for part in np.array_split(rng.permutation(index), max(1, len(index) // 64)):
            loss = F.mse_loss(net(left[part], right[part]), place[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if (epoch + 1) % max(1, epochs // 5) == 0:
            print(f"epoch {epoch + 1}/{epochs} loss {loss.item():.6f}", flush=True)
    return net.eval()


def error_sd(net: ArticleEyesNet, left: torch.Tensor, right: torch.Tensor, place: torch.Tensor, index: np.ndarray) -> list[float]:
    """SD of the error in x and y, parts of the crop."""
    with torch.no_grad():
        error = net(left[index], right[index]) - place[index]
    return [round(float(v), 5) for v in error.std(0)]


def three_splits(left: torch.Tensor, right: torch.Tensor, place: torch.Tensor, person: list[str], epochs: int) -> dict[str, list[float]]:
    """Error SDs: on the training pictures, on frames held out at random, on persons held out."""
    rng = np.random.default_rng(5)
    n = len(person)
    order = rng.permutation(n)
    held, kept = order[: n // 5], order[n // 5 :]
    net = train_as_article(left, right, place, kept, epochs, 1)
    result = {
        "trained_on": error_sd(net, left, right, place, kept),
        "held_out_at_random": error_sd(net, left, right, place, held),
    }
    people = rng.permutation(sorted(set(person)))
    away = set(people[: max(1, len(people) // 5)])
    mask = np.array([p in away for p in person])
    net = train_as_article(left, right, place, np.flatnonzero(~mask), epochs, 1)
    result["held_out_by_person"] = error_sd(net, left, right, place, np.flatnonzero(mask))
    return result


def run(epochs: int, synthetic: list[Path]) -> None:
    """Trains on the real faces, exports the yardstick and writes its errors beside it."""
    torch.set_num_threads(1)
    left, right, place, person = photographs(targets())
    folder = MODELS / "train" / "yardstick"
    folder.mkdir(exist_ok=True)
    net = train_as_article(left, right, place, np.arange(len(person)), epochs, 1)
    torch.save(net.state_dict(), cache_root() / "article.pt")
    to_onnx(net, {"left": (1, 1, *HW), "right": (1, 1, *HW)}, "xy", folder / "article_eyesnet.onnx")
    report: dict[str, Any] = {"epochs": epochs}
    for name, made in (("photographs", (left, right, place, person)), ("rendered", rendered(synthetic) if synthetic else None)):
        if made is not None:
            report[name] = {"pictures": len(made[3]), "people": len(set(made[3])),
                            "error_sd_xy_parts_of_crop": three_splits(*made, epochs)}
    (folder / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
