"""Makes docs/images/check.jpg: twelve photographs of `check` as the program sees them.

`python -m tests.check_sheet PHOTOS`, with the photographs as `tests.fetch_photos` gets them. The
photographs themselves stay with their owners: the sheet shows the depth and what moves. Which
twelve was fixed before anybody looked: of the names in order, every sixth from the first.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from cine3d_core.build import direct_photo, read_inputs
from cine3d_core.files.models.networks import Networks
from cine3d_core.motion.draw import draw_motion, draw_wheel, what_moves
from cine3d_core.settings import BuildSettings
from tests.docs_motion_pictures import ROOT, SIZE, cell

COUNT, EVERY = 12, 6


def chosen() -> list[str]:
    """Names of the twelve."""
    with open(ROOT / "tests/photo_notes/photos.csv", encoding="utf-8", newline="") as stream:
        names = sorted(row["name"] for row in csv.DictReader(stream) if row["split"] == "check")
    return names[::EVERY][:COUNT]


def pair(photo: Path) -> np.ndarray:  # [h, w, 3] BGR
    """Depth (near is bright) and what moves over it, in the colours of its direction."""
    settings = BuildSettings(size=SIZE)
    directed = direct_photo(*read_inputs(photo, settings), settings, Networks())
    near = 1 / directed.depth.depth
    near = (near / near.max()).sqrt().expand(3, -1, -1)
    moves = what_moves(directed.motion)
    flow = draw_wheel(draw_motion(torch.full_like(near, 0.75), directed.motion))
    shown = torch.where(moves > 0.5, flow, 0.6 * near)
    share = float(moves.float().mean())
    print(photo.stem, f"{share:.0%} moves", flush=True)
    return np.hstack([cell(near, photo.stem), cell(shown, f"{share:.0%} moves")])


def main() -> None:
    """Writes the sheet, two photographs in a row."""
    pairs = [pair(Path(sys.argv[1]) / f"{name}.jpg") for name in chosen()]
    rows = [np.hstack(pairs[i : i + 2]) for i in range(0, len(pairs), 2)]
    target = ROOT / "docs/images/check.jpg"
    cv2.imwrite(str(target), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
