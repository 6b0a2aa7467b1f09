"""The sample photo and its drawing at any width, cut to 16:9."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "tests" / "bridge" / "photo.jpg"
HINTS = ROOT / "tests" / "bridge" / "hints.json"


def sample_photo(folder: Path, width: int) -> Path:
    """The sample cut to 16:9 at the wanted width; its arrows still fit."""
    import cv2

    picture = cv2.imread(str(PHOTO))
    assert picture is not None, PHOTO
    height = picture.shape[1] * 9 // 16
    picture = cv2.resize(picture[-height:], (width, width * 9 // 16))
    path = folder / "photo.png"
    cv2.imwrite(str(path), picture)
    return path


def sample_hints(folder: Path, width: int) -> Path:
    """The sample's arrows and outline for `sample_photo`."""
    hints = json.loads(HINTS.read_text())
    cut, scale = 937 - 720, width / 1280

    def moved(point: list[float]) -> list[float]:
        return [point[0] * scale, max(point[1] - cut, 0) * scale]

    content = {
        "hints": [{end: moved(hint[end]) for end in ("start", "end")} for hint in hints["hints"]],
        "mask": [[moved(point) for point in polygon] for polygon in hints["mask"]],
    }
    path = folder / "hints.json"
    path.write_text(json.dumps(content))
    return path


def built_scene(folder: Path, width: int, frames: int) -> Path:
    """The sample's scene at a width, built by the command unless it is in the folder."""
    path = folder / f"{width}-{frames}.cine3d"
    if not path.exists():
        photo, hints = sample_photo(folder, width), sample_hints(folder, width)
        command = [sys.executable, "-m", "cine3d_core.cli", "build", str(photo), "-o", str(path)]
        command += ["--hints", str(hints), "--size", str(width), "--frames", str(frames)]
        subprocess.run([*command, "--progress", "none"], check=True, stdout=sys.stderr, cwd=ROOT)
    return path
