"""Connected regions of a mask."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]


def connected_regions(mask: Mask) -> tuple[int, Labels]:
    """Number of labels and label of every pixel; 0 is outside, neighbours share an edge."""
    count, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return count, np.asarray(label, np.int32)


def each_region(
    count: int, label: Labels, *, margin: int = 0
) -> Iterator[tuple[int, tuple[slice, slice], Mask]]:
    """Number, window of the picture, and mask inside that window, of every region.

    The window has `margin` pixels more than the region on each side, but ends with the picture:
    where the mask reaches the edge of a window, there is the picture's frame.
    """
    for number, box in enumerate(ndimage.find_objects(label, count - 1), start=1):
        rows, columns = (
            slice(max(s.start - margin, 0), min(s.stop + margin, size))
            for s, size in zip(box, label.shape, strict=True)
        )
        yield number, (rows, columns), label[rows, columns] == number
