"""Writes models/manifest.toml: what each file of weights is, expects and gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from . import measured, nets, points
from .measured import MODELS

STATE = MODELS / "train" / "exported.json"

HEAD = """\
# What the daemon loads. Written by `python -m models.train export`; do not edit by hand.
# Inputs are gray, f32, 0..255; mean and standard deviation of the crop are taken out inside the nets.
# (0, 0) is the centre of the top left pixel, x to the right, y down. Left and right are the person's.

format = 1
crop_per_rms = {crop}
points = [{names}]
"""

#: File facts that do not change from training to training.
FACTS: dict[str, dict[str, object]] = {
    "finder": {
        "input": [1, 1, *nets.FINDER_HW],
        "output": [1, 6, nets.FINDER_HW[0] // 8, nets.FINDER_HW[1] // 8],
        "expects": "the whole picture scaled by min(160/w, 120/h) by area, centred, the rest 0",
        "outputs": [
            "0: score logit", "1: face centre minus cell centre, x, in 8 px", "2: the same, y, in 8 px",
            "3: ln(face size / 32 px)", "4: cos(roll), not normalised", "5: sin(roll), not normalised",
        ],
        "cells": "cell (row i, column j) has its centre at x = 8 j + 3.5, y = 8 i + 3.5 px of the input",
        "axes": "roll is positive clockwise in the picture (x towards y)",
    },
    "landmarks": {
        "input": [1, 1, *nets.LANDMARKS_HW],
        "output": [1, 2 * points.COUNT + 5],
        "expects": "the square of a face frame (side crop_per_rms x RMS of the points), upright, not mirrored",
        "outputs": ["0..43: x, y of the 22 points in crop px", "44: face logit",
                    "45: ln of the expected mean point error in crop sides",
                    "46..48: yaw, pitch and roll of the head in the crop, seen along the line of sight, in radians"],
        "axes": "x to the right, y down in the crop; the person's left eye is on the right; yaw is positive to the right, "
                "pitch up, roll clockwise",
    },
    "eyes": {
        "input": [1, 1, *nets.EYES_HW],
        "output": [1, 2 * nets.EYE_POINTS + 3],
        "expects": "a left eye, inner corner at (8.5, 15.5), outer corner at (38.5, 15.5); a right eye mirrored",
        "outputs": ["0..9: x, y of pupil, inner corner, outer corner, upper lid, lower lid in patch px",
                    "10: openness logit (0 closed, 1 wide open)", "11: ln of the expected pupil error in patch px",
                    "12: confidence logit (pupil error under 10 % of the eye's width and the eye seen)"],
        "axes": "x towards the outer corner, y down; for a right eye x is mirrored",
    },
    "forecast": {
        "input": [1, 81],
        "output": [1, 19],
        "expects": "the newest 24 gaze samples, the gate's state and the runs' in a frame of their own, and the horizon, "
                   "as in train/forecast/net.py",
        "outputs": ["0..15: shares of the displacements to three older samples, eight means, the gated mean, the place "
                    "left, the usual place, the mean over when the fixation may have begun and the place left then, "
                    "which lead from the newest sample to the gaze at the horizon",
                    "16, 17: what to add along the frame's axes, in 3 deg",
                    "18: v of the radius 2 ln(1 + exp v) in degrees, trained to hold 97 % of truths"],
        "axes": "the first axis from the mean of the newest four samples to the newest, the second to the side of the place left",
    },
}
DATA = {
    "finder": ["Helen (train part, faces68)", "MediaPipe 0.10.21 face detector, which tells faces beside the labelled ones"],
    "landmarks": ["Helen (train part, faces68)", "MediaPipe 0.10.21 face mesh as teacher", "synthetic user, seeds from 100000"],
    "eyes": ["Helen (train part, faces68)", "MediaPipe 0.10.21 face mesh as teacher", "synthetic user, seeds from 100000"],
    "forecast": ["GazeCom (22 of 27 people, simulated webcams)", "gaze60 (95 of 119 people, camera estimates beside Tobii)"],
}


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value)


def update(name: str, sha256: str, commit: str, training: dict | None = None) -> None:
    """Records the new file of net `name`, with how it was trained where that is known, and writes the manifest again."""
    state = json.loads(STATE.read_text()) if STATE.exists() else {}
    state[name] = {"sha256": sha256, "training_commit": commit} | ({"training": training} if training else {})
    _write(state)


def update_prior(path: Path) -> None:
    """Records the new file of what people have in common, which belongs to the nets it was learned with."""
    state = json.loads(STATE.read_text())
    state["prior"] = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    _write(state)
    measured.write({}, measured.weights(), ["prior"])


def _write(state: dict) -> None:
    for name in DATA.keys() & state.keys():
        state[name]["data"] = DATA[name]
    STATE.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
    names = ", ".join(f'"{n}"' for n in points.NAMES)
    text = HEAD.format(crop=points.CROP_PER_RMS, names=names)
    for net in FACTS:
        if net not in state:
            continue
        text += f"\n[nets.{net}]\nfile = \"{net}.onnx\"\nsha256 = \"{state[net]['sha256']}\"\n"
        text += "".join(f"{k} = {_toml(v)}\n" for k, v in FACTS[net].items())
        text += f"data = {_toml(state[net]['data'])}\ntraining_commit = {_toml(state[net]['training_commit'])}\n"
    if "prior" in state:
        text += "\n[prior]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in state["prior"].items())
    (MODELS / "manifest.toml").write_text(text)
