"""Cracks between points closed: thin gaps with covered pixels on both sides.

Where a surface is stretched, or two of them meet, the tents of its points may leave a thin line
that they cover in part only. Such a line is no place beyond the picture: it gets what is around it,
the nearest most, and counts as covered. Coverage is closed as grey pictures are (dilated, then
eroded), so that wider gaps, and the border of what is known, keep their shape. After that a surface
that is half covered, and more, wherever one looks is one that is stretched, and whole.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.scene import SplatImage

HALF_WIDTH = 0.003  # of the picture's width: gaps up to twice as wide are cracks
_STRETCHED = 0.5  # coverage of a surface whose points part, everywhere around a pixel
_LEAST = 1e-4  # coverage that is worth closing; less is rounding
_FEW = 2**14  # pixels that are filled one by one


def close_cracks(image: SplatImage) -> SplatImage:
    """The picture with its cracks filled from around them; what it covers stays as it is."""
    radius = crack_radius(image.alpha.shape[2])
    if image.alpha.device.type != "cpu" or image.features.requires_grad:
        return close_cracks_torch(image, radius)
    if bool((image.alpha >= 1 - _LEAST).all()):
        return image
    closed = _closed_coverage_cpu(image.alpha, radius)
    row, column = torch.nonzero((closed > image.alpha + _LEAST)[0], as_tuple=True)
    if len(row) == 0:
        return image
    if len(row) > _FEW:
        return close_cracks_torch(image, radius)
    return _closed_at(image, closed, (row, column), radius)


def crack_radius(width: int) -> int:
    """How far a crack's pixel may be from what is covered, in a picture of `width`: px."""
    return max(1, round(HALF_WIDTH * width))


def close_cracks_torch(image: SplatImage, radius: int) -> SplatImage:
    """`close_cracks` in torch operations: any device, without waiting for it; differentiable."""
    closed = closed_coverage(image.alpha, radius)
    crack = closed > image.alpha + _LEAST
    planes = torch.cat([image.features, image.disparity])
    weighed = torch.cat([planes * image.alpha, image.alpha])
    kernel = _falloff(radius, like=planes)[None, None]
    total = F.conv2d(weighed[:, None], kernel, padding=radius)[:, 0]
    around = total[:-1] / total[-1:].clamp(min=1e-6)
    filled = torch.lerp(around, planes, image.alpha / closed.clamp(min=1e-6))
    planes = torch.where(crack, filled, planes)
    alpha = torch.where(crack, closed, image.alpha)
    return SplatImage(features=planes[:-1], alpha=alpha, disparity=planes[-1:])


def closed_coverage(alpha: Tensor, radius: int) -> Tensor:
    """Coverage [1, H, W] without gaps up to 2 `radius` px wide; never less than it was.

    Beyond the frame everything goes on as at its border, so that a line that is missing along the
    border is no crack.
    """
    wide = F.pad(alpha[None], (2 * radius,) * 4, mode="replicate")
    closed = -_window_max(-_window_max(wide, radius), radius)[0]
    around = -F.max_pool2d(-closed[None], 3, stride=1, padding=1)[0]
    return torch.where(around >= _STRETCHED, 1.0, closed)


def _window_max(planes: Tensor, radius: int) -> Tensor:
    side = 2 * radius + 1
    return F.max_pool2d(F.max_pool2d(planes, (side, 1), stride=1), (1, side), stride=1)


def _closed_coverage_cpu(alpha: Tensor, radius: int) -> Tensor:
    """`closed_coverage` by a library that does not slow down with the radius."""
    reach, side = 2 * radius, 2 * radius + 1
    own = alpha[0].contiguous().numpy()
    wide = cv2.copyMakeBorder(own, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    closed = np.ascontiguousarray(closed[reach:-reach, reach:-reach])
    around = cv2.erode(closed, np.ones((3, 3), np.uint8))
    whole = np.where(around >= _STRETCHED, np.float32(1), closed)
    return torch.from_numpy(whole)[None].to(alpha)


def _falloff(radius: int, *, like: Tensor) -> Tensor:
    """How much a pixel of the window counts: [2 radius + 1, 2 radius + 1]."""
    away = torch.arange(-radius, radius + 1.0, device=like.device, dtype=like.dtype).square()
    return (1 + away[:, None] + away) ** -2


def _closed_at(
    image: SplatImage, closed: Tensor, at: tuple[Tensor, Tensor], radius: int
) -> SplatImage:
    """`close_cracks_torch` where the cracks are, which are few: rows and columns [n]."""
    height, width = closed.shape[1:]
    row, column = at
    offsets = torch.arange(-radius, radius + 1)
    rows = row[:, None, None] + offsets[:, None]  # [n, S, 1]
    columns = column[:, None, None] + offsets  # [n, 1, S]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    weights = image.alpha[0, rows, columns] * inside * _falloff(radius, like=closed)  # [n, S, S]
    mass = weights.sum(dim=(1, 2)).clamp(min=1e-6)
    own = image.alpha[0, row, column] / closed[0, row, column]

    def filled(planes: Tensor) -> Tensor:
        around = (planes[:, rows, columns] * weights).sum(dim=(2, 3)) / mass
        whole = planes.clone()
        whole[:, row, column] = torch.lerp(around, planes[:, row, column], own)
        return whole

    alpha = image.alpha.clone()
    alpha[0, row, column] = closed[0, row, column]
    return SplatImage(filled(image.features), alpha, filled(image.disparity))
