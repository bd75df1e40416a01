"""Makes recordings of many synthetic people with `gazectl synthesize` for training."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np

#: Seeds of people to train on begin here; measure on smaller ones.
FIRST_TRAINING_SEED = 100_000


#: People from this number on sit and turn as far as a camera on the screen can still see both eyes.
TURNED_FROM = 900


def source(seed: int, rng: np.random.Generator) -> str:
    """One person: the seed draws most of him; distance, light, turn and blinks are spread wider here."""
    parts = {
        "seed": seed,
        "fps": 3,
        "distance_mm": round(float(np.exp(rng.uniform(np.log(330), np.log(950))))),
        "head_yaw_deg": round(float(rng.normal(0, 12)), 1),
        "head_pitch_deg": round(float(rng.normal(0, 8)), 1),
        "head_roll_deg": round(float(rng.normal(0, 8)), 1),
        "light_azimuth_deg": round(float(rng.uniform(-110, 110))),
        "blink_rate": 60 if rng.random() < 0.5 else 20,
    }
    if rng.random() < 0.5:
        parts["light"] = round(float(np.exp(rng.uniform(np.log(0.08), np.log(2.0)))), 2)
    if seed - FIRST_TRAINING_SEED >= TURNED_FROM:
        parts |= {
            "head_yaw_deg": round(float(rng.uniform(-36, 36)), 1),
            "head_pitch_deg": round(float(rng.uniform(-26, 14)), 1),
            "head_x_mm": round(float(rng.uniform(-140, 140))),
        }
    return "synthetic:" + ",".join(f"{k}={v}" for k, v in parts.items())


def record(gazectl: Path, folder: Path, seconds: int, who: str) -> None:
    """Writes the recording `folder` of the source `who`; one that is there is kept."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when complete: a recording that was cut short is not taken for a whole one.
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    words = [str(gazectl), "synthesize", str(unfinished), "--seconds", str(seconds), "--source", who]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr.strip()}")
    unfinished.rename(folder)


def synthesize(gazectl: Path, out: Path, people: int, seconds: int, first: int = 0) -> None:
    """Writes one recording a person below `out`; those already there are kept."""
    for n in range(first, first + people):
        who = source(FIRST_TRAINING_SEED + n, np.random.default_rng((77, n)))
        record(gazectl, out / f"{FIRST_TRAINING_SEED + n}", seconds, who)
        if n % 20 == 0:
            print(f"{n + 1 - first}/{people} people", flush=True)
