"""The nearest pixel of a mask, for every pixel of a picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # cv2's annotations know no dtype


def nearest_pixel(
    mask: NDArray[np.bool_],  # [H, W], not empty
) -> tuple[Array, Array]:
    """Distance (px) to the nearest pixel of the mask, and that pixel's flat index: [H, W] each.

    The distance is that of a 5x5 chamfer (Borgefors 1986), within 2 % of the Euclidean one.
    """
    answer: tuple[Array, Array] = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    distance, labels = answer
    index_of_label = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    index_of_label[labels[mask]] = np.flatnonzero(mask)
    return distance, index_of_label[labels]
