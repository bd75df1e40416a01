"""Learns what people have in common before calibration: `models/gaze_prior.json`.

Many synthetic people look at points. Of each, a linear correction of the geometric gaze is fitted; mean and covariance of
its weights over people come from expectation maximisation (linear mixed model: Laird and Ware, Biometrics 38, 1982). The
kernel of the eyes' appearance and the noise are then chosen for the best prediction of frames that a nine-point
calibration has not seen, of people that mean and covariance were not learned from.

Everybody is recorded as they sit, elsewhere and turned otherwise, and in the postures that `gazectl calibrate` asks for: what
a moved head brings is learned from the differences, and the scales are chosen for both, or a calibration would take for the
person what is the pose's.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from . import head, manifest
from .synthesize import record

#: Seeds of these people; the nets are trained on others, and neither is measured on.
FIRST_SEED = 900_000
SECONDS = 40
#: After the head has moved.
SECONDS_MOVED = 20
#: In each posture.
SECONDS_POSED = 5
#: The postures at the end of a calibration (`src/cli/calibrate/course.rs`): what the source has beside the usual pose, and at
#: how many points the eyes rest meanwhile.
POSTURES = {
    "left": ({"head_yaw_deg": 18}, 1),
    "right": ({"head_yaw_deg": -18}, 1),
    "up": ({"head_pitch_deg": 11}, 1),
    "down": ({"head_pitch_deg": -11}, 1),
    "slumped": ({"head_y_mm": 45}, 2),
    "leaning-left": ({"head_x_mm": 80, "head_yaw_deg": 12}, 2),
    "leaning-right": ({"head_x_mm": -80, "head_yaw_deg": -12}, 2),
}
#: Standardised values beyond this say nothing more.
LIMIT = 4.0
#: Frames of a point that a calibration uses, as in the daemon.
FRAMES_OF_A_POINT = 12
LEAST_FRAMES = 6
#: Nine points of a calibration, in parts of the screen.
GRID = [(x, y) for x in (0.08, 0.5, 0.92) for y in (0.08, 0.5, 0.92)]
SCREEN_MM = np.array([531.0, 299.0])


@dataclass
class Person:
    """The tracked frames of one person that show a fixation."""

    basis: np.ndarray
    appearance: np.ndarray
    #: True minus geometric gaze, tangents right and down.
    wanted: np.ndarray
    #: Number of the fixation.
    fixation: np.ndarray
    #: True gaze point in mm.
    gaze_mm: np.ndarray
    #: By how much yaw, pitch and roll of the head were seen too large, radians.
    turn_error: np.ndarray

    def can_be_calibrated(self) -> bool:
        """Fixations for nine points, and some to be asked for."""
        return sum((self.fixation == n).sum() >= LEAST_FRAMES for n in np.unique(self.fixation)) >= 12


#: Somebody of whom nothing was seen: 24 functions of the features, 512 cells of both eyes.
NOBODY = Person(np.zeros((0, 24)), np.zeros((0, 512)), np.zeros((0, 2)), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 3)))


def source(index: int) -> str:
    """The synthetic user number `index`: looking at points, some freely; distances, some pictures larger."""
    draw = random.Random(index)
    parts = f"seed={FIRST_SEED + index},fps=10,behaviour={'fixate' if index % 4 else 'free'}"
    if index % 2:
        parts += f",distance_mm={draw.uniform(450, 850):.0f}"
    if index % 3 == 0:
        parts += ",width=1280,height=720"
    return "synthetic:" + parts


def source_moved(index: int) -> str:
    """The same person elsewhere: within 13 cm to the sides, nearer or further, turned and tilted."""
    draw = random.Random(5000 + index)
    parts = (f",head_x_mm={draw.uniform(-130, 130):.0f},head_y_mm={draw.uniform(-30, 60):.0f}"
             f",head_yaw_deg={draw.uniform(-20, 20):.1f},head_pitch_deg={draw.uniform(-22, 6):.1f}"
             f",head_roll_deg={draw.uniform(-10, 10):.1f}")
    if "distance_mm" not in source(index):
        parts += f",distance_mm={draw.uniform(480, 740):.0f}"
    return source(index).replace("fps=10", "fps=6") + parts


def recorded(folder: Path, index: int, gazectl: Path, kind: str = "") -> Path:
    """A recording of one person: as they sit, `moved`, or in one of `POSTURES`; made where it is missing."""
    place = folder / f"{FIRST_SEED + index}{'-' if kind else ''}{kind}"
    if not place.exists():
        seconds, what = (SECONDS_MOVED, source_moved(index)) if kind == "moved" else (SECONDS, source(index))
        if kind in POSTURES:
            seconds = SECONDS_POSED
            with (recorded(folder, index, gazectl) / "truth.csv").open() as file:
                rows = list(csv.DictReader(file))
            for key, more in POSTURES[kind][0].items():
                what += f",{key}={np.mean([float(row[key]) for row in rows]) + more:.1f}"
            what = what.replace("behaviour=free", "behaviour=fixate")
        record(gazectl, place, seconds, what)
    return place


@dataclass
class Subject:
    """What is known of one person: as they sit, in the postures that were asked for, by their names, and elsewhere."""

    usual: Person
    posed: dict[str, Person]
    moved: Person

    def everything(self) -> Person:
        return joined(self.usual, *self.posed.values(), self.moved)


def person(recording: Path, gazectl: Path) -> Person:
    """What the tracker sees of one person's fixations."""
    seen = subprocess.run([gazectl, "track", recording, "--json", "--models", manifest.MODELS], check=True, capture_output=True, text=True).stdout
    frames = [json.loads(line) for line in seen.splitlines()]
    with (recording / "truth.csv").open() as file:
        truths = list(csv.DictReader(file))
    rows: list[tuple] = []
    number, before = -1, None
    for frame, truth in zip(frames, truths, strict=True):
        gaze = np.array([float(truth["gaze_x"]), float(truth["gaze_y"])]) * SCREEN_MM
        if truth["movement"] != "fixation":
            before = None
            continue
        if before is None or np.hypot(*(gaze - before)) > 25:
            number += 1
        before = gaze
        if not frame["tracked"]:
            continue
        eyes, features = np.array(frame["eyes_mm"]), frame["features"]
        geometric = np.array([features[16] + features[18], features[17] + features[19]]) / 2
        # Fine and wide, half of each.
        appearance = np.frombuffer(bytes.fromhex(frame["appearance"]), np.int8) * (0.5 / 127 * 0.5**0.5)
        angles = np.radians([float(truth[f"head_{name}_deg"]) for name in ("yaw", "pitch", "roll")])
        place = np.array([float(truth[f"head_{name}_mm"]) for name in "xyz"])
        turn_error = np.array(features[10:13]) - head.angles(head.seen(angles, place))
        rows.append((frame["basis"], appearance, (gaze - eyes[:2]) / eyes[2] - geometric, number, gaze, turn_error))
    return Person(*(np.array(column) for column in zip(*rows))) if rows else NOBODY


def joined(*recordings: Person) -> Person:
    """Several recordings of one person."""
    parts, first = [], 0
    for one in recordings:
        parts.append(Person(**{**vars(one), "fixation": one.fixation + first}))
        first += one.fixation.max(initial=-1) + 1
    return Person(*(np.concatenate(columns) for columns in zip(*(vars(part).values() for part in parts))))


def looks(posed: Person, count: int) -> list[np.ndarray]:
    """The frames of the `count` fixations nearest to the screen's middle; fewer where there are fewer."""
    numbers = [n for n in np.unique(posed.fixation) if (posed.fixation == n).sum() >= LEAST_FRAMES]
    numbers.sort(key=lambda n: np.hypot(*(np.median(posed.gaze_mm[posed.fixation == n], 0) - SCREEN_MM / 2)))
    return [np.flatnonzero(posed.fixation == n)[1 : 1 + FRAMES_OF_A_POINT] for n in numbers[:count]]


@dataclass
class Prior:
    """Mean and spread of the basis; of each axis the weights' mean and covariance, and the variances of the noise."""

    mean: np.ndarray
    sd: np.ndarray
    weights: list[np.ndarray]
    covariance: list[np.ndarray]
    point: np.ndarray
    frame: np.ndarray

    def standardised(self, basis: np.ndarray) -> np.ndarray:
        return np.clip((basis - self.mean) / self.sd, -LIMIT, LIMIT)


def learn(people: list[Person], rounds: int = 60, shrink: float = 2.0) -> Prior:
    """Expectation maximisation over the means of fixations; `shrink` people of small weights steady the covariance."""
    means, within = [], []
    for one in people:
        parts = [one.fixation == number for number in np.unique(one.fixation)]
        parts = [part for part in parts if part.sum() >= 2]
        means.append((np.array([one.basis[p].mean(0) for p in parts]), np.array([one.wanted[p].mean(0) for p in parts])))
        within.append(np.array([one.wanted[p].var(0, ddof=1) for p in parts]))
    everything = np.vstack([basis for basis, _ in means])
    mean, sd = everything.mean(0), everything.std(0)
    mean[0], sd[0] = 0.0, 1.0
    size = len(mean)
    prior = Prior(mean, sd, [], [], np.zeros(2), np.vstack(within).mean(0))
    for axis in range(2):
        weights, covariance, variance = np.zeros(size), np.eye(size) * 0.05**2, 0.02**2
        for _ in range(rounds):
            each, spreads, squares, count = [], [], 0.0, 0
            inverse = np.linalg.inv(covariance)
            for basis, wanted in means:
                x, y = prior.standardised(basis), wanted[:, axis]
                spread = np.linalg.inv(inverse + x.T @ x / variance)
                own = spread @ (inverse @ weights + x.T @ y / variance)
                squares += ((y - x @ own) ** 2).sum() + np.einsum("ij,jk,ik->", x, spread, x)
                count += len(y)
                each.append(own)
                spreads.append(spread)
            stacked = np.array(each)
            weights = stacked.mean(0)
            off = stacked - weights
            covariance = (sum(spreads) + off.T @ off + shrink * np.eye(size) * 0.01**2) / (len(means) + shrink)
            variance = squares / count
        prior.weights.append(weights)
        prior.covariance.append(covariance)
        prior.point[axis] = variance
    return prior


def calibration(one: Person) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames of the nine fixations nearest to the grid, the point of each, and the frames of all other fixations."""
    numbers = [n for n in np.unique(one.fixation) if (one.fixation == n).sum() >= LEAST_FRAMES]
    centres = np.array([np.median(one.gaze_mm[one.fixation == n], 0) for n in numbers])
    chosen: list[int] = []
    for point in GRID:
        distance = np.hypot(*(centres - np.array(point) * SCREEN_MM).T)
        distance[chosen] = np.inf
        chosen.append(int(distance.argmin()))
    frames, points = [], []
    for point, index in enumerate(chosen):
        of_point = np.flatnonzero(one.fixation == numbers[index])[1 : 1 + FRAMES_OF_A_POINT]
        frames += list(of_point)
        points += [point] * len(of_point)
    left = np.flatnonzero(~np.isin(one.fixation, [numbers[index] for index in chosen]))
    return np.array(frames), np.array(points), left


#: What is chosen: factors of the covariance and of both noises, variance and length of the appearance's part.
START = {"linear": 0.6, "appearance": 0.006, "length": 0.9, "point": 0.25, "frame": 0.6}


@dataclass
class Trial:
    """A nine-point calibration of one person and the frames to predict, with a prior of other people.

    `moved` of the frames, the last ones, are of after the head has moved.
    """

    prior: Prior
    known: np.ndarray
    asked: np.ndarray
    alike: np.ndarray
    alike_asked: np.ndarray
    wanted: np.ndarray
    truth: np.ndarray
    points: np.ndarray
    moved: int

    @staticmethod
    def of(subject: Subject, prior: Prior, every: int = 3) -> "Trial":
        frames, points, left = calibration(subject.usual)
        one = subject.everything()
        first = len(subject.usual.fixation)
        for name, posed in subject.posed.items():
            for look in looks(posed, POSTURES[name][1]):
                frames, points = np.concatenate([frames, first + look]), np.concatenate([points, np.full(len(look), points.max() + 1)])
            first += len(posed.fixation)
        moved = np.arange(first, len(one.fixation))[::every]
        asked = np.concatenate([left[::every], moved])
        a, b = one.appearance[frames], one.appearance[asked]
        return Trial(prior, prior.standardised(one.basis[frames]), prior.standardised(one.basis[asked]),
                     squared(a, a), squared(b, a), one.wanted[frames], one.wanted[asked], points, len(moved))

    def predict(self, scale: dict[str, float], average: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of each frame's correction (frames, 2)."""
        same = (self.points[:, None] == self.points[None]).astype(float)
        rate = 0.5 / scale["length"] ** 2
        alike = scale["appearance"] * np.exp(-rate * self.alike)
        alike_asked = scale["appearance"] * np.exp(-rate * self.alike_asked)
        means, variances = [], []
        for axis in range(2):
            covariance = scale["linear"] * self.prior.covariance[axis]
            noise = scale["point"] * self.prior.point[axis], scale["frame"] * self.prior.frame[axis]
            weights = self.prior.weights[axis] * average
            matrix = self.known @ covariance @ self.known.T + alike + noise[0] * same + noise[1] * np.eye(len(same))
            between = self.asked @ covariance @ self.known.T + alike_asked
            solved = np.linalg.solve(matrix, np.column_stack([self.wanted[:, axis] - self.known @ weights, between.T]))
            means.append(self.asked @ weights + between @ solved[:, 0])
            own = np.einsum("ij,jk,ik->i", self.asked, covariance, self.asked) + scale["appearance"]
            variances.append(own - (between * solved[:, 1:].T).sum(1) + sum(noise))
        return np.stack(means, 1), np.stack(variances, 1)

    def surprise(self, scale: dict[str, float]) -> float:
        """Mean minus log likelihood of the frames; beyond five standard deviations a frame counts as a blink."""
        mean, variance = self.predict(scale)
        return float(np.mean(0.5 * np.minimum((self.truth - mean) ** 2 / variance, 25) + 0.5 * np.log(variance)))

    def median_errors_deg(self, scale: dict[str, float], average: bool = True) -> tuple[float, float]:
        """Of the frames before the head moved, and of those after."""
        mean, _ = self.predict(scale, average)
        errors = np.degrees(np.hypot(*(self.truth - mean).T))
        first = len(errors) - self.moved
        return float(np.median(errors[:first])), float(np.median(errors[first:])) if self.moved else float("nan")


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances between rows."""
    return np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)


def choose(trials: list[Trial]) -> dict[str, float]:
    """The scales that predict best, by the simplex method over their logarithms."""
    names = list(START)

    def cost(logs: np.ndarray) -> float:
        return float(np.mean([trial.surprise(dict(zip(names, np.exp(logs)))) for trial in trials]))

    start = np.log([START[name] for name in names])
    simplex = np.vstack([start, start + 0.6 * np.eye(len(names))])
    found = minimize(cost, start, method="Nelder-Mead", options={"maxfev": 90, "initial_simplex": simplex})
    return dict(zip(names, map(float, np.exp(found.x))))


def report(trials: list[Trial], scale: dict[str, float]) -> dict[str, list[float]]:
    """Median error in degrees of candidates, over people: mean and the 90th percentile, and the mean after moving."""
    candidates = {
        "average person": ({**scale, "linear": 1e-9, "appearance": 1e-9}, True),
        "ridge (no mean learned, one width for all)": (None, False),
        "learned prior": ({**scale, "appearance": 1e-9}, True),
        "average person and appearance": ({**scale, "linear": 1e-9}, True),
        "learned prior and appearance": (scale, True),
    }
    rows = {}
    for name, (with_scale, average) in candidates.items():
        errors = []
        for trial in trials:
            if with_scale is None:
                flat = [np.eye(len(c)) * np.trace(c) / len(c) for c in trial.prior.covariance]
                plain = Trial(**{**vars(trial), "prior": Prior(**{**vars(trial.prior), "covariance": flat})})
                errors.append(plain.median_errors_deg({**scale, "linear": 9.0, "appearance": 1e-9, "point": 1.0, "frame": 1.0}, False))
            else:
                errors.append(trial.median_errors_deg(with_scale, average))
        before, after = np.array(errors).T
        rows[name] = [round(float(value), 2) for value in (before.mean(), np.percentile(before, 90), after.mean())]
        print(f"{name:45s} mean {rows[name][0]:.2f} deg, 90 % of people under {rows[name][1]:.2f} deg; "
              f"moved {rows[name][2]:.2f} deg", flush=True)
    for name in ("before", "after"):
        inside, widths = [], []
        for trial in trials:
            mean, variance = trial.predict(scale)
            radius, miss = 2.4477 * np.sqrt(variance.mean(1)), np.hypot(*(trial.truth - mean).T)
            first = len(miss) - trial.moved
            part = slice(first) if name == "before" else slice(first, None)
            inside.append((miss[part] < radius[part]).mean())
            widths.append(radius[part].mean() / np.quantile(miss[part], 0.95))
        print(f"radius {name} moving holds {np.mean(inside):.3f} of frames (tenth of people under "
              f"{np.percentile(inside, 10):.3f}), {np.mean(widths):.2f} of the constant one")
    return rows


def run(folder: Path, gazectl: Path, count: int) -> None:
    """Records, learns, chooses, reports and writes."""
    def subject(index: int) -> Subject:
        usual, moved, *posed = (person(recorded(folder, index, gazectl, kind), gazectl) for kind in ("", "moved", *POSTURES))
        return Subject(usual, {name: one for name, one in zip(POSTURES, posed) if len(one.fixation)}, moved)

    with ThreadPoolExecutor(2) as pool:
        subjects = list(pool.map(subject, range(count)))
    subjects = [s for s in subjects if s.usual.can_be_calibrated() and len(s.moved.fixation) >= LEAST_FRAMES]
    changes = np.degrees([s.moved.turn_error.mean(0) - s.usual.turn_error.mean(0) for s in subjects])
    print("head, from before to after moving: off by (SD over people) yaw {:.2f}, pitch {:.2f}, roll {:.2f} deg".format(*changes.std(0)))
    people = [subject.everything() for subject in subjects]
    halves = [learn(people[half::2]) for half in (0, 1)]
    trials = [Trial.of(s, halves[1 - index % 2]) for index, s in enumerate(subjects)]
    scale = choose(trials)
    print({name: round(value, 4) for name, value in scale.items()})
    rows = report(trials, scale)
    prior = learn(people)
    write(prior, scale, len(people), rows)


def shipped() -> tuple[Prior, dict[str, float]]:
    """The prior that the daemon has, and its scales."""
    text = json.loads((manifest.MODELS / "gaze_prior.json").read_text())
    axes = text["axes"]
    prior = Prior(
        np.array(text["mean"]), np.array(text["sd"]), [np.array(a["weights"]) for a in axes],
        [np.array(a["covariance"]) for a in axes], np.array([a["point_variance"] for a in axes]),
        np.array([a["frame_variance"] for a in axes]),
    )
    own = {"appearance": text["appearance_variance"], "length": text["appearance_length"]}
    return prior, {"linear": 1.0, "point": 1.0, "frame": 1.0, **own}


def write(prior: Prior, scale: dict[str, float], people: int, rows: dict[str, list[float]]) -> None:
    """`gaze_prior.json`, as the daemon reads it, and its line in the manifest."""
    def rounded(values: np.ndarray) -> list:
        return [float(f"{v:.7g}") for v in values]

    axes = [
        {
            "weights": rounded(prior.weights[axis]),
            "covariance": [rounded(row) for row in 0.5 * (c + c.T)],
            "point_variance": float(f"{scale['point'] * prior.point[axis]:.7g}"),
            "frame_variance": float(f"{scale['frame'] * prior.frame[axis]:.7g}"),
        }
        for axis, c in enumerate(scale["linear"] * c for c in prior.covariance)
    ]
    text = {
        "about": f"{people} synthetic people, seeds from {FIRST_SEED}; python -m models.train prior",
        "held_out_median_deg": rows,
        "mean": rounded(prior.mean), "sd": rounded(prior.sd), "limit": LIMIT, "axes": axes,
        "appearance_variance": scale["appearance"], "appearance_length": scale["length"],
    }
    path = manifest.MODELS / "gaze_prior.json"
    path.write_text(json.dumps(text, indent=1) + "\n")
    manifest.update_prior(path)
