"""Coherence transport as its equation reads: one pixel after the other, in float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cine3d_core.imaging.transport import structure

Array = NDArray[Any]


def continued_inwards(
    picture: Array, known: Array, hole: Array, distance: Array, reach: int
) -> Array:
    """Colours of the hole and their origin, as `transport.continued_inwards` returns them."""
    height, width, channels = picture.shape
    masked = np.where(known[..., None], picture, 0).astype(np.float32)
    y, x = np.indices((height, width))
    here = np.where(known[..., None], np.stack([y, x], axis=2), -1)
    planes = np.concatenate([masked, here, structure(masked, known)], axis=2).astype(float)
    known = known.copy()
    for ring in np.unique(distance[hole].astype(int)):
        pixels = np.argwhere(hole & (distance.astype(int) == ring))
        found = [(*at, _pixel(planes, known, at, reach)) for at in pixels]
        for row, column, value in found:
            if value is not None:
                planes[row, column], known[row, column] = value, True
    return planes[..., : channels + 2]


def _pixel(planes: Array, known: Array, at: Array, reach: int) -> Array | None:
    away = np.argwhere(known) - at
    square = (away**2).sum(axis=1)
    value = np.zeros(planes.shape[2])
    around = planes[known]
    for look in (2, reach):
        close = np.abs(away).max(axis=1) <= look
        if close.any():
            break
    close &= square > 0
    within = (square <= reach**2) & (square > 0)
    if not close.any() or not within.any():
        return None
    tensor = np.average(around[close, -3:], axis=0, weights=1 / square[close])
    down, both, across = tensor
    lengths, directions = np.linalg.eigh([[down, both], [both, across]])
    clear = (lengths[1] - lengths[0]) / (down + across + 1e-5)
    off = 1 + (2 * clear * (away[within] @ directions[:, 1])) ** 2
    weight = 1 / (np.sqrt(square[within]) * off**2)
    value[:-3] = np.average(around[within, :-3], axis=0, weights=weight)
    value[-3:] = tensor
    return value
