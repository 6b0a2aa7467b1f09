"""Contact sheets: what each row made of one view, small, and the hardest part of it enlarged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.evaluation.renderer.scoring import JudgedFrame
from cine3d_core.synthetic.truth_folder import DISOCCLUDED, FLUID, Moment

Picture = NDArray[np.uint8]  # [H, W, 3] RGB

_WIDE = 426  # px of a picture on the sheet
_ENLARGED = 3
_CAPTION = 22  # px
_COLUMNS = 4


def most_different_moment(judged: Sequence[JudgedFrame]) -> Moment:
    """The view with most to invent: disoccluded pixels first, then those that flow."""

    def invented(one: JudgedFrame) -> float:
        regions = one.truth.regions
        hidden = float((regions == DISOCCLUDED).float().mean())
        # In mid-loop both clouds are far from their start.
        return hidden + 0.01 * float((regions == FLUID).float().mean())

    return max(judged, key=invented).moment


def contact_sheet(pictures: Mapping[str, Tensor]) -> Tensor:
    """Named pictures [3, H, W] of one size, the first of them the truth: [3, H', W'].

    The part that is enlarged is where the pictures differ most from the first, in the median: where
    only one is wrong it shows less than where all have work to do.
    """
    arrays = {name: _bytes(picture) for name, picture in pictures.items()}
    box = _hardest(list(arrays.values()))
    tiles = [_tile(name, picture, box) for name, picture in arrays.items()]
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    return torch.from_numpy(np.vstack(rows).copy()).permute(2, 0, 1).float() / 255


def _bytes(picture: Tensor) -> Picture:
    return (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


class _Box(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def _hardest(pictures: Sequence[Picture]) -> _Box:
    """The part with the largest median difference."""
    height, width = pictures[0].shape[:2]
    crop = max(1, round(width / _ENLARGED)), max(1, round(height / _ENLARGED))
    truth = pictures[0].astype(np.float32)
    others = [np.abs(picture - truth).mean(axis=2) for picture in pictures[1:]] or [truth[..., 0]]
    score = cv2.blur(np.median(others, axis=0), crop, borderType=cv2.BORDER_CONSTANT)
    margin_y, margin_x = crop[1] // 2, crop[0] // 2
    inner = score[margin_y : height - margin_y, margin_x : width - margin_x]
    row, column = np.unravel_index(int(inner.argmax()), inner.shape)
    top, left = min(int(row), height - crop[1]), min(int(column), width - crop[0])
    return _Box(top, left, crop[1], crop[0])


def _tile(name: str, picture: Picture, box: _Box) -> Picture:
    """Caption, the whole picture with the part marked, and the part enlarged."""
    height, width = picture.shape[:2]
    size = (_WIDE, round(_WIDE * height / width))
    top, left, box_height, box_width = box
    part = picture[top : top + box_height, left : left + box_width]
    marked = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    scale = _WIDE / width
    corner = (round(left * scale), round(top * scale))
    opposite = (round((left + box_width) * scale) - 1, round((top + box_height) * scale) - 1)
    cv2.rectangle(marked, corner, opposite, (255, 210, 60), 1)
    enlarged = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)
    caption = np.full((_CAPTION, _WIDE, 3), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(caption, name, (4, _CAPTION - 7), font, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return np.vstack([caption, marked, enlarged]).astype(np.uint8)
