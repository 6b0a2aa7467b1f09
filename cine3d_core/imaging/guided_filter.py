"""Guided filter with a colour guide and weights, from box filters.

He, Sun and Tang, "Guided Image Filtering" (TPAMI 2013), equations 14 to 16; the small-guide form is
He and Sun, "Fast Guided Filter" (2015). In every window the target is regressed on the colour; the
averaged regressions are then read off at every pixel, so that edges of the target move to edges of
the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cine3d_core.imaging.windows import box_mean, enlarged


@dataclass(frozen=True)
class LocalRegression:
    """Target = slope . colour + offset, in the window around every pixel."""

    slope: Tensor  # [H, W, 3]
    offset: Tensor  # [H, W]
    explained: Tensor  # [H, W] share of the target's variance that colour explains, 0 .. 1


def regress_on_colour(
    guide: Tensor,  # [H, W, 3] float32
    target: Tensor,  # [H, W]
    weights: Tensor,  # [H, W] >= 0: how much a pixel has to say
    *,
    radius: int,
    epsilon: float,  # variance of colour that counts as texture, not as an edge
    windows: Tensor | None = None,  # [H, W] >= 0: how much a window's regression has to say
) -> LocalRegression:
    """Weighted ridge regression in every window, averaged over the windows around a pixel."""
    # A trace of weight everywhere: an empty window gets the plain mean instead of 0 / 0.
    weight = weights + 1e-5
    first = torch.stack([weight, weight * target, weight * (target * target)], dim=2)
    means = box_mean(torch.cat([first, weight[..., None] * guide], dim=2), radius)
    mean = means[..., 1:] / means[..., :1]
    target_mean, guide_mean = mean[..., 0], mean[..., 2:]
    variance = mean[..., 1] - target_mean * target_mean

    red, green, blue = guide.unbind(dim=2)
    products = [red * red, red * green, red * blue, green * green, green * blue, blue * blue]
    products += [red * target, green * target, blue * target]
    second = box_mean(torch.stack([weight * product for product in products], dim=2), radius)
    second /= means[..., :1]
    slope, shared = _solve(second, guide_mean, target_mean, epsilon)
    explained = (shared / variance.clamp(min=1e-6)).clamp(0, 1)
    found = slope, target_mean - _dot(slope, guide_mean), explained
    if windows is None:
        return LocalRegression(*(box_mean(part, radius) for part in found))
    share = box_mean(windows, radius).clamp(min=1e-6)
    slope, offset, explained = found
    return LocalRegression(
        slope=box_mean(slope * windows[..., None], radius) / share[..., None],
        offset=box_mean(offset * windows, radius) / share,
        explained=box_mean(explained * windows, radius) / share,
    )


def resized(regression: LocalRegression, height: int, width: int) -> LocalRegression:
    """The same regression for a picture of another size (the "fast" in fast guided filter)."""
    if regression.offset.shape == (height, width):
        return regression
    return LocalRegression(
        slope=enlarged(regression.slope, height, width),
        offset=enlarged(regression.offset, height, width),
        explained=enlarged(regression.explained, height, width),
    )


def predict_from_colour(regression: LocalRegression, guide: Tensor) -> Tensor:
    """The regression read off at the colours of `guide` [H, W, 3]: [H, W]."""
    return _dot(regression.slope, guide) + regression.offset


def _dot(one: Tensor, other: Tensor) -> Tensor:  # [H, W, 3] each -> [H, W]
    total = one[..., 0] * other[..., 0] + one[..., 1] * other[..., 1]
    return total + one[..., 2] * other[..., 2]


def _solve(
    second: Tensor, guide_mean: Tensor, target_mean: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Slope [H, W, 3] and the variance it explains [H, W], by the covariance's adjugate."""
    r, g, b = guide_mean.unbind(dim=2)
    rr, rg, rb, gg, gb, bb, rt, gt, bt = second.unbind(dim=2)
    rr, gg, bb = rr - r * r + epsilon, gg - g * g + epsilon, bb - b * b + epsilon
    rg, rb, gb = rg - r * g, rb - r * b, gb - g * b
    rt, gt, bt = rt - r * target_mean, gt - g * target_mean, bt - b * target_mean
    a, d, e = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    f, h, k = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = (rr * a + rg * d + rb * e).clamp(min=epsilon**3)
    slope = torch.stack(
        [a * rt + d * gt + e * bt, d * rt + f * gt + h * bt, e * rt + h * gt + k * bt], dim=2
    )
    slope = slope / determinant[..., None]
    return slope, _dot(slope, torch.stack([rt, gt, bt], dim=2))
