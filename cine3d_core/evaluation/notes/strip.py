"""One photograph as a strip to look at: its notes, its depth, what it is taken for, what moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.evaluation.notes.depth_order import TORN, ranks
from cine3d_core.evaluation.notes.records import LABELS, PhotoNotes, Places
from cine3d_core.evaluation.notes.scores import PhotoScores
from cine3d_core.evaluation.notes.seen import Seen

Picture = NDArray[np.uint8]  # [H, W, 3] RGB
Colour = tuple[int, int, int]

TILE = 384  # px wide
CAPTION = 20  # px
TALLEST = 0.75  # of a tile's width: upright photographs are shown as high as the others
COLOURS: dict[str, Colour] = {
    "sky": (60, 170, 255),
    "water": (60, 220, 80),
    "falls": (0, 255, 255),
    "smoke": (255, 80, 200),
    "fire": (255, 90, 0),
    "sway": (255, 200, 0),
}
RIGHT, WRONG, REST = (90, 255, 90), (255, 40, 40), (255, 0, 0)
TINT = 0.45


def draw_strip(
    photo: Picture, motion: Picture, notes: PhotoNotes, seen: Seen, scores: PhotoScores
) -> Picture:
    """Four tiles side by side.

    1. the photograph with its outlines (static areas in red) and arrows
    2. ranks of its depth, near is bright, with its pairs: red where they are in the wrong order or
       torn, else green
    3. the photograph in the colours of what it is taken for
    4. `motion`, a picture of what moves, with the noted arrows
    """
    height, width = photo.shape[:2]
    scale = min(TILE / width, TALLEST * TILE / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = _resized(photo, size)
    tiles = (
        _with_arrows(_with_outlines(small, notes), notes),
        _with_pairs(_resized(_depth_picture(seen), size), notes, scores),
        _tinted(small, cv2.resize(seen.labels, size, interpolation=cv2.INTER_NEAREST)),
        _with_arrows(_resized(motion, size), notes),
    )
    return np.hstack([_padded(tile, TILE) for tile in tiles])


def draw_sheet(strips: Sequence[Picture], captions: Sequence[str]) -> Picture:
    """Strips below one another, each under its caption."""
    rows = []
    for strip, caption in zip(strips, captions, strict=True):
        line = np.zeros((CAPTION, strip.shape[1], 3), np.uint8)
        font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
        cv2.putText(line, caption, (4, CAPTION - 6), font, 0.42, white, 1, cv2.LINE_AA)
        rows += [line, strip]
    wide = max(row.shape[1] for row in rows)
    return np.vstack([_padded(row, wide) for row in rows])


def _depth_picture(seen: Seen) -> Picture:
    shade = (ranks(seen.disparity) * 255).astype(np.uint8)
    return _rgb(cv2.applyColorMap(shade, cv2.COLORMAP_INFERNO))


def _with_outlines(photo: Picture, notes: PhotoNotes) -> Picture:
    canvas = photo.copy()
    for region in notes.regions:
        cv2.polylines(canvas, [_pixels(region.corners, canvas)], True, COLOURS[region.label], 2)
    for corners in notes.rests:
        cv2.polylines(canvas, [_pixels(corners, canvas)], True, REST, 1)
    return canvas


def _with_arrows(photo: Picture, notes: PhotoNotes) -> Picture:
    canvas = photo.copy()
    for start, end in (_pixels(arrow, canvas).tolist() for arrow in notes.arrows):
        for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.arrowedLine(canvas, start, end, colour, thick, cv2.LINE_AA, tipLength=0.3)
    return canvas


def _with_pairs(depth: Picture, notes: PhotoNotes, scores: PhotoScores) -> Picture:
    canvas = depth.copy()
    for pair, right in zip(notes.order, scores.depth.right, strict=True):
        near, far = _pixels(pair, canvas).tolist()
        cv2.line(canvas, near, far, RIGHT if right else WRONG, 1, cv2.LINE_AA)
        cv2.circle(canvas, near, 3, RIGHT if right else WRONG, -1)
    for pair, gap in zip(notes.same, scores.depth.gaps, strict=True):
        one, other = _pixels(pair, canvas).tolist()
        colour = WRONG if gap > TORN else RIGHT
        cv2.line(canvas, one, other, colour, 2, cv2.LINE_AA)
    return canvas


def _tinted(photo: Picture, labels: NDArray[Any]) -> Picture:
    tints = np.array([(0, 0, 0), *(COLOURS[label] for label in LABELS[1:])], np.float32)
    mixed = (1 - TINT) * photo + TINT * tints[labels]
    return np.where(labels[..., None] > 0, mixed.round(), photo).astype(np.uint8)


def _pixels(places: Places, canvas: Picture) -> NDArray[np.int32]:
    height, width = canvas.shape[:2]
    return np.round(places * [width - 1, height - 1] / 1000).astype(np.int32)


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _rgb(bgr: NDArray[Any]) -> Picture:
    return np.ascontiguousarray(bgr[..., ::-1], np.uint8)


def _padded(picture: Picture, width: int) -> Picture:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)))
