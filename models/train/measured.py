"""Which weights the numbers in results.json and robustness.json were measured with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MODELS = Path(__file__).resolve().parent.parent
RESULTS = MODELS / "train" / "results.json"
#: In results.json: the sha256 of each file of weights, by part.
KEY = "measured_with"
NETS = ("finder.onnx", "landmarks.onnx", "eyes.onnx")


def weights(files: Iterable[str] = NETS, models: Path | None = None) -> dict[str, str]:
    """The sha256 of each of these files, of those in models/ where no folder is given."""
    return {file: hashlib.sha256(((models or MODELS) / file).read_bytes()).hexdigest() for file in files}


def write(report: dict[str, Any], used: dict[str, str], elsewhere: Iterable[str] = ()) -> None:
    """Puts the parts of `report` into results.json, with a note that they and those `elsewhere` were measured with `used`."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    noted = known.pop(KEY, {}) | {part: used for part in (*report, *elsewhere)}
    RESULTS.write_text(json.dumps(known | report | {KEY: noted}, indent=2) + "\n")


def remark(part: str, results: dict[str, Any]) -> str:
    """A line for the card where a part was measured with other weights than those in models/."""
    used = results.get(KEY, {}).get(part)
    if used is None:
        print(f"{part}: nobody noted with what weights it was measured")
        return ""
    present = weights(used)
    other = ", ".join(file for file in used if used[file] != present[file])
    if not other:
        return ""
    print(f"{part}: measured with another {other}")
    return f"Measured with other weights (another {other}).\n\n"
