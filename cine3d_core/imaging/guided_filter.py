"""Guided filter with a colour guide and weights, from box filters.

He, Sun and Tang, "Guided Image Filtering" (TPAMI 2013), equations 14 to 16; the small-guide form is
He and Sun, "Fast Guided Filter" (2015). In every window the target is regressed on the colour; the
averaged regressions are then read off at every pixel, so that edges of the target move to edges of
the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32 throughout; cv2's annotations know no dtype


@dataclass(frozen=True)
class LocalRegression:
    """Target = slope . colour + offset, in the window around every pixel."""

    slope: Array  # [H, W, 3]
    offset: Array  # [H, W]
    explained: Array  # [H, W] share of the target's variance that colour explains, 0 .. 1


def box_mean(image: Array, radius: int) -> Array:
    """Mean over (2 radius + 1)^2 pixels of [H, W] or [H, W, C], mirrored at the borders."""
    size = (2 * radius + 1, 2 * radius + 1)
    return cv2.blur(image, size, borderType=cv2.BORDER_REFLECT)


def regress_on_colour(
    guide: Array,  # [H, W, 3]
    target: Array,  # [H, W]
    weights: Array,  # [H, W] >= 0: how much a pixel has to say
    *,
    radius: int,
    epsilon: float,  # variance of colour that counts as texture, not as an edge
) -> LocalRegression:
    """Weighted ridge regression in every window."""
    # A trace of weight everywhere: an empty window gets the plain mean instead of 0 / 0.
    weight = weights + np.float32(1e-5)
    first = np.dstack([weight, weight * target, weight * target**2, weight[..., None] * guide])
    means = box_mean(first.astype(np.float32), radius)
    mean = means[..., 1:] / means[..., :1]
    target_mean, guide_mean = mean[..., 0], mean[..., 2:]
    variance = mean[..., 1] - target_mean**2

    red, green, blue = cv2.split(guide)
    products = [red * red, red * green, red * blue, green * green, green * blue, blue * blue]
    products += [red * target, green * target, blue * target]
    second = box_mean(np.dstack([weight * product for product in products]), radius)
    second /= means[..., :1]
    slope, shared = _solve(second, guide_mean, target_mean, epsilon)
    explained = np.clip(shared / np.maximum(variance, 1e-6), 0, 1)
    offset = target_mean - (slope * guide_mean).sum(axis=2)
    return LocalRegression(
        slope=box_mean(slope, radius),
        offset=box_mean(offset, radius),
        explained=box_mean(explained, radius),
    )


def resized(regression: LocalRegression, height: int, width: int) -> LocalRegression:
    """The same regression for a picture of another size (the "fast" in fast guided filter)."""
    if regression.offset.shape == (height, width):
        return regression
    size = (width, height)
    return LocalRegression(
        slope=cv2.resize(regression.slope, size, interpolation=cv2.INTER_LINEAR),
        offset=cv2.resize(regression.offset, size, interpolation=cv2.INTER_LINEAR),
        explained=cv2.resize(regression.explained, size, interpolation=cv2.INTER_LINEAR),
    )


def predict_from_colour(regression: LocalRegression, guide: Array) -> Array:
    """The regression read off at the colours of `guide` [H, W, 3]: [H, W]."""
    slope = regression.slope
    shared = slope[..., 0] * guide[..., 0] + slope[..., 1] * guide[..., 1]
    return shared + slope[..., 2] * guide[..., 2] + regression.offset


def _solve(
    second: Array, guide_mean: Array, target_mean: Array, epsilon: float
) -> tuple[Array, Array]:
    """Slope [H, W, 3] and the variance it explains [H, W], by the covariance's adjugate."""
    r, g, b = cv2.split(guide_mean)
    rr, rg, rb, gg, gb, bb, rt, gt, bt = cv2.split(second)
    rr, gg, bb = rr - r * r + epsilon, gg - g * g + epsilon, bb - b * b + epsilon
    rg, rb, gb = rg - r * g, rb - r * b, gb - g * b
    rt, gt, bt = rt - r * target_mean, gt - g * target_mean, bt - b * target_mean
    a, d, e = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    f, h, k = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = np.maximum(rr * a + rg * d + rb * e, epsilon**3)
    slope = np.dstack(
        [a * rt + d * gt + e * bt, d * rt + f * gt + h * bt, e * rt + h * gt + k * bt]
    )
    slope = (slope / determinant[..., None]).astype(np.float32)
    shared = slope[..., 0] * rt + slope[..., 1] * gt + slope[..., 2] * bt
    return slope, shared
