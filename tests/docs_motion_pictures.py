"""Makes the contact sheets of docs/motion.md and docs/directing.md from the test photographs.

`python -m tests.docs_motion_pictures PHOTOS WORK [SHEET ...]`: for every photo of a folder the
mask, the flow and the frame at mid-loop, with nothing drawn, with the strokes of `docs/motion`, and
as it was directed in a window (`docs/motion/by-hand`, from `tests/real_blender/photographs.py`).
WORK keeps what is done.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.build import direct_photo, read_inputs, scene_of
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.motion.draw import draw_motion, draw_wheel, what_moves
from cine3d_core.output.clip import frame_drawer, open_camera_path, shot_of
from cine3d_core.settings import BuildSettings

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = (
    "life",
    "EveningGlow",
    "summer_1am",
    "Valendas",
    "fog",
    "picosdeeuropa",
    "Path",
    "friends",
)
DRAWN = ROOT / "docs" / "motion"
# sheet -> the folder of its hints files
SHEETS: dict[str, Path | None] = {"nothing": None, "strokes": DRAWN, "by-hand": DRAWN / "by-hand"}
SIZE = 480  # px, long side
CELL = (340, 226)  # width, height of a picture of the sheet
QUALITY = 82


def cell(rgb: Tensor, title: str) -> np.ndarray:  # [h, w, 3] BGR
    """A picture [3, H, W] on a dark ground, with its title."""
    picture = rgb_bytes(rgb)[..., ::-1]
    scale = min(CELL[0] / picture.shape[1], CELL[1] / picture.shape[0])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    ground = np.full((CELL[1], CELL[0], 3), 24, np.uint8)
    left = (CELL[0] - size[0]) // 2
    ground[: size[1], left : left + size[0]] = small
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        place = (6, CELL[1] - 8)
        cv2.putText(
            ground, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA
        )
    return ground


def row(photo: Path, hints: Path | None) -> np.ndarray:
    """Mask, flow and mid-loop frame of a photo, side by side."""
    settings = BuildSettings(hints=hints, size=SIZE)
    directed = direct_photo(*read_inputs(photo, settings), settings, Networks())
    rgb, motion = directed.photo.rgb, directed.motion
    share = float(what_moves(motion).float().mean())
    scene = scene_of(directed, settings, Networks())
    still = open_camera_path(scene, "still", None)
    middle = scene.num_frames // 2
    frame = frame_drawer(scene, torch.device("cpu"))(shot_of(still, middle), middle, False)
    print(photo.stem, "; ".join(directed.assumed), flush=True)
    return np.hstack(
        [
            cell(rgb * (0.25 + 0.75 * what_moves(motion)), f"{photo.stem}: {share:.0%} moves"),
            cell(draw_wheel(draw_motion(rgb, motion)), "flow"),
            cell(frame.rgb, f"frame {middle} of {scene.num_frames}"),
        ]
    )


def sheet(photos: Path, work: Path, kind: str) -> np.ndarray:
    """All photos, two in a row."""
    rows = []
    for name in PHOTOS:
        kept = work / f"{name}-{kind}.png"
        if not kept.exists():
            folder = SHEETS[kind]
            cv2.imwrite(str(kept), row(photos / f"{name}.jpg", folder and folder / f"{name}.json"))
        rows.append(cv2.imread(str(kept)))
    return np.vstack([np.hstack(rows[i : i + 2]) for i in range(0, len(rows), 2)])


def main() -> None:
    """Writes docs/images/motion-SHEET.jpg for each sheet, or for those that are named."""
    photos, work = Path(sys.argv[1]), Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    for kind in sys.argv[3:] or SHEETS:
        target = ROOT / "docs" / "images" / f"motion-{kind}.jpg"
        cv2.imwrite(str(target), sheet(photos, work, kind), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
