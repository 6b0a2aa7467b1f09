"""From a network's rough probabilities of sky, water and smoke to regions along the photo's edges.

The network answers at a seventh of a photo's size. A guided filter (He, Sun and Tang, TPAMI 2013)
moves the borders to the photo's edges; regions that are small or nowhere sure are dropped.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.imaging.guided_filter import predict_from_colour, regress_on_colour, resized
from cine3d_core.imaging.regions import connected_regions

Array = NDArray[Any]  # float32; cv2's annotations know no dtype

GUIDE_SIDE = 640  # px, long side at which the filter's regressions are made
GUIDE_RADIUS = 6  # px there
GUIDE_EPSILON = 1e-3  # variance of colour that counts as texture
LEAST = (0.5, 0.5, 0.5)  # probability from which a pixel is sky, water, smoke
SURE = (0.6, 0.6, 0.6)  # mean probability of a region that is kept
NOWHERE = 0.05  # a plane that stays below it names nothing, so its borders do not matter
MIN_AREA = (0.005, 0.01, 0.02)  # share of the picture; smaller regions are dropped


def sharpen(probability: Array, colour: Array) -> Array:  # [K, h, w], [H, W, 3] -> [K, H, W]
    """Probabilities at the photo's size, their borders on the photo's edges."""
    height, width = colour.shape[:2]
    scale = min(1.0, GUIDE_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    guide = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    weights = np.ones(guide.shape[:2], np.float32)
    sharp = []
    for plane in probability:
        if plane.max() < NOWHERE:
            sharp.append(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR))
            continue
        soft = cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
        regression = regress_on_colour(
            guide, soft, weights, radius=GUIDE_RADIUS, epsilon=GUIDE_EPSILON
        )
        sharp.append(predict_from_colour(resized(regression, height, width), colour))
    return np.clip(np.stack(sharp), 0, 1).astype(np.float32)


def kinds_of(probability: Array) -> NDArray[np.uint8]:  # [3, H, W] -> [H, W]
    """1, 2, 3 where sky, water, smoke is likely in a region that is large and sure, else 0."""
    best = probability.argmax(0)
    likely = probability.max(0) > np.take(LEAST, best)
    kind = np.where(likely, best + 1, 0).astype(np.uint8)
    for number, (sure, area) in enumerate(zip(SURE, MIN_AREA, strict=True), start=1):
        count, label = connected_regions(kind == number)
        size = np.bincount(label.ravel(), minlength=count)
        total = np.bincount(label.ravel(), probability[number - 1].ravel(), count)
        dropped = (size < area * kind.size) | (total < sure * size)
        dropped[0] = False
        kind[dropped[label]] = 0
    return kind
