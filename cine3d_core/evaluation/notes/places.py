"""The value of a map at a noted place: the mean of the nine pixels round it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cine3d_core.evaluation.notes.records import Places

Array = NDArray[Any]


def values_at(plane: Array, places: Places) -> NDArray[np.float64]:  # [H, W, ...], [N, 2]
    """Mean of a map over the 3 x 3 pixels round each place, fewer at the border: [N, ...].

    A place stands for the pixel that it lies in; permille, x and y.
    """
    height, width = plane.shape[:2]
    columns = np.minimum((places[:, 0] * width / 1000).astype(int), width - 1)
    rows = np.minimum((places[:, 1] * height / 1000).astype(int), height - 1)
    found = np.zeros((len(places), *plane.shape[2:]))
    for k, (row, column) in enumerate(zip(rows.clip(0), columns.clip(0), strict=True)):
        window = plane[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        found[k] = window.reshape(-1, *plane.shape[2:]).mean(axis=0)
    return found
