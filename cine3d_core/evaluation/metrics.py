"""How far a picture is from the true one, counting valid pixels only.

Every measure is a map over the pixels, so that it can be averaged over any region. Pixels that do
not count must be made equal in both pictures beforehand (`agree_outside`): then nothing of them
leaks in through the windows.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_WINDOW, _SIGMA = 11, 1.5  # Wang et al., TIP 2004, section III C
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2
_GMSD_C = 0.0026  # Xue et al., TIP 2014: 170 / 255^2
_LUMA = (0.299, 0.587, 0.114)


def agree_outside(rgb: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """The picture [3, H, W] with the truth where `valid` [1, H, W] is False."""
    return torch.where(valid, rgb, truth)


def squared_error(rgb: Tensor, truth: Tensor) -> Tensor:
    """Squared difference, mean over the channels: [1, H, W]."""
    return (rgb - truth).square().mean(dim=0, keepdim=True)


def psnr(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1], at most 60.

    The truth has 8 bits, whose rounding alone costs 59 dB; so equal frames do not outvote others.
    """
    return -10 * math.log10(max(mean_squared_error, 1e-6))


def ssim_map(
    rgb: Tensor,  # [3, H, W]
    truth: Tensor,  # [3, H, W]
    valid: Tensor,  # [1, H, W] bool
) -> Tensor:  # [1, H, W], 1 is equal
    """Structural similarity, mean over the channels (Wang et al., TIP 2004, equation 13).

    Local moments are those of the valid pixels in each window, so neither the picture's border nor
    pixels that do not count have a say.
    """
    weight = valid.to(rgb)
    planes = torch.cat([rgb, truth, rgb * rgb, truth * truth, rgb * truth]) * weight
    blurred = _gaussian(torch.cat([planes, weight]))
    mean, true_mean, square, true_square, product = (
        blurred[:-1] / blurred[-1:].clamp(min=1e-6)
    ).chunk(5)
    variance = (square - mean * mean).clamp(min=0)
    true_variance = (true_square - true_mean * true_mean).clamp(min=0)
    covariance = product - mean * true_mean
    similarity = (2 * mean * true_mean + _SSIM_C1) * (2 * covariance + _SSIM_C2)
    similarity /= (mean**2 + true_mean**2 + _SSIM_C1) * (variance + true_variance + _SSIM_C2)
    return similarity.mean(dim=0, keepdim=True)


def gradient_similarity(rgb: Tensor, truth: Tensor) -> Tensor:
    """Similarity of the gradients' magnitude at half resolution: [1, H // 2, W // 2], 1 is equal.

    Its standard deviation is GMSD (Xue et al., TIP 2014), a perceptual distance without a network.
    """
    luma = torch.stack([luminance(rgb), luminance(truth)])
    luma = functional.avg_pool2d(luma, 2)
    kernel = luma.new_tensor([[1.0, 0, -1]] * 3) / 3
    kernels = torch.stack([kernel, kernel.T])[:, None]
    padded = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    gradients = functional.conv2d(padded, kernels).square().sum(dim=1)  # [2, H // 2, W // 2]
    own, true = gradients.sqrt()
    return ((2 * own * true + _GMSD_C) / (own**2 + true**2 + _GMSD_C))[None]


def masked_mean(values: Tensor, region: Tensor) -> float:
    """Mean of a map [1, H, W] over a region [1, H, W] of bool or weights; NaN when it is empty."""
    weight = region.to(values)
    total = float(weight.sum(dtype=torch.float64))
    if total == 0:
        return math.nan
    return float((values * weight).sum(dtype=torch.float64)) / total


def masked_deviation(values: Tensor, region: Tensor) -> float:
    """Standard deviation of a map [1, H, W] over a region, see `masked_mean`."""
    mean = masked_mean(values, region)
    return math.sqrt(max(masked_mean((values - mean).square(), region), 0.0))


def at_size(region: Tensor, height: int, width: int) -> Tensor:
    """A region [1, H, W] as weights in [0, 1] at a lower resolution: [1, height, width]."""
    return functional.adaptive_avg_pool2d(region.float(), (height, width))


def luminance(rgb: Tensor) -> Tensor:
    """Brightness of a picture [3, H, W]: [1, H, W]."""
    return (rgb * rgb.new_tensor(_LUMA)[:, None, None]).sum(dim=0, keepdim=True)


def _gaussian(planes: Tensor) -> Tensor:  # [C, H, W] on the CPU -> [C, H, W], zero outside
    size, border = (_WINDOW, _WINDOW), cv2.BORDER_CONSTANT
    # OpenCV's is twenty times faster than torch's convolution with one thread.
    blurred = [cv2.GaussianBlur(p.numpy(), size, _SIGMA, borderType=border) for p in planes]
    return torch.from_numpy(np.stack(blurred))
