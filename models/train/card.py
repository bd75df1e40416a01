"""Writes models/CARD.md from the measured numbers: `python -m models.train card`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from .export import MODELS

TRAIN = MODELS / "train"


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


def _commit(commit: str) -> str:
    """Shortened, with the mark of code that was changed since."""
    number, _, mark = commit.partition("-")
    return f"`{number[:12]}{'-' if mark else ''}{mark}`"


def _faces(part: dict[str, Any]) -> str:
    rows = [
        [kind.replace("_", " "), r["faces"], r["lost"], f"{r['corners_mean']} / {r['corners_p95']}", r["coarse_corners_mean"],
         f"{r['pupils_mean']} / {r['pupils_p95']}"]
        for kind, r in part.items() if kind != "confidence"
    ]
    text = _table(["pictures", "faces", "lost", "corners, mean / 95 %", "coarse corners, mean", "pupils to teacher, mean / 95 %"], rows)
    c = part["confidence"]
    return text + (
        f"\nConfidence: of {c['failures']} failures (corners or pupils off by over 10 % of the outer-corner distance) among all "
        f"{c['frames']} tracked pictures, the tenth with the worst confidence holds {c['share_of_failures_in_worst_tenth']:.0%}.\n"
    )


def _flat(part: dict[str, Any]) -> str:
    return _table(["measure", "value"], [[k.replace("_", " "), v if not isinstance(v, dict) else ", ".join(f"{a} {b}" for a, b in v.items())]
                                          for k, v in part.items()])


def _robustness(table: dict[str, Any]) -> str:
    rows = [[factor, step, s["tracked_share"], s.get("pupil_median_px", "-"), s.get("pupil_p95_px", "-"),
             s.get("pupil_median_percent_of_eye", "-"), s.get("gaze_median_deg", "-")]
            for factor, steps in table.items() for step, s in steps.items()]
    return _table(["factor", "step", "tracked", "pupil median px", "95 % px", "median % of eye", "gaze, deg"], rows)


def _ablation(shares: dict[str, Any]) -> str:
    names = list(next(iter(shares.values())))
    return _table(["samples", *names], [[share, *(row[name] for name in names)] for share, row in shares.items()])


def _yardstick(yard: dict[str, Any]) -> str:
    rows = [[name, f"{part['pictures']} of {part['people']}", *(" / ".join(map(str, sd)) for sd in part["error_sd_xy_parts_of_crop"].values())]
            for name, part in yard.items() if isinstance(part, dict)]
    return _table(["pictures", "how many, of people", "trained on", "held out at random", "held out by person"], rows)


def _prior() -> str:
    path = MODELS / "gaze_prior.json"
    rows = json.loads(path.read_text())["held_out_median_deg"]
    return _table(["candidate", "median error, mean over people, deg", "90 % of people under", "after moving the head, mean"],
                  [[name, *values] for name, values in rows.items()])


def card() -> None:
    """Fills the numbers into card_template.md."""
    manifest = tomllib.loads((MODELS / "manifest.toml").read_text())
    results, yard = _load(TRAIN / "results.json"), _load(TRAIN / "yardstick" / "results.json")
    size = sum((MODELS / n["file"]).stat().st_size for n in manifest["nets"].values())
    files = _table(["net", "file", "bytes", "sha256", "training commit"], [
        [k, n["file"], (MODELS / n["file"]).stat().st_size, f"`{n['sha256'][:16]}...`", _commit(n["training_commit"])]
        for k, n in manifest["nets"].items()
    ])
    parts = {
        "FILES": files + f"\n{size} bytes together.\n",
        "TEST": _faces(results["test"]) if "test" in results else "Not measured.\n",
        "VALIDATION": _faces(results["validation"]) if "validation" in results else "Not measured.\n",
        "WEBCAM": _flat(results["webcam"]) if "webcam" in results else "Not measured.\n",
        "SYNTHETIC": _flat(results["synthetic"]) if "synthetic" in results else "Not measured.\n",
        "FALSE_ALARMS": _flat(results["false_alarms"]) if "false_alarms" in results else "Not measured.\n",
        "ABLATION": _ablation(results["ablation"]["shares"]) if "ablation" in results else "Not measured.\n",
        "PRIOR": _prior(),
        "YARDSTICK": _yardstick(yard) if yard else "Not measured.\n",
        "ROBUSTNESS": _robustness(_load(TRAIN / "robustness.json")) or "Not measured.\n",
    }
    text = (TRAIN / "card_template.md").read_text()
    text = text.replace("{EPOCHS}", str(yard.get("epochs", "no")))
    for name, value in parts.items():
        text = text.replace("{" + name + "}\n", value)
    (MODELS / "CARD.md").write_text(text)
    print(f"wrote {MODELS / 'CARD.md'}")
