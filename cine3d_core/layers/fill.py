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

from cine3d_core.imaging.nearest import nearest_pixel
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.imaging.windows import box_mean


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
    """The hole filled from the context within a tenth of the long side; the rest as it was."""
    scale = max(rgb.shape)
    rows, columns = window_around(hole, round(0.1 * scale))
    part = (slice(None), rows, columns)
    if not context[part].any():
        part = (slice(None), slice(None), slice(None))
    filled_rgb, filled_depth = rgb.clone(), depth.clone()
    inside = _fill(rgb[part], depth[part], context[part], hole[part], scale)
    filled_rgb[part], filled_depth[part] = inside.rgb, inside.depth
    return FilledPicture(rgb=filled_rgb, depth=filled_depth)


def context_mean(
    values: Tensor,  # [C, H, W]
    context: Tensor,  # [1, H, W] bool
    radius: int,
) -> Tensor:  # [C, H, W]
    """Mean of the context in a window; zero where the window holds none."""
    planes = torch.cat([values * context, context.to(values)])
    sums = torch.stack([box_mean(plane, radius) for plane in planes])
    return sums[:-1] / sums[-1:].clamp(min=1e-6)


def window_around(mask: Tensor, margin_px: int) -> tuple[slice, slice]:
    """Rows and columns of a mask [1, H, W] that is not empty, and a margin."""
    sides = []
    for axis in (2, 1):
        places = torch.nonzero(mask[0].any(dim=axis - 1))
        first, last = int(places[0]), int(places[-1])
        sides.append(slice(max(0, first - margin_px), last + 1 + margin_px))
    return sides[0], sides[1]


def _fill(rgb: Tensor, depth: Tensor, context: Tensor, hole: Tensor, scale: int) -> FilledPicture:
    """`analytic_fill` of a part of a picture whose long side is `scale`."""
    smooth = context_mean(rgb, context, max(1, round(0.006 * scale)))
    known = torch.cat([smooth, 1.0 / depth.clamp(min=1e-6)])
    membrane = push_pull(known, context.to(rgb))
    colour = torch.where(hole, membrane[:3], rgb).flatten(1)
    mirror = _mirror(context, hole, scale)
    image = rgb.flatten(1)[:, mirror.source]
    detail = rgb - smooth
    # Without the structure it belongs to, a strong edge would stand out of the texture.
    contrast = detail.square().mean(dim=0, keepdim=True)
    spread = context_mean(contrast, context, max(1, round(0.02 * scale)))
    limit = 1.5 * spread.flatten()[mirror.source].clamp(min=0).sqrt()
    texture = detail.flatten(1)[:, mirror.source].clamp(-limit, limit)
    trust = mirror.trust.to(rgb)
    colour[:, mirror.target] = torch.lerp(colour[:, mirror.target] + texture, image, trust)
    return FilledPicture(
        rgb=colour.reshape(rgb.shape).clamp(0, 1),
        depth=torch.where(hole, 1.0 / membrane[3:].clamp(min=1e-6), depth),
    )


def _mirror(context: Tensor, hole: Tensor, scale: int) -> _Mirror:
    known, wanted = context[0].cpu().numpy(), hole[0].cpu().numpy()
    height, width = known.shape
    distance, nearest = nearest_pixel(known)
    rows, columns = np.nonzero(wanted)
    border_rows, border_columns = np.divmod(nearest[wanted], width)
    steps = np.stack([border_rows - rows, border_columns - columns, np.ones_like(rows)], axis=1)
    # A ragged border would scatter the mirror image; averaged over a window it stays in one piece.
    spread = np.zeros((height, width, 3), np.float32)
    spread[wanted] = steps
    mean = box_mean(torch.from_numpy(spread), max(1, round(0.004 * scale))).numpy()[wanted]
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
    fade = 1 - distance[wanted] / (0.05 * scale)
    trust = np.clip(fade, 0, 1) * np.clip(agreement, 0, 1) ** 2
    found = source >= 0
    target = (rows * width + columns)[found]
    arrays = target, source[found], trust[found].astype(np.float32)
    return _Mirror(*(torch.from_numpy(array).to(context.device) for array in arrays))
