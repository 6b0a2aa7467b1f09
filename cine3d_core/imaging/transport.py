"""Pictures continued into a hole along the lines that reach it.

Coherence transport: Bornemann and März, "Fast image inpainting based on coherence transport"
(Journal of Mathematical Imaging and Vision, 2007). Ring by ring from the border inwards, a pixel is
a mean of what is known around it, mostly of what lies on its line.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numba import prange
from numpy.typing import NDArray

from cine3d_core.imaging.compiled import compiled

Array = NDArray[Any]
Mask = NDArray[np.bool_]

_FINE = 1.0  # px: spread of the smoothing before slopes are measured
_TOGETHER = 3.0  # px: spread of the neighbourhood that shares one direction
_BESIDE = 2.0  # across a clear line, a pixel loses weight from half this many pixels on
_CLOSE = 2  # px around a pixel that tell its direction


def continued_inwards(
    picture: Array,  # [H, W, C]; what it holds outside `known` is not looked at
    known: Mask,  # [H, W]
    hole: Mask,  # [H, W], apart from `known`
    reach: int,  # px: how far a pixel looks for what is known
) -> Array:  # [H, W, C + 2] float32
    """The picture with its hole filled, and with the row and column that each colour came from.

    A pixel with nothing known within `reach` of it or of others stays 0, and comes from (-1, -1).
    """
    height, width, channels = picture.shape
    rows, columns = np.indices((height, width), dtype=np.float32)
    planes = np.empty((height, width, channels + 5), np.float32)
    planes[..., :channels] = np.where(known[..., None], picture, 0)
    planes[..., channels] = np.where(known, rows, -1)
    planes[..., channels + 1] = np.where(known, columns, -1)
    planes[..., channels + 2 :] = structure(planes[..., :channels], known)
    distance = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 5)
    wanted = np.flatnonzero(hole)
    ring = distance.flat[wanted].astype(np.int64)
    wanted = wanted[np.argsort(ring, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(ring))])
    there = known.astype(np.uint8)
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        if last > first:
            _continue_ring(planes, there, wanted[first:last], reach)
    return planes[..., : channels + 2]


def structure(
    picture: Array,  # [H, W, C] float32, zero where it is not known
    known: Mask,  # [H, W]
) -> Array:  # [H, W, 3]
    """Structure tensor of what is known: means of down^2, down x across, across^2.

    Förstner and Gülch (1987); summed over the channels. What is beside unknown pixels is left out.
    """
    weight = known.astype(np.float32)
    smooth = _blurred(picture, _FINE) / np.maximum(_blurred(weight, _FINE), 1e-6)[..., None]
    whole = cv2.erode(weight, np.ones((3, 3), np.uint8))
    down, across = (
        cv2.Sobel(smooth, cv2.CV_32F, *axes, ksize=3, scale=1 / 8).reshape(picture.shape)
        for axes in ((0, 1), (1, 0))
    )
    products = (down * down, down * across, across * across)
    tensor = np.stack([product.sum(axis=2) * whole for product in products], axis=2)
    return _blurred(tensor, _TOGETHER) / np.maximum(_blurred(whole, _TOGETHER), 1e-3)[..., None]


def _blurred(planes: Array, sigma: float) -> Array:
    """Gaussian blur of every plane [H, W, C] or of one [H, W]."""
    return cv2.GaussianBlur(planes, (0, 0), sigma).reshape(planes.shape)


@compiled()
def _continue_ring(
    planes: np.ndarray,  # [H, W, C + 3] float32, the last three the structure tensor
    known: np.ndarray,  # [H, W] uint8
    ring: np.ndarray,  # [K] int64 flat indices of pixels equally far from the border
    reach: int,
) -> None:
    """Fills the pixels of one ring from what is known, and makes them known; in place."""
    height, width, channels = planes.shape
    found = np.zeros(len(ring), np.uint8)
    for number in prange(len(ring)):
        y, x = ring[number] // width, ring[number] % width
        total = np.zeros(channels, np.float64)
        weights = 0.0
        # The direction of what is close; of anything where nothing is.
        for look in (_CLOSE, reach):
            for v in range(max(0, y - look), min(height, y + look + 1)):
                for u in range(max(0, x - look), min(width, x + look + 1)):
                    if known[v, u]:
                        weight = 1.0 / ((v - y) * (v - y) + (u - x) * (u - x))
                        weights += weight
                        for plane in range(channels - 3, channels):
                            total[plane] += weight * planes[v, u, plane]
            if weights > 0:
                break
        if weights == 0:
            continue
        down, both, across = total[-3] / weights, total[-2] / weights, total[-1] / weights
        # 1: all slopes around point one way; 0: none does more than others.
        clear = math.sqrt((down - across) ** 2 + 4 * both * both) / (down + across + 1e-5)
        angle = 0.5 * math.atan2(2 * both, across - down)
        off_down, off_across = _BESIDE * clear * math.sin(angle), _BESIDE * clear * math.cos(angle)
        weights = 0.0
        for v in range(max(0, y - reach), min(height, y + reach + 1)):
            for u in range(max(0, x - reach), min(width, x + reach + 1)):
                away = (v - y) * (v - y) + (u - x) * (u - x)
                if known[v, u] and away <= reach * reach:
                    off = 1.0 + (off_down * (v - y) + off_across * (u - x)) ** 2
                    weight = 1.0 / (math.sqrt(away) * off * off)
                    weights += weight
                    for plane in range(channels - 3):
                        total[plane] += weight * planes[v, u, plane]
        if weights == 0:  # what told the direction lay in a corner beyond reach
            continue
        for plane in range(channels):
            planes[y, x, plane] = total[plane] / weights if plane < channels - 3 else 0
        planes[y, x, channels - 3] = down
        planes[y, x, channels - 2] = both
        planes[y, x, channels - 1] = across
        found[number] = 1
    for number in range(len(ring)):
        if found[number]:
            known[ring[number] // width, ring[number] % width] = 1
