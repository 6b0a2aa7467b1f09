"""Local contrast of a cross-fade: what mixing and resampling lose of the texture is put back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

NOISE = 1 / 255**2  # variance of one 8-bit level: a flat sky is not amplified
LARGEST_GAIN = 3.0  # of the variance of brightness
LEAST_MOVING = 1e-3  # share of moving points below which a pixel says nothing of what moves


def restore_contrast(
    mixed: Tensor,  # [3, H, W]
    texture: Tensor,  # [1, H, W] times `moving`
    share: Tensor,  # [1, H, W] of the backward cloud
    moving: Tensor,  # [1, H, W] in [0, 1]
    *,
    step: int,  # px; local means are over windows of about 4 steps
) -> Tensor:
    """A mixture of two clouds with as much local contrast as the photo has: [3, H, W].

    Two unrelated textures mixed half and half lose 29 % of their contrast, and points that lie
    between pixels are blurred. What the local variance of brightness should be, the points
    carry (`texture`); deviations from the local mean grow until it is reached. Colours are
    scaled, so that no tint appears that no cloud has. Nothing changes where nothing is mixed: at
    the start of the loop, and where nothing moves.
    """
    if mixed.device.type != "cpu":  # looking for a part would wait for the device
        return _restored(mixed, texture, share, moving, step)
    if not bool((moving > 0).any()):
        return mixed
    # Only rows and columns with something moving, and around them what their windows reach.
    box = _bounding_box(moving[0], 4 * step)
    region = (slice(None), *box)
    part, texture, share, moving = (x[region] for x in (mixed, texture, share, moving))
    restored = mixed.clone()
    restored[region] = _restored(part, texture, share, moving, step)
    return restored


def _restored(mixed: Tensor, texture: Tensor, share: Tensor, moving: Tensor, step: int) -> Tensor:
    brightness = mixed.mean(dim=0, keepdim=True)
    # Of what moves alone: a bank beside the water would pass for its texture.
    total, weight = local_mean(torch.cat([brightness * moving, moving]), step).split(1)
    weight = weight.clamp(min=LEAST_MOVING)
    deviation = brightness - total / weight
    present = local_mean(deviation.square() * moving, step) / weight
    wanted = texture / moving.clamp(min=LEAST_MOVING)
    gain = ((wanted + NOISE) / (present + NOISE)).clamp(1.0, LARGEST_GAIN).sqrt()
    # Static pixels beside the water, and pixels that are not mixed, have nothing to gain.
    mixing = moving * (16 * share * (1 - share)).clamp(max=1)
    growth = (gain - 1) * mixing * deviation
    return mixed * (1 + growth / brightness.clamp(min=1 / 255)).clamp(0.0, 2.0)


def _bounding_box(mask: Tensor, margin: int) -> tuple[slice, slice]:
    """Rows and columns with something in a mask [H, W], with a margin, aligned to it."""
    box = []
    for axis in (1, 0):
        inside = torch.nonzero(mask.any(dim=axis))[:, 0]
        first = max(0, int(inside[0]) - margin) // margin * margin
        box.append(slice(first, int(inside[-1]) + margin + 1))
    return box[0], box[1]


def local_mean(image: Tensor, step: int) -> Tensor:
    """Means over windows of about 4 `step` pixels: [C, H, W]."""
    size = image.shape[1:]
    coarse = avg_pool2d(image[None], step, ceil_mode=True, count_include_pad=False)
    coarse = avg_pool2d(coarse, 5, stride=1, padding=2, count_include_pad=False)
    return interpolate(coarse, tuple(size), mode="bilinear", align_corners=False)[0]
