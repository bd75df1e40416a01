"""Teacher labels: MediaPipe's face mesh, averaged over several views of each picture.

The teacher is not ground truth. It invents an iris behind closed lids and its eye corners differ
from the 68-point labels by definition, so it is used for pupil centres and as a second opinion.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .data import cache_root, data_root, faces68, webcam_frames

#: Mesh indices of one eye: outer corner, inner corner, upper lid, lower lid (outer to inner), iris.
RIGHT_EYE = [33, 133, 246, 161, 160, 159, 158, 157, 173, 7, 163, 144, 145, 153, 154, 155]
LEFT_EYE = [263, 362, 466, 388, 387, 386, 385, 384, 398, 249, 390, 373, 374, 380, 381, 382]
RIGHT_IRIS = [468, 469, 470, 471, 472]
LEFT_IRIS = [473, 476, 475, 474, 477]
#: Columns of a label: left eye (16 mesh points, iris centre, 4 iris rim points), then right eye.
EYE_POINTS = 21
CENTRE = 16
LEFT = LEFT_EYE + LEFT_IRIS
RIGHT = RIGHT_EYE + RIGHT_IRIS

#: Views: scale, rotation in degrees, mirrored.
VIEWS = [(1.0, 0.0, False), (0.8, 4.0, False), (1.15, -4.0, False)]
VIEWS += [(s, r, True) for s, r, _ in VIEWS]


@dataclass
class Labels:
    """Teacher labels by file: (n, 2, 21, 2) px (left eye first), their SD over views, found views."""

    files: list[str]
    eyes: np.ndarray
    spread: np.ndarray
    views: np.ndarray

    def pupils(self) -> np.ndarray:
        """Iris centres, (n, 2, 2): left then right."""
        return self.eyes[:, :, CENTRE]


class Teacher:
    """Runs the mesh over several views of a picture."""

    def __init__(self, view_px: int = 512) -> None:
        import mediapipe as mp

        self._mesh = mp.solutions.face_mesh.FaceMesh(
            static_image_mode=True, refine_landmarks=True, max_num_faces=3, min_detection_confidence=0.3
        )
        self._view_px = view_px

    def label(self, picture: np.ndarray, pad: float, near: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Points, SD and number of views of the face nearest to `near` (px)."""
        h, w = picture.shape[:2]
        side = self._view_px
        base = side / (max(h, w) * (1 + 2 * pad))
        found = []
        for scale, degrees, mirrored in VIEWS:
            matrix = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, base * scale)
            matrix[:, 2] += (side - 1) / 2 - np.array([(w - 1) / 2, (h - 1) / 2])
            if mirrored:
                matrix[0] *= -1
                matrix[0, 2] += side - 1
            view = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_AREA if base < 1 else cv2.INTER_CUBIC)
            back = cv2.invertAffineTransform(matrix)
            answer = self._mesh.process(cv2.cvtColor(view, cv2.COLOR_BGR2RGB))
            best = None
            for face in answer.multi_face_landmarks or []:
                mesh = np.array([(p.x * side - 0.5, p.y * side - 0.5) for p in face.landmark])
                mesh = mesh @ back[:, :2].T + back[:, 2]
                eyes = np.stack([mesh[RIGHT], mesh[LEFT]] if mirrored else [mesh[LEFT], mesh[RIGHT]])
                distance = float(np.linalg.norm(eyes[:, :2].mean((0, 1)) - near))
                if best is None or distance < best[0]:
                    best = (distance, eyes)
            if best is not None:
                found.append(best[1])
        if not found:
            return np.full((2, EYE_POINTS, 2), np.nan), np.full((2, EYE_POINTS, 2), np.nan), 0
        stack = np.stack(found)
        return np.median(stack, 0), stack.std(0), len(found)


def _run(jobs: list[tuple[str, Path, float, np.ndarray | None]], out: Path) -> None:
    teacher = Teacher()
    rows = []
    for n, (_, path, pad, near) in enumerate(jobs):
        picture = cv2.imread(str(path))
        h, w = picture.shape[:2]
        rows.append(teacher.label(picture, pad, np.array([w / 2, h / 2]) if near is None else near))
        if n % 200 == 0:
            print(f"{out.stem}: {n}/{len(jobs)}", flush=True)
    np.savez(
        out,
        files=np.array([j[0] for j in jobs]),
        eyes=np.stack([r[0] for r in rows]).astype(np.float32),
        spread=np.stack([r[1] for r in rows]).astype(np.float32),
        views=np.array([r[2] for r in rows]),
    )


def make_labels() -> None:
    """Writes the teacher's labels of both sets into the cache, once."""
    faces_out, webcam_out = cache_root() / "teacher_faces68.npz", cache_root() / "teacher_webcam.npz"
    if not faces_out.exists():
        jobs = [
            (f.file, data_root() / "faces68" / f.file, 0.0, f.points68[36:48].mean(0)) for f in faces68()
        ]
        _run(jobs, faces_out)
    if not webcam_out.exists():
        root = data_root() / "webcam_one_person"
        _run([(f.file, root / f.file, 0.5, None) for f in webcam_frames()], webcam_out)


def load(name: str) -> Labels:
    """Labels of `faces68` or `webcam`; makes them where missing."""
    path = cache_root() / f"teacher_{name}.npz"
    if not path.exists():
        make_labels()
    z = np.load(path)
    return Labels(list(z["files"]), z["eyes"], z["spread"], z["views"])


def meshes() -> tuple[np.ndarray, np.ndarray]:
    """Meshes (n, 478, 3) of all faces in px, z away from the camera, NaN where none was found; the outline's indices."""
    path = cache_root() / "teacher_mesh.npz"
    if not path.exists():
        _run_meshes(path)
    z = np.load(path)
    return z["mesh"].astype(np.float64), z["outline"]


def _run_meshes(out: Path) -> None:
    import mediapipe as mp

    known = mp.solutions.face_mesh
    mesh = known.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=3, min_detection_confidence=0.3)
    rows = []
    for face in faces68():
        picture = cv2.imread(str(data_root() / "faces68" / face.file))
        h, w = picture.shape[:2]
        answer = mesh.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        found = [np.array([(p.x * w - 0.5, p.y * h - 0.5, p.z * w) for p in m.landmark])
                 for m in answer.multi_face_landmarks or []]
        middle = face.points.mean(0)
        found.sort(key=lambda m: float(np.linalg.norm(m[:, :2].mean(0) - middle)))
        rows.append(found[0] if found else np.full((478, 3), np.nan))
    rim = sorted({i for edge in known.FACEMESH_FACE_OVAL for i in edge})
    np.savez(out, mesh=np.stack(rows).astype(np.float32), outline=np.array(rim))
