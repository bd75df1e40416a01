"""One factor at a time on the synthetic user: pupil and gaze errors by step, as numbers and as a plot."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from . import measured, prior
from .export import MODELS
from .pipeline import Pipeline
from .synthesize import record
from .synthetic import frames

#: Factor -> steps of `key=value`. Everything else stays as the seed draws it.
FACTORS: dict[str, list[str]] = {
    "light": [f"light={v}" for v in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)],
    "light direction": [f"light_azimuth_deg={v}" for v in (-100, -60, 0, 60, 100)],
    "distance": [f"distance_mm={v}" for v in (350, 450, 600, 800, 1000, 1300)],
    "yaw": [f"head_yaw_deg={v}" for v in (-35, -20, 0, 20, 35)],
    "pitch": [f"head_pitch_deg={v}" for v in (-25, -12, 0, 12, 25)],
    "roll": [f"head_roll_deg={v}" for v in (-30, -15, 0, 15, 30)],
    "resolution": [f"width={w},height={h}" for w, h in ((320, 240), (640, 480), (1280, 720))],
    "noise": [f"noise={v}" for v in (0, 3, 8, 16)],
    "motion blur": [f"smear_px={v}" for v in (1, 3, 5, 9, 15)],
    "glasses": ["glasses=no", "glasses=yes"],
    "skin": [f"skin={v}" for v in (1, 3, 5, 6)],
    "frame rate": [f"fps={v}" for v in (5, 10, 30)],
    "eye colour": [f"eye_colour={v}" for v in ("dark", "brown", "green", "blue")],
}
SEEDS = (11, 23, 37)
#: Pupils are measured in every so many frames.
EVERY = 3
OPEN = 0.6
#: Frames a second of the recordings where the factor is another one, and their length: some twenty looks.
RATE, SECONDS = 6, 45
#: SD in 1/255 of the noise of smeared pictures.
SMEARED_NOISE = 2.0


def _pupils(pipeline: Pipeline, recordings: list[Path]) -> dict[str, float]:
    errors, percent, total, tracked = [], [], 0, 0
    for recording in recordings:
        for frame in frames(recording, EVERY):
            total += 1
            face = pipeline.track(frame.gray)
            if face is None:
                continue
            tracked += 1
            for eye, (outer, inner) in enumerate(((0, 1), (3, 2))):
                if frame.openness[eye] < OPEN:
                    continue
                off = float(np.linalg.norm(face.eyes[eye].points[0] - frame.pupils[eye]))
                errors.append(off)
                percent.append(off / float(np.linalg.norm(frame.points[outer] - frame.points[inner])) * 100)
    if not errors:
        return {"tracked_share": round(tracked / max(1, total), 3)}
    return {
        "tracked_share": round(tracked / total, 3),
        "pupil_median_px": round(float(np.median(errors)), 3),
        "pupil_p95_px": round(float(np.percentile(errors, 95)), 3),
        "pupil_median_percent_of_eye": round(float(np.median(percent)), 2),
    }


def _gaze(gazectl: Path, recordings: list[Path]) -> dict[str, float]:
    """Gaze error of nine-point calibrations made and used under the same condition; single frames, no smoothing."""
    known, scales = prior.shipped()
    errors = []
    for recording in recordings:
        one = prior.person(recording, gazectl)
        if len(one.fixation) and one.can_be_calibrated():
            errors.append(prior.Trial.of(prior.Subject(one, {}, prior.NOBODY), known, 1).median_errors_deg(scales)[0])
    return {"gaze_median_deg": round(float(np.mean(errors)), 2)} if errors else {}


def _smear(recording: Path, px: int) -> None:
    """As if the head moved sideways by so many px, an odd number, while the shutter was open: nothing but eyes and lids moves in the
    synthetic user's exposures. The noise of the sensor comes afterwards and is not smeared."""
    rng = np.random.default_rng(6)
    for path in sorted(recording.glob("frames/*.jpg")):
        picture = cv2.blur(cv2.imread(str(path)), (px, 1)).astype(np.float32)
        noisy = (picture + rng.normal(0, SMEARED_NOISE, picture.shape[:2])[..., None]).clip(0, 255).round().astype(np.uint8)
        cv2.imwrite(str(path), noisy, [cv2.IMWRITE_JPEG_QUALITY, 92])


def robustness(gazectl: Path, factors: list[str]) -> dict[str, Any]:
    """Writes models/train/robustness.json and .png."""
    pipeline, used = Pipeline(MODELS), measured.weights((*measured.NETS, "gaze_prior.json"))
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for factor in factors or list(FACTORS):
            table[factor] = {}
            for step in FACTORS[factor]:
                made = [Path(scratch) / f"{factor}-{step}-{seed}" for seed in SEEDS]
                smear = step.removeprefix("smear_px=") if step.startswith("smear_px=") else None
                for out, seed in zip(made, SEEDS):
                    rate = "" if step.startswith("fps=") else f"fps={RATE},"
                    record(gazectl, out, SECONDS, f"synthetic:seed={seed},behaviour=fixate,{rate}{'noise=0' if smear else step}")
                    if smear:
                        _smear(out, int(smear))
                table[factor][step] = _pupils(pipeline, made) | _gaze(gazectl, made)
                print(f"{factor}: {step} {table[factor][step]}", flush=True)
                for out in made:
                    shutil.rmtree(out)
    path = MODELS / "train" / "robustness.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | table, indent=2) + "\n")
    measured.write({}, used, [f"robustness: {factor}" for factor in table])
    _plot(known | table, MODELS / "train" / "robustness.png")
    return table


def _plot(table: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    columns = 4
    rows = -(-len(table) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(14, 2.7 * rows), squeeze=False)
    for axis in axes.flat[len(table):]:
        axis.set_visible(False)
    for axis, (factor, steps) in zip(axes.flat, table.items()):
        names = [s.split(",")[0].split("=")[1] for s in steps]
        axis.plot(names, [s.get("pupil_median_percent_of_eye", np.nan) for s in steps.values()], "o-")
        axis.set_title(factor)
        axis.set_ylim(0, None)
        axis.set_ylabel("pupil error, % of eye")
        gaze = axis.twinx()
        gaze.plot(names, [s.get("gaze_median_deg", np.nan) for s in steps.values()], "s--", color="tab:orange")
        gaze.set_ylim(0, None)
        gaze.set_ylabel("gaze error, deg", color="tab:orange")
        for name, s in zip(names, steps.values()):
            if s["tracked_share"] < 0.99:
                axis.annotate(f"{s['tracked_share']:.0%} tracked", (name, 0), fontsize=7, rotation=90)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
