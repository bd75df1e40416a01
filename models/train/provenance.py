"""How weights came to be: a small JSON beside each file of them, copied into exported.json when they are exported."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

TRAIN = Path(__file__).resolve().parent
#: Where no repository is at hand, as on a machine that only trains.
UNKNOWN = "unknown"


def now() -> dict[str, Any]:
    """The commit of the training code, and whether the code was changed since."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=TRAIN, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Of the code alone: exporting one net rewrites files that lie beside it.
        changed = git("status", "--porcelain", "--", ":(glob)**/*.py", "requirements.txt")
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": UNKNOWN, "changed": False}


def training_commit(record: dict[str, Any] | None = None) -> str:
    """The commit of a record or of now, with a mark where the code was another."""
    made = record or now()
    return made["commit"] + ("-changed" if made["changed"] else "")


def write(weights: Path, record: dict[str, Any]) -> None:
    """Keeps the record beside its weights."""
    weights.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


def read(weights: Path) -> dict[str, Any] | None:
    """The record of the weights, where there is one."""
    path = weights.with_suffix(".json")
    return json.loads(path.read_text()) if path.exists() else None
