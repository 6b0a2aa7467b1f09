"""What stands in windows around pixels: by OpenCV on the CPU, by torch on any other device.

Pictures are laid out as OpenCV has them, [H, W] or [H, W, C]. A radius of r means a window of
(2 r + 1) x (2 r + 1) pixels. Elsewhere the answers are those of the CPU but for rounding.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_WIDE = 3  # dimensions of a picture with channels


def box_mean(image: Tensor, radius: int) -> Tensor:
    """Mean of every window, mirrored at the borders."""
    size = 2 * radius + 1
    if image.device.type == "cpu":
        mean = cv2.blur(_array(image), (size, size), borderType=cv2.BORDER_REFLECT)
        return torch.from_numpy(mean)
    rows, columns = _mirrored(image.shape[0], radius), _mirrored(image.shape[1], radius)
    planes = _planes(image).index_select(2, rows.to(image.device))
    planes = F.avg_pool2d(planes, (size, 1), stride=1)
    planes = planes.index_select(3, columns.to(image.device))
    return _like(F.avg_pool2d(planes, (1, size), stride=1), image)


def window_max(values: Tensor, radius: int) -> Tensor:
    """Greatest value of every window: [H, W]."""
    size = 2 * radius + 1
    if values.device.type == "cpu":
        kernel = np.ones((size, size), np.uint8)
        grown = cv2.dilate(_array(values), kernel, borderType=cv2.BORDER_REPLICATE)
        return torch.from_numpy(grown)
    planes = F.max_pool2d(values[None, None], (size, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(planes, (1, size), stride=1, padding=(0, radius))[0, 0]


def dilated(mask: Tensor, radius: int) -> Tensor:
    """A mask [H, W] and what lies in the windows around its pixels."""
    if mask.device.type == "cpu":
        return window_max(mask.to(torch.uint8), radius) > 0
    return window_max(mask.float(), radius) > 0


def median_of_mask(mask: Tensor, radius: int) -> Tensor:
    """Whether most pixels of a window are in the mask [H, W]."""
    size = 2 * radius + 1
    if mask.device.type == "cpu":
        return torch.from_numpy(cv2.medianBlur(_array(mask.to(torch.uint8)), size) > 0)
    planes = F.pad(mask.float()[None, None], (radius,) * 4, mode="replicate")
    return (F.avg_pool2d(planes, size, stride=1) > 0.5)[0, 0]


def bilateral(image: Tensor, radius: int, *, colours: float, pixels: float) -> Tensor:
    """Mean of what is near and alike, in the disc around every pixel: [H, W, 3].

    Gaussian weights of these spreads; the distance of two colours is the sum of their channels'.
    """
    if image.device.type == "cpu":
        size, border = 2 * radius + 1, cv2.BORDER_REFLECT
        smooth = cv2.bilateralFilter(_array(image), size, colours, pixels, borderType=border)
        return torch.from_numpy(smooth)
    height, width = image.shape[:2]
    rows = _mirrored(height, radius).to(image.device)
    columns = _mirrored(width, radius).to(image.device)
    total, weights = image.clone(), torch.ones_like(image[..., :1])
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            away = math.hypot(down, right)
            if 0 < away <= radius:
                there = image[rows[radius + down :][:height]]
                there = there[:, columns[radius + right :][:width]]
                unlike = (there - image).abs().sum(dim=2, keepdim=True)
                near = away**2 / (2 * pixels**2)
                weight = torch.exp(-unlike.square() / (2 * colours**2) - near)
                total, weights = total + weight * there, weights + weight
    return total / weights


def shrunk(image: Tensor, height: int, width: int) -> Tensor:
    """A smaller picture, each pixel the mean of the area that it covers."""
    if image.device.type == "cpu":
        small = cv2.resize(_array(image), (width, height), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small)
    down = _shares(image.shape[0], height).to(image)
    across = _shares(image.shape[1], width).to(image)
    return _like(down @ _planes(image) @ across.T, image)


def enlarged(image: Tensor, height: int, width: int) -> Tensor:
    """A larger picture, linear between pixels."""
    if image.device.type == "cpu":
        large = cv2.resize(_array(image), (width, height), interpolation=cv2.INTER_LINEAR)
        return torch.from_numpy(large)
    size = (height, width)
    planes = F.interpolate(_planes(image), size=size, mode="bilinear", align_corners=False)
    return _like(planes, image)


def distance_to(mask: Tensor) -> Tensor:
    """Pixels to the nearest pixel of the mask: [H, W] float32, by a 5x5 chamfer.

    The CPU's work everywhere: a thousandth of a build's, and no device does it in so few steps.
    """
    outside = (~mask).to(torch.uint8).cpu()
    return torch.from_numpy(cv2.distanceTransform(_array(outside), cv2.DIST_L2, 5)).to(mask.device)


def _array(image: Tensor) -> np.ndarray:
    return image.contiguous().numpy()


def _planes(image: Tensor) -> Tensor:  # [H, W] or [H, W, C] -> [1, C, H, W]
    return (image.permute(2, 0, 1) if image.dim() == _WIDE else image[None])[None]


def _like(planes: Tensor, image: Tensor) -> Tensor:  # [1, C, H, W] -> as `image` is laid out
    return planes[0].permute(1, 2, 0).contiguous() if image.dim() == _WIDE else planes[0, 0]


def _mirrored(count: int, radius: int) -> Tensor:
    """Which of `count` pixels stand in a row that is mirrored at both ends: [count + 2 radius]."""
    place = torch.arange(-radius, count + radius) % (2 * count)
    return torch.minimum(place, 2 * count - 1 - place)


def _shares(count: int, smaller: int) -> Tensor:
    """Share of each of `count` pixels in each of `smaller`, by area: [smaller, count] float64."""
    edges = torch.arange(smaller + 1, dtype=torch.float64) * (count / smaller)
    pixel = torch.arange(count, dtype=torch.float64)
    upper = torch.minimum(edges[1:, None], pixel + 1)
    return (upper - torch.maximum(edges[:-1, None], pixel)).clamp(min=0) * (smaller / count)
