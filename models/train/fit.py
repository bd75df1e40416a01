"""Trains one net: its data, its step, its validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import losses, nets, samples, scenes
from . import synthetic as rendered
from .data import cache_root
from .labels import targets
from .export import MODELS
from .loop import LEARNING_RATE, Forward, fit
from .nets import LANDMARKS_HW
from .pipeline import Pipeline
from .variants import variants

BATCH = {"landmarks": 64, "eyes": 128, "finder": 32, "article": 64, "pose": 96}
#: Share of rendered faces where recordings of the synthetic user are given.
SYNTHETIC_SHARE = {"landmarks": 0.2, "eyes": 0.4, "finder": 0.15, "pose": 0.6}
#: Share of turned and bespectacled faces among the photographs.
CHANGED_SHARE = {"landmarks": 0.3, "eyes": 0.25, "pose": 0.5}
#: Faceless crops that the landmark net learns to refuse.
FACELESS = 3000
#: Steps of a full training; about an hour a net on one core.
STEPS = {"landmarks": 20000, "eyes": 20000, "finder": 12000, "article": 6000, "pose": 6000}
#: Trainings of a part of a net, and the net.
PART_OF = {"pose": "landmarks"}


@dataclass
class Run:
    """One training: steps, seed, checkpoint file, recordings to mix in, peak learning rate."""

    steps: int
    seed: int
    checkpoint: Path
    synthetic: list[Path]
    learning_rate: float


def train(name: str, steps: int | None, seed: int, tag: str, synthetic: list[Path], start: str | None = None,
          learning_rate: float = LEARNING_RATE) -> Path:
    """Trains net `name`, afresh or from the weights tagged `start`, into the cache; gives the file."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    runs = {"landmarks": _landmarks, "eyes": _eyes, "finder": _finder, "pose": _pose}
    whole = PART_OF.get(name, name)
    if whole != name and start is None:
        raise SystemExit(f"`fit {name}` trains a part of the net `{whole}`: give the tag of its weights with --start")
    out = cache_root() / f"{whole}{tag}.pt"
    fresh = nets.build(whole)
    if start is not None:
        known = torch.load(cache_root() / f"{whole}{start}.pt", weights_only=True)
        # Weights of before there was a head for the pose are good for all else.
        fresh.load_state_dict(known, strict=any(key.startswith("pose.") for key in known) or whole != "landmarks")
    run = Run(steps or STEPS[name], seed, cache_root() / f"{name}{tag}.checkpoint.pt", synthetic, learning_rate)
    net = runs[name](fresh, run)
    torch.save(net.state_dict(), out)
    print(f"wrote {out}")
    return out


def average(name: str, tags: list[str], out: str) -> Path:
    """Averages the weights of several trainings, each begun from the one before; gives the file.

    The mean of weights that lie in one valley serves other pictures better than any of them (Wortsman et al. 2022, "Model
    soups").
    """
    states = [torch.load(cache_root() / f"{name}{tag}.pt", weights_only=True) for tag in tags]
    mean = {k: (sum(s[k].float() for s in states) / len(states)).to(states[0][k].dtype) for k in states[0]}
    path = cache_root() / f"{name}{out}.pt"
    torch.save(mean, path)
    print(f"wrote {path}")
    return path


def _weights(name: str, photographs: int, changed: int, rendered_ones: int) -> np.ndarray:
    """Probability of each sample for the net `name`, of stores joined in this order."""
    parts = [(photographs, 1 - CHANGED_SHARE[name]), (changed, CHANGED_SHARE[name])]
    share = SYNTHETIC_SHARE[name] if rendered_ones else 0.0
    groups = [(n, (1 - share) * of) for n, of in parts] + [(rendered_ones, share)]
    weights = np.concatenate([np.full(n, of / max(n, 1)) for n, of in groups])
    return weights / weights.sum()


def _landmarks(fresh: nn.Module, run: Run) -> nn.Module:
    seed, synthetic = run.seed, run.synthetic
    t = targets()
    store = samples.FaceStore.build(t.portraits("train"))
    changed = samples.FaceStore.build(variants(t, "train", seed))
    sizes = len(store.pictures), len(changed.pictures)
    store = store.join(changed)
    if synthetic:
        store = store.join(rendered.stores(synthetic)[1])
    weights = _weights("landmarks", *sizes, len(store.pictures) - sum(sizes))
    held = samples.FaceStore.build(t.portraits("validation"))
    sources = scenes.SceneMaker(t, "train", seed).sources
    whole = all((MODELS / f"{name}.onnx").exists() for name in ("finder", "landmarks", "eyes"))
    miner = Pipeline(MODELS) if whole else None
    faceless = samples.faceless_crops(FACELESS, sources, seed, miner)
    side = LANDMARKS_HW[0]

    def step(forward: Forward, n: int) -> tuple[Tensor, dict[str, float]]:
        x, points, face = samples.landmarks_batch(store, BATCH["landmarks"], samples.Draw(seed, n), faceless, weights)
        return losses.landmarks_loss(forward(x), points, face, side)

    def validate(net: nn.Module) -> str:
        check = samples.Draw(1)
        px, corners, right = [], [], []
        with torch.no_grad():
            for _ in range(8):
                x, points, face = samples.landmarks_batch(held, 100, check, faceless)
                out = net(x)
                d = losses.distances(out[:, :44].view(-1, 22, 2), points)
                across = (points[:, 0] - points[:, 3]).norm(dim=1)
                keep = face > 0.5
                px.append(d[keep].mean().item())
                corners.append((d[keep, :4].mean(1) / across[keep]).mean().item() * 100)
                right.append(((out[:, 44] > 0).float() == face).float().mean().item())
        return f"points {np.mean(px):.3f} px, corners {np.mean(corners):.2f} %, face {np.mean(right):.3f}"

    return fit(fresh, step, run.steps, run.checkpoint, validate, run.learning_rate)


class _OnlyPose(nn.Module):
    """The landmark net with all but its pose head as it is."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        for name, weight in net.named_parameters():
            weight.requires_grad_(name.startswith("pose."))

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        # The batch norms keep what they know.
        self.net.eval()
        return self

    def features(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.net.features(x)

    def answer(self, features: Tensor) -> Tensor:
        return self.net.pose(features)


def _pose(fresh: nn.Module, run: Run) -> nn.Module:
    seed, synthetic = run.seed, run.synthetic
    t = targets()
    photographs = samples.FaceStore.build(t.portraits("train"))
    changed = samples.FaceStore.build(variants(t, "train", seed))
    sizes = len(photographs.pictures), len(changed.pictures)
    store = photographs.join(changed)
    held = samples.FaceStore.build(t.portraits("validation"))
    if synthetic:
        drawn = rendered.stores(synthetic)[1]
        # Recordings are read in the order of their seeds: but for whom the cut goes through, the last tenth are other people.
        first = len(drawn.pictures) * 9 // 10
        store, held_drawn = store.join(drawn.part(0, first)), drawn.part(first, len(drawn.pictures))
    weights = _weights("pose", *sizes, len(store.pictures) - sum(sizes))

    def step(forward: Forward, n: int) -> tuple[Tensor, dict[str, float]]:
        x, angles = samples.pose_batch(store, BATCH["pose"], samples.Draw(seed, n), weights)
        answer = forward(x)
        off = float((answer.detach() - angles).abs().mean().rad2deg())
        return nn.functional.smooth_l1_loss(answer, angles, beta=0.02), {"deg": off}

    def validate(net: nn.Module) -> str:
        parts = []
        for name, stores in (("photographs", held), *((("synthetic", held_drawn),) if synthetic else ())):
            with torch.no_grad():
                x, angles = samples.pose_batch(stores, 800, samples.Draw(1))
                off = (net.answer(net.features(x)) - angles).abs().mean(0).rad2deg().tolist()
            parts.append(f"{name} yaw {off[0]:.2f}, pitch {off[1]:.2f}, roll {off[2]:.2f} deg")
        return "; ".join(parts)

    return fit(_OnlyPose(fresh), step, run.steps, run.checkpoint, validate, run.learning_rate).net


def _eyes(fresh: nn.Module, run: Run) -> nn.Module:
    seed, synthetic = run.seed, run.synthetic
    t = targets()
    store = samples.EyeStore.build(t.portraits("train"))
    changed = samples.EyeStore.build(variants(t, "train", seed))
    sizes = len(store.pictures), len(changed.pictures)
    store = store.join(changed)
    if synthetic:
        store = store.join(rendered.stores(synthetic)[0])
    weights = _weights("eyes", *sizes, len(store.pictures) - sum(sizes))
    held = samples.EyeStore.build(t.portraits("validation"))

    def step(forward: Forward, n: int) -> tuple[Tensor, dict[str, float]]:
        b = samples.eyes_batch(store, BATCH["eyes"], samples.Draw(seed, n), weights)
        return losses.eyes_loss(forward(b["x"]), b)

    def validate(net: nn.Module) -> str:
        check = samples.Draw(1)
        pupil, corner, opened = [], [], []
        with torch.no_grad():
            for _ in range(8):
                b = samples.eyes_batch(held, 200, check)
                out = net(b["x"])
                d = losses.distances(out[:, :10].view(-1, 5, 2), b["points"])
                keep = b["visible"] * b["pupil_weight"] > 0.5
                pupil.append(d[keep, 0].mean().item())
                corner.append(d[keep, 1:3].mean().item())
                opened.append((torch.sigmoid(out[:, 10]) - b["openness"])[keep].abs().mean().item())
        return f"pupil {np.mean(pupil):.3f} px, corners {np.mean(corner):.3f} px, openness {np.mean(opened):.3f}"

    return fit(fresh, step, run.steps, run.checkpoint, validate, run.learning_rate)


def _finder(fresh: nn.Module, run: Run) -> nn.Module:
    seed, synthetic = run.seed, run.synthetic
    t = targets()
    extra = rendered.cutouts(synthetic, 400) if synthetic else []
    maker = scenes.SceneMaker(t, "train", seed, extra, SYNTHETIC_SHARE["finder"])
    held = scenes.SceneMaker(t, "validation", seed + 1)
    checks = [held.batch(64) for _ in range(4)]

    def step(forward: Forward, n: int) -> tuple[Tensor, dict[str, float]]:
        maker.at(n)
        x, target, positive, ignore = maker.batch(BATCH["finder"])
        return losses.finder_loss(forward(x), target, positive, ignore)

    def validate(net: nn.Module) -> str:
        with torch.no_grad():
            rows = [scenes.score(net(x), target, positive, ignore) for x, target, positive, ignore in checks]
        recall, alarms, offset, size = np.array(rows).mean(0)
        return f"recall {recall:.3f}, false alarms {alarms:.3f}, offset {offset:.3f} sizes, size {size:.3f} ln"

    return fit(fresh, step, run.steps, run.checkpoint, validate, run.learning_rate)
