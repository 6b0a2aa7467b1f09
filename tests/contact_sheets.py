"""Sheets of every default move, to be looked at: `python -m tests.contact_sheets -h`.

One JPEG for each photograph, built with nothing drawn: first, middle and last frame of each move.
The worst share of a frame that no point covers is printed with its name.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from cine3d_core.families import build_scene
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.moves import CAMERA_MOVES, PUBLISHED
from cine3d_core.output.clip import frame_drawer, open_camera_path, shot_of
from cine3d_core.scene import CinemagraphScene
from cine3d_core.settings import BuildSettings

MOVES = tuple(move for move in CAMERA_MOVES if not move.startswith((PUBLISHED, "still")))
COLUMNS = 2  # of moves, three frames each
QUALITY = 80


def sheet(scene: CinemagraphScene, width: int) -> tuple[np.ndarray, float]:
    """The sheet [H, W, 3] BGR, frames `width` px wide, and the worst uncovered share of a frame."""
    draw = frame_drawer(scene, torch.device("cpu"))
    strips, worst = [], 0.0
    for move in MOVES:
        path = open_camera_path(scene, move, None)
        frames = []
        for frame in (0, scene.num_frames // 2, scene.num_frames - 1):
            drawn = draw(shot_of(path, frame), frame, False)
            worst = max(worst, float((drawn.alpha < 0.999).float().mean()))
            picture = np.ascontiguousarray(rgb_bytes(drawn.rgb)[..., ::-1])
            height = round(picture.shape[0] * width / picture.shape[1])
            frames.append(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
        cv2.putText(frames[0], move, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3)
        cv2.putText(frames[0], move, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
        strips.append(np.hstack(frames))
    rows = [np.hstack(strips[at : at + COLUMNS]) for at in range(0, len(strips), COLUMNS)]
    return np.vstack(rows), worst


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.contact_sheets")
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the sheets")
    parser.add_argument("--size", type=int, default=960, help="long side of the scenes, px")
    parser.add_argument("--width", type=int, default=240, help="of a frame on the sheet, px")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for photo in args.photos:
        picture, worst = sheet(build_scene(photo, BuildSettings(size=args.size)), args.width)
        target = args.output / f"{photo.stem}.jpg"
        cv2.imwrite(str(target), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        print(f"{photo.stem}: uncovered {100 * worst:.4f} % at worst", flush=True)


if __name__ == "__main__":
    main()
