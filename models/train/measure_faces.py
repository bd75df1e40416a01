"""Measures on the labelled faces: finder, corners, pupils, clean and spoilt pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from .labels import Targets
from .pipeline import Face, Pipeline
from .points import face_frame


def _rolled(gray: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    h, w = gray.shape
    m = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(gray, m, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), m


def _scaled(gray: np.ndarray, k: float) -> tuple[np.ndarray, np.ndarray]:
    h, w = gray.shape
    nh, nw = max(1, round(h * k)), max(1, round(w * k))
    kx, ky = nw / w, nh / h
    m = np.array([[kx, 0, 0.5 * kx - 0.5], [0, ky, 0.5 * ky - 0.5]])
    return cv2.resize(gray, (nw, nh), interpolation=cv2.INTER_AREA), m


def spoil(kind: str, gray: np.ndarray, across_px: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A spoilt picture and the map of its points. `across_px`: distance of the outer eye corners."""
    same = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    p = gray.astype(np.float32)
    if kind == "clean":
        return gray, same
    if kind == "dark":
        p = p * 0.2 + rng.normal(0, 2.5, p.shape)
    elif kind == "noisy":
        p = p + rng.normal(0, 12, p.shape)
    elif kind == "side_lit":
        p = p * np.linspace(0.12, 1.1, p.shape[1], dtype=np.float32)[None]
    elif kind == "darkest":
        p = p * 0.06 + rng.normal(0, 3, p.shape)
    elif kind in ("small", "tiny"):
        return _scaled(gray, min(1.0, (40 if kind == "small" else 24) / across_px))
    elif kind == "jpeg12":
        coded = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 12])[1]
        return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), same
    elif kind == "rolled":
        return _rolled(gray, 25.0)
    else:
        raise ValueError(f"no such kind: {kind}")
    return p.clip(0, 255).round().astype(np.uint8), same


#: A face whose corners or pupils are further off on average, in % of the outer-corner distance, was not read.
FAILED_PERCENT = 10.0
#: AFW's labels lie this much more right of and below the corners than `data.LABEL_ORIGIN_PX` takes off, whatever the face's size.
AFW_ORIGIN_PX = 1.0
KINDS = ["clean", "dark", "noisy", "side_lit", "small", "jpeg12", "rolled", "darkest", "tiny"]


def nearest(pipeline: Pipeline, gray: np.ndarray, points: np.ndarray) -> Face | None:
    """The face that the chain finds at the labelled one, starting from the finder, or none."""
    centre, size, _ = face_frame(points)
    for found, c, s, r in pipeline.find(gray):
        if np.linalg.norm(c - centre) < 0.35 * size:
            face = pipeline.follow(gray, c, s, r)
            return face if face.is_new_face(found) else None
    return None


def faces(targets: Targets, part: str, pipeline: Pipeline, kinds: list[str] = KINDS,
          show: Callable[[str], None] = print) -> dict[str, Any]:
    """Errors in % of the outer-corner distance by kind of picture; of AFW also with its labels counted from another origin."""
    report: dict[str, Any] = {}
    for kind in kinds:
        rng = np.random.default_rng(3)
        corners, moved, coarse, pupils, failures = [], [], [], [], []
        lost = 0
        for i in targets.split[part]:
            across = float(np.linalg.norm(targets.points[i][0] - targets.points[i][3]))
            gray, m = spoil(kind, targets.faces[i].gray(), across, rng)
            points = targets.points[i] @ m[:, :2].T + m[:, 2]
            pupil = targets.pupils[i] @ m[:, :2].T + m[:, 2]
            across = float(np.linalg.norm(points[0] - points[3]))
            face = nearest(pipeline, gray, points)
            if face is None:
                lost += 1
                continue
            corners.append(np.linalg.norm(face.points[:4] - points[:4], axis=1).mean() / across * 100)
            other = (targets.points[i][:4] - AFW_ORIGIN_PX) @ m[:, :2].T + m[:, 2]
            moved.append(np.linalg.norm(face.points[:4] - other, axis=1).mean() / across * 100)
            coarse.append(np.linalg.norm(face.coarse[:4] - points[:4], axis=1).mean() / across * 100)
            pupils.append(np.mean([np.linalg.norm(e.points[0] - q) for e, q in zip(face.eyes, pupil)]) / across * 100)
            failures.append((face.confidence, max(corners[-1], pupils[-1])))
        n = len(targets.split[part])
        report[kind] = {
            "faces": n,
            "lost": lost,
            "corners_mean": round(float(np.mean(corners)), 2),
            "corners_p95": round(float(np.percentile(corners, 95)), 2),
            "coarse_corners_mean": round(float(np.mean(coarse)), 2),
            "pupils_mean": round(float(np.mean(pupils)), 2),
            "pupils_p95": round(float(np.percentile(pupils, 95)), 2),
            "failures": int(sum(f[1] > FAILED_PERCENT for f in failures)),
        }
        if part == "test":
            report[kind]["corners_other_origin_mean"] = round(float(np.mean(moved)), 2)
            report[kind]["corners_other_origin_p95"] = round(float(np.percentile(moved, 95)), 2)
        report[kind]["_confidence"] = failures
        show(f"{part} {kind}: " + " ".join(f"{k} {v}" for k, v in report[kind].items() if not k.startswith("_")))
    every = np.array([f for kind in kinds for f in report[kind].pop("_confidence")])
    worst = np.argsort(every[:, 0])[: len(every) // 10]
    failed = every[:, 1] > FAILED_PERCENT
    report["confidence"] = {
        "frames": len(every),
        "failures": int(failed.sum()),
        "share_of_failures_in_worst_tenth": round(float(failed[worst].sum() / max(1, failed.sum())), 3),
    }
    show(f"{part} confidence: {report['confidence']}")
    return report
