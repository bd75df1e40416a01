"""Trains one net: its data, its step, its validation."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from . import losses, nets, provenance, restore, samples, scenes, stores
from . import synthetic as rendered
from .data import cache_root
from .labels import targets
from .export import MODELS
from .loop import LEARNING_RATE, Batch, Course, Forward, Task, fit
from .nets import LANDMARKS_HW

BATCH = {"landmarks": 64, "eyes": 128, "finder": 32}
#: Share of rendered faces where recordings of the synthetic user are given; `pose`: of those that the landmark net learns the
#: head's turn from.
SYNTHETIC_SHARE = {"landmarks": 0.2, "eyes": 0.4, "finder": 0.15, "pose": 0.6}
#: Share of turned and bespectacled faces among the photographs.
CHANGED_SHARE = {"landmarks": 0.3, "eyes": 0.25, "pose": 0.5}
#: Faceless crops that the landmark net learns to refuse.
FACELESS = 3000
#: Steps of a full training; about an hour a net on one core.
STEPS = {"landmarks": 20000, "eyes": 20000, "finder": 12000}
#: What the head's turn weighs beside the points, where both are trained.
POSE_WEIGHT = 25.0
#: Instead of a tag: the weights in models/.
SHIPPED = "shipped"


def train(name: str, steps: int | None, seed: int, tag: str, synthetic: list[Path], start: str | None = None,
          learning_rate: float = LEARNING_RATE, workers: int = 0) -> Path:
    """Trains net `name`, afresh or from the weights tagged `start`, into the cache; gives the file."""
    torch.set_num_threads(1)
    # A process forked from one with threads would wait for them for ever.
    cv2.setNumThreads(0)
    torch.manual_seed(seed)
    out = cache_root() / f"{name}{tag}.pt"
    net = nets.build(name)
    # Of the code that runs, whatever is changed in the meantime.
    made = provenance.now()
    begun = _start(name, start)
    if start == SHIPPED:
        restore.from_onnx(begun, net, _crops(name))
    elif begun is not None:
        net.load_state_dict(torch.load(begun, weights_only=True))
    facts = {"seed": seed, "start": hashlib.sha256(begun.read_bytes()).hexdigest() if begun else "nothing"}
    course = Course(steps or STEPS[name], cache_root() / f"{name}{tag}.checkpoint.pt", learning_rate, workers, facts)
    learned = task(name, seed, synthetic)
    net = fit(net, learned, course)
    torch.save(net.state_dict(), out)
    provenance.write(out, made | {
        "steps": course.steps, "seed": seed, "learning_rate": learning_rate, "start": start, "start_sha256": facts["start"],
        "synthetic": {folder.name: len(rendered.recordings([folder])) for folder in synthetic}, "data": learned.data,
    })
    print(f"wrote {out}")
    return out


def task(name: str, seed: int, synthetic: list[Path]) -> Task:
    """What net `name` is trained for."""
    return {"landmarks": _landmarks, "eyes": eyes, "finder": _finder}[name](seed, synthetic)


def _start(name: str, start: str | None) -> Path | None:
    """The file of weights to begin with."""
    if start is None:
        return None
    return MODELS / f"{name}.onnx" if start == SHIPPED else cache_root() / f"{name}{start}.pt"


def average(name: str, tags: list[str], out: str) -> Path:
    """Averages the weights of several trainings, each begun from the one before; gives the file.

    The mean of weights that lie in one valley serves other pictures better than any of them (Wortsman et al. 2022, "Model
    soups").
    """
    states = [torch.load(cache_root() / f"{name}{tag}.pt", weights_only=True) for tag in tags]
    mean = {k: (sum(s[k].float() for s in states) / len(states)).to(states[0][k].dtype) for k in states[0]}
    path = cache_root() / f"{name}{out}.pt"
    torch.save(mean, path)
    provenance.write(path, provenance.now() | {"average_of": {tag: provenance.read(cache_root() / f"{name}{tag}.pt") for tag in tags}})
    print(f"wrote {path}")
    return path


def _crops(name: str) -> list[Tensor]:
    """Some batches as a net sees them while it is trained."""
    # Training photographs: what is measured on the others stays unseen.
    if name == "finder":
        maker = scenes.SceneMaker(targets(), "train", 2)
        return [maker.batch(BATCH["finder"])[0] for _ in range(4)]
    held = list(islice(targets().portraits("train"), 100))
    if name == "eyes":
        store = samples.EyeStore.build(held)
        return [samples.eyes_batch(store, 200, samples.Draw(2, n))["x"] for n in range(4)]
    faces, blank = samples.FaceStore.build(held), np.zeros((1, 1, *LANDMARKS_HW), np.float32)
    return [samples.landmarks_batch(faces, 200, samples.Draw(2, n), blank)[0] for n in range(4)]


def _weights(counts: list[int], changed: float, rendered: float) -> np.ndarray:
    """Probability of each crop; `counts` as in `Stores`, `changed` the share among the photographs."""
    rendered = rendered if counts[2] else 0.0
    shares = [(1 - rendered) * (1 - changed), (1 - rendered) * changed, rendered]
    weights = np.concatenate([np.full(n, share / max(n, 1)) for n, share in zip(counts, shares)])
    return weights / weights.sum()


def _landmarks(seed: int, synthetic: list[Path]) -> Task:
    t = targets()
    known = stores.of(synthetic)
    weights, turned = (_weights(known.face_counts, CHANGED_SHARE[kind], SYNTHETIC_SHARE[kind]) for kind in ("landmarks", "pose"))
    held = samples.FaceStore.build(t.portraits("validation"))
    mined = stores.faceless(known.folder, FACELESS, lambda: scenes.SceneMaker(t, "train", seed).sources, seed, MODELS)
    faceless = np.load(mined)
    side = LANDMARKS_HW[0]

    def draw(n: int) -> Batch:
        numbers = samples.Draw(seed, n)
        x, points, face = samples.landmarks_batch(known.faces, BATCH["landmarks"], numbers, faceless, weights)
        heads, angles = samples.pose_batch(known.faces, BATCH["landmarks"], numbers, turned)
        return {"x": torch.cat([x, heads]).byte(), "points": points, "face": face, "angles": angles}

    def loss(forward: Forward, b: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        out = forward(b["x"])
        faces = len(b["face"])
        fitted, shown = losses.landmarks_loss(out[:faces], b["points"], b["face"], side)
        pose = out[faces:, -3:]
        shown["deg"] = (pose.detach() - b["angles"]).abs().mean().rad2deg()
        return fitted + POSE_WEIGHT * nn.functional.smooth_l1_loss(pose, b["angles"], beta=0.02), shown

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
            x, angles = samples.pose_batch(held, 400, check)
            off = (net(x)[:, -3:] - angles).abs().mean(0).rad2deg().tolist()
        return (f"points {np.mean(px):.3f} px, corners {np.mean(corners):.2f} %, face {np.mean(right):.3f}, "
                f"yaw {off[0]:.2f}, pitch {off[1]:.2f}, roll {off[2]:.2f} deg beside a mean face laid over the points")

    return Task(draw, loss, validate, f"{known.folder.name}/{mined.name}")


def eyes(seed: int, synthetic: list[Path], share: float = SYNTHETIC_SHARE["eyes"]) -> Task:
    """The eye net's task, `share` of its samples rendered."""
    known = stores.of(synthetic)
    weights = _weights(known.eye_counts, CHANGED_SHARE["eyes"], share)
    held = samples.EyeStore.build(targets().portraits("validation"))

    def draw(n: int) -> Batch:
        b = samples.eyes_batch(known.eyes, BATCH["eyes"], samples.Draw(seed, n), weights)
        return {**b, "x": b["x"].byte()}

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

    return Task(draw, lambda forward, b: losses.eyes_loss(forward(b["x"]), b), validate,
                f"{known.folder.name}, {share:.0%} rendered")


def _finder(seed: int, synthetic: list[Path]) -> Task:
    t = targets()
    extra = rendered.cutouts(synthetic, 400) if synthetic else []
    maker = scenes.SceneMaker(t, "train", seed, extra, SYNTHETIC_SHARE["finder"])
    held = scenes.SceneMaker(t, "validation", seed + 1)
    checks = [held.batch(64) for _ in range(4)]

    def draw(n: int) -> Batch:
        maker.at(n)
        return dict(zip(("x", "target", "positive", "ignore"), maker.batch(BATCH["finder"])))

    def loss(forward: Forward, b: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return losses.finder_loss(forward(b["x"]), b["target"], b["positive"], b["ignore"])

    def validate(net: nn.Module) -> str:
        with torch.no_grad():
            rows = [scenes.score(net(x), target, positive, ignore) for x, target, positive, ignore in checks]
        recall, alarms, offset, size = np.array(rows).mean(0)
        return f"recall {recall:.3f}, false alarms {alarms:.3f}, offset {offset:.3f} sizes, size {size:.3f} ln"

    return Task(draw, loss, validate, stores.key(t, rendered.recordings(synthetic)))
