"""Where the picture beyond a photo's border is taken from: mirrored along the lines that reach it.

A mirror image kinks every line that crosses the border at a slant: rails become arrows. Mirrored
along the line's own direction it goes on straight, and what lies beside it is taken along.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]

_DEPTH = 0.04  # of the long side: how far from the border lines are looked at
_ALONG = 0.008  # of the long side: over how much of the border one line's slope is measured
_SHARED = 0.06  # of the long side: over how much of the border slopes blend into one another
_STEEPEST = 1.5  # px along the border for one px away from it
_CLEAR = 0.35  # share of the contrast that lines must explain to be lines
_ROUNDS = 6  # of the search for the place where a line meets the border


def border_source(
    rgb: Tensor,  # [3, H, W]
    margin_px: int,
) -> Tensor:
    """For every pixel of the canvas the photo's pixel that it shows: [H + 2m, W + 2m] int64, flat.

    Inside the photo its own; in the margin the mirror image along the lines that reach the border.
    """
    height, width = rgb.shape[1:]
    grey = rgb.mean(dim=0).float().cpu().numpy()
    own = np.arange(height * width, dtype=np.int64).reshape(height, width)
    if margin_px == 0:
        return torch.from_numpy(own).to(rgb.device)
    reach = max(3, round(_DEPTH * max(height, width)))
    sideways = _with_rows(own.T, grey.T, margin_px, reach).T
    # The corners follow what was found on the left and right.
    source = _with_rows(sideways, grey.flat[sideways], margin_px, reach)
    return torch.from_numpy(np.ascontiguousarray(source)).to(rgb.device)


def continued(image: Tensor, source: Tensor) -> Tensor:
    """A picture [C, H, W] on the canvas of `border_source`: [C, H + 2m, W + 2m]."""
    return image.flatten(1)[:, source]


def _with_rows(source: Array, grey: Array, margin: int, reach: int) -> Array:
    """Rows above and below: [H, W] -> [H + 2m, W]."""
    above = _rows_beyond(source, grey, margin, reach)
    below = _rows_beyond(source[::-1], grey[::-1], margin, reach)
    return np.concatenate([above[::-1], source, below])


def _rows_beyond(source: Array, grey: Array, margin: int, reach: int) -> Array:
    """Rows beyond the first, nearest first: [margin, W]."""
    height, width = source.shape
    slope = _slopes(grey[: min(reach, height)], max(grey.shape))
    away = (np.arange(margin) + 0.5)[:, None]
    column = np.arange(width) + 0.0
    meets = np.broadcast_to(column, (margin, width)).copy()
    for _ in range(_ROUNDS):
        meets = 0.5 * (meets + column + away * _at(slope, meets))
    from_column = np.rint(meets + away * _at(slope, meets)).astype(np.int64)
    rows = np.arange(margin) % (2 * height)
    rows = np.minimum(rows, 2 * height - 1 - rows)[:, None]
    columns = from_column % (2 * width)
    return source[rows, np.minimum(columns, 2 * width - 1 - columns)]


def _slopes(strip: Array, long_side: int) -> Array:
    """Columns that lines move by for every row away from the border (the first row): [W]."""
    smooth = cv2.GaussianBlur(np.ascontiguousarray(strip, np.float32), (0, 0), 1.0)
    down, across = (g.astype(np.float64) for g in np.gradient(smooth))

    # What runs along the border, as sleepers do, says nothing of the lines that cross it.
    crossing = np.abs(down) < _STEEPEST * np.abs(across)
    # A strong edge counts for more than all the gravel beside it.
    weight = crossing * np.hypot(down, across)
    down, across = down * weight, across * weight

    def gathered(values: Array) -> Array:
        return _blurred(values.sum(axis=0), _ALONG * long_side)

    across_2, down_2, both = (gathered(v) for v in (across**2, down**2, across * down))
    slope = -both / np.maximum(across_2, 1e-9)
    explained = both**2 / np.maximum(across_2 * down_2, 1e-12)
    trust = across_2 * np.clip((explained - _CLEAR) / (1 - _CLEAR), 0, 1)
    shared = _SHARED * long_side
    # Where no line is, nothing leans: a share of the usual contrast stands for upright.
    upright = 0.02 * float(across_2.mean()) + 1e-9
    return _blurred(trust * slope, shared) / (_blurred(trust, shared) + upright)


def _blurred(values: Array, sigma: float) -> Array:
    return cv2.GaussianBlur(values[None], (0, 0), max(sigma, 0.5), borderType=cv2.BORDER_REPLICATE)[
        0
    ]


def _at(values: Array, place: Array) -> Array:
    return np.interp(place, np.arange(len(values)), values)
