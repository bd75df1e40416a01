"""Label audit: ranks the training faces on which labels, teacher and nets disagree most.

Writes a contact sheet into the cache (it shows real faces and stays out of the repository) and the
list of faces to leave out of training, `models/train/dropped.csv`, which `labels.targets` honours.
"""

from __future__ import annotations

import csv

import cv2
import numpy as np

from .data import cache_root
from .export import MODELS
from .labels import DROPPED, Targets, targets
from .pipeline import Pipeline
from .points import LEFT_OUTER, RIGHT_OUTER, face_frame

#: A face is left out where labels and teacher differ by more than this, in % of the outer-corner distance.
DROP_PERCENT = 5.0
TILE_PX = 220


def disagreement(t: Targets, pipeline: Pipeline) -> list[dict[str, float | str]]:
    """For each face of the training part: label against teacher and against the nets, in %."""
    rows = []
    for i in t.split["train"]:
        labelled = t.points[i][:4]
        across = float(np.linalg.norm(t.points[i][LEFT_OUTER] - t.points[i][RIGHT_OUTER]))
        taught = 2 * t.mixed[i][:4] - labelled
        gray = t.faces[i].gray()
        face = pipeline.follow(gray, *face_frame(t.points[i]))
        pupils = np.stack([e.points[0] for e in face.eyes])
        rows.append({
            "file": t.faces[i].file,
            "label_teacher": float(np.linalg.norm(labelled - taught, axis=1).mean() / across * 100),
            "label_nets": float(np.linalg.norm(labelled - face.points[:4], axis=1).mean() / across * 100),
            "pupils_nets": float(np.linalg.norm(pupils - t.pupils[i], axis=1).mean() / across * 100),
        })
    return rows


def _tile(t: Targets, i: int, text: str) -> np.ndarray:
    gray = t.faces[i].gray()
    eyes = t.points[i][:8]
    centre, reach = eyes.mean(0), np.linalg.norm(eyes[0] - eyes[3]) * 0.75
    k = TILE_PX / (2 * reach)
    m = np.array([[k, 0, TILE_PX / 2 - k * centre[0]], [0, k, TILE_PX / 2 - k * centre[1]]])
    out = cv2.cvtColor(cv2.warpAffine(gray, m, (TILE_PX, TILE_PX)), cv2.COLOR_GRAY2BGR)
    for p, colour in ((t.points[i][:8], (0, 255, 0)), (2 * t.mixed[i][:8] - t.points[i][:8], (0, 128, 255)), (t.pupils[i], (0, 0, 255))):
        for x, y in p @ m[:, :2].T + m[:, 2]:
            cv2.circle(out, (round(x), round(y)), 2, colour, -1, cv2.LINE_AA)
    cv2.putText(out, text, (3, TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return out


def audit(count: int = 40) -> None:
    """Contact sheet of the worst `count` faces and the list of faces left out."""
    t = targets(drop=False)
    rows = disagreement(t, Pipeline(MODELS))
    by_file = {f.file: i for i, f in enumerate(t.faces)}
    rows.sort(key=lambda r: -max(float(r["label_teacher"]), float(r["label_nets"]), 1.5 * float(r["pupils_nets"])))
    tiles = [
        _tile(t, by_file[str(r["file"])], f"t {r['label_teacher']:.1f} n {r['label_nets']:.1f} p {r['pupils_nets']:.1f}")
        for r in rows[:count]
    ]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    sheet = cache_root() / "audit.jpg"
    cv2.imwrite(str(sheet), np.vstack([np.hstack(tiles[k : k + 8]) for k in range(0, len(tiles), 8)]))
    dropped = [r for r in rows if float(r["label_teacher"]) > DROP_PERCENT]
    with DROPPED.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "label_teacher_percent", "label_nets_percent"])
        for r in dropped:
            writer.writerow([r["file"], f"{r['label_teacher']:.2f}", f"{r['label_nets']:.2f}"])
    print(f"{len(dropped)} of {len(rows)} faces left out; the worst {count} are in {sheet}")
