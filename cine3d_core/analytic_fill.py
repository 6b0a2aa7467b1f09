"""Fill a hole in a picture and its depth without a network.

Smooth colours and disparities come from all around by push-pull. Texture and structure are mirrored
across the hole's border, full colours close to it and only fine texture farther in, where a mirror
image would no longer belong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cine3d_core.guided_filter import box_mean
from cine3d_core.nearest import nearest_pixel
from cine3d_core.push_pull import push_pull


@dataclass(frozen=True)
class FilledPicture:
    """A picture and its depth; meaningful in the context and the hole it was made from."""

    rgb: Tensor  # [3, H, W]
    depth: Tensor  # [1, H, W]


@dataclass(frozen=True)
class _Mirror:
    """Of some pixels of the hole: their mirror images in the context, and how far to trust them."""

    target: Tensor  # [K] flat index, in the hole
    source: Tensor  # [K] flat index, in the context
    trust: Tensor  # [K] 1 at the border, 0 far from it or between two borders


def analytic_fill(
    rgb: Tensor,  # [3, H, W]
    depth: Tensor,  # [1, H, W] > 0
    context: Tensor,  # [1, H, W] bool, not empty
    hole: Tensor,  # [1, H, W] bool
) -> FilledPicture:
    """The hole filled from the context alone; the rest as it was."""
    smooth = context_mean(rgb, context, max(1, round(0.006 * max(rgb.shape))))
    known = torch.cat([smooth, 1.0 / depth.clamp(min=1e-6)])
    membrane = push_pull(known, context.to(rgb))
    colour = torch.where(hole, membrane[:3], rgb).flatten(1)
    mirror = _mirror(context, hole)
    image = rgb.flatten(1)[:, mirror.source]
    # Without the structure it belongs to, a strong edge would stand out of the texture.
    spread = context_mean((rgb - smooth).square(), context, max(1, round(0.02 * max(rgb.shape))))
    limit = 1.5 * spread.flatten(1)[:, mirror.source].clamp(min=0).sqrt()
    texture = (image - smooth.flatten(1)[:, mirror.source]).clamp(-limit, limit)
    trust = mirror.trust.to(rgb)
    colour[:, mirror.target] = torch.lerp(colour[:, mirror.target] + texture, image, trust)
    return FilledPicture(
        rgb=colour.reshape(rgb.shape).clamp(0, 1),
        depth=torch.where(hole, 1.0 / membrane[3:].clamp(min=1e-6), depth),
    )


def context_mean(
    rgb: Tensor,  # [3, H, W]
    context: Tensor,  # [1, H, W] bool
    radius: int,
) -> Tensor:  # [3, H, W]
    """Mean colour of the context in a window; zero where the window holds none."""
    weighted = torch.cat([rgb * context, context.to(rgb)]).permute(1, 2, 0)
    means = torch.from_numpy(box_mean(weighted.contiguous().cpu().numpy(), radius)).to(rgb)
    means = means.permute(2, 0, 1)
    return means[:3] / means[3:].clamp(min=1e-6)


def _mirror(context: Tensor, hole: Tensor) -> _Mirror:
    known, wanted = context[0].cpu().numpy(), hole[0].cpu().numpy()
    height, width = known.shape
    distance, nearest = nearest_pixel(known)
    rows, columns = np.nonzero(wanted)
    border_rows, border_columns = np.divmod(nearest[wanted], width)
    steps = np.stack([border_rows - rows, border_columns - columns, np.ones_like(rows)], axis=1)
    # A ragged border would scatter the mirror image; averaged over a window it stays in one piece.
    spread = np.zeros((height, width, 3), np.float32)
    spread[wanted] = steps
    mean = box_mean(spread, max(1, round(0.004 * max(height, width))))[wanted]
    calm = mean[:, :2] / np.maximum(mean[:, 2:], 1e-6)

    source = np.full(len(rows), -1)
    # The calm mirror first; else the exact one; else one that reaches less far.
    for step, reach in ((calm, 2.0), (steps[:, :2], 2.0), (steps[:, :2], 1.4)):
        y = np.rint(rows + reach * step[:, 0]).astype(np.int64)
        x = np.rint(columns + reach * step[:, 1]).astype(np.int64)
        good = (source < 0) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
        good[good] = known[y[good], x[good]]
        source[good] = y[good] * width + x[good]
    # Halfway between two borders the steps of both cancel out.
    agreement = np.hypot(*calm.T) / np.maximum(np.hypot(*steps[:, :2].T), 1e-6)
    fade = 1 - distance[wanted] / (0.05 * max(height, width))
    trust = np.clip(fade, 0, 1) * np.clip(agreement, 0, 1) ** 2
    found = torch.from_numpy(source >= 0)
    return _Mirror(
        target=torch.from_numpy(rows * width + columns)[found],
        source=torch.from_numpy(source)[found],
        trust=torch.from_numpy(trust)[found],
    )
