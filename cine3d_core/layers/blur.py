"""How far the colours of the two sides of a depth edge go over into each other.

What is out of focus, or moved while the photo was taken, has a soft silhouette: pixels far out in
what lies behind hold some of its colour. They have to go with it, or a ghost of its outline stays.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.layers.fill import context_mean

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# Chosen by eye on four photographs of `check`; 24 of `train` were looked at afterwards.
# By so much the two sides must differ in colour, else it is not seen how they go over.
LEAST_CONTRAST = 0.15
TAILS = 1.5  # a lens' edge is that much wider than its steepest part says
SHARP = 4.0  # px: an edge in focus is no wider after the smoothing of `_slope`
STEEP = 0.8  # of the steepest: where the edge of the colours is, which may lie beside the depth's
BESIDE = 3  # px
ASTRAY = 0.2  # of what they differ by: a mixture of the two is no farther from their line
STILL_NEAR = 0.25  # foreground by this share behind the soft part: the depth's edge is elsewhere


def soft_width(
    rgb: Tensor,
    foreground: Mask,
    background: Mask,
    distance: Array,
    nearest: Array,
    limit: int,
) -> Array:
    """How far out from a depth edge there is some of the foreground's colour: [H, W] px.

    It is what the two sides differ by, divided by the steepest change on the way. 0 where the two
    are too alike, where one of them is not to be seen, and where what lies behind looks like the
    foreground, too.

    Args:
        rgb: the photo, [3, H, W] in [0, 1].
        foreground: in front of the nearest edge pixel, [H, W].
        background: behind it, [H, W].
        distance: px to the nearest edge pixel, [H, W].
        nearest: that pixel's flat index, [H, W].
        limit: the most that is found, px.
    """
    away = (distance > limit / 2) & (distance <= 2 * limit)
    near, far = (_mean(rgb, side & away, 2 * limit) for side in (foreground, background))
    way = near - far
    contrast = _length(way).clamp(min=1e-3)
    known = (near.sum(dim=0) > 0) & (far.sum(dim=0) > 0) & (contrast > LEAST_CONTRAST)
    # The foreground's colour, as a length: where the sides are alike a share would be noise.
    towards = ((rgb - far) * way).sum(dim=0) / contrast
    astray = _length(rgb - far - towards * way / contrast)
    towards, astray, contrast, known = (
        plane.cpu().numpy() for plane in (towards, astray, contrast, known)
    )
    slope = _slope(towards) * (distance <= limit)
    steepest = _window_max(slope, limit)
    ramp = contrast / np.maximum(steepest, 1e-3)
    beside = np.zeros(distance.size, distance.dtype)
    steep = background & (slope > STEEP * steepest)
    np.maximum.at(beside, nearest[steep], distance[steep])
    beside = _window_max(beside.reshape(distance.shape), BESIDE)
    width = np.minimum(np.maximum(TAILS * ramp, beside + ramp), limit)
    width *= known & (ramp > SHARP)

    end = width.flat[nearest]
    within = background & (distance < end)
    is_mixture = _mean_at_edges(astray / contrast, within, nearest, limit) <= ASTRAY
    beyond = background & (end > 0) & (distance >= end) & (distance <= end + BESIDE)
    share = (towards / contrast).clip(0, 1)
    has_ended = _mean_at_edges(share, beyond, nearest, limit) <= STILL_NEAR
    return np.where(is_mixture & has_ended, width, 0)


def _mean(rgb: Tensor, side: Mask, radius: int) -> Tensor:  # [3, H, W], 0 where nothing is near
    return context_mean(rgb, torch.from_numpy(side)[None].to(rgb.device), radius)


def _length(vectors: Tensor) -> Tensor:  # [3, H, W] -> [H, W]; torch's norm is ten times slower
    return vectors.square().sum(dim=0).sqrt()


def _slope(plane: Array) -> Array:
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.0)
    along_x, along_y = (cv2.Sobel(smooth, -1, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    return np.hypot(along_x, along_y)


def _window_max(plane: Array, radius: int) -> Array:
    return cv2.dilate(plane, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))


def _mean_at_edges(plane: Array, where: Mask, nearest: Array, across: int) -> Array:
    """At edge pixels, the plane's mean over pixels of the mask for which those here are nearest."""
    size = (across | 1, across | 1)
    total, count = (
        cv2.boxFilter(
            np.bincount(nearest[where], weights, plane.size).reshape(plane.shape), -1, size
        )
        for weights in (plane[where], np.ones(np.count_nonzero(where)))
    )
    return total / np.maximum(count, 1e-6)
