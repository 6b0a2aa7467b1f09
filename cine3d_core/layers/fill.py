"""Fill a hole in a picture and its depth without a network.

Colours are continued from the border, along the lines that reach it. Fine texture is mirrored
across the border along the same lines. Disparities come from all around by push-pull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.imaging.transport import continued_inwards
from cine3d_core.imaging.windows import box_mean

Array = NDArray[Any]

# Shares of the long side.
_REACH = 0.012  # how far a pixel of the hole looks for what is known
_MOST_REACH = 24  # px: the work grows with its square
_FINE = 0.0015  # spread of the smoothing whose remainder is texture
_SPREAD = 0.02  # of the window in which the usual contrast of texture is measured
_TEXTURE = 0.75  # of the texture is added: it belongs there, but not pixel by pixel


@dataclass(frozen=True)
class FilledPicture:
    """A picture and its depth; meaningful in the context and the hole it was made from."""

    rgb: Tensor  # [3, H, W]
    depth: Tensor  # [1, H, W]


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
    smooth = context_mean(1.0 / depth.clamp(min=1e-6), context, max(1, round(0.006 * scale)))
    disparity = push_pull(smooth, context.to(smooth))
    colour = _colours(_picture(rgb), _picture(context), _picture(hole), scale)
    filled = torch.from_numpy(colour).permute(2, 0, 1).to(rgb)
    return FilledPicture(
        rgb=torch.where(hole, filled.clamp(0, 1), rgb),
        depth=torch.where(hole, 1.0 / disparity.clamp(min=1e-6), depth),
    )


def _picture(planes: Tensor) -> Array:  # [C, H, W] -> [H, W, C], or [H, W] of a mask
    if planes.dtype == torch.bool:
        return planes[0].cpu().numpy()
    return planes.permute(1, 2, 0).float().cpu().contiguous().numpy()


def _colours(rgb: Array, context: Array, hole: Array, scale: int) -> Array:
    """Colours [H, W, 3] with the hole filled; the work of the CPU, where rings go inwards."""
    known = np.where(context[..., None], rgb, 0)
    reach = min(max(2, round(_REACH * scale)), _MOST_REACH)
    inwards = continued_inwards(known, context, hole, reach)
    colours, origin = inwards[..., :3], inwards[..., 3:]
    hidden = hole & (origin[..., 0] < 0)  # too far from everything
    if hidden.any():
        planes = torch.from_numpy(known).permute(2, 0, 1)
        membrane = push_pull(planes, torch.from_numpy(context.astype(np.float32))[None])
        colours[hidden] = membrane.permute(1, 2, 0).numpy()[hidden]
    target = np.flatnonzero(hole & ~hidden)
    source = _mirrored(target, origin.reshape(-1, 2)[target], context)
    target, source = target[source >= 0], source[source >= 0]
    smooth = _context_blur(known, context, _FINE * scale)
    detail = (known - smooth).reshape(-1, 3)
    # Without the structure it belongs to, a strong edge would stand out of the texture.
    contrast = np.square(known - smooth).mean(axis=2) * context
    limit = 1.5 * np.sqrt(_context_blur(contrast, context, _SPREAD * scale).clip(0)).reshape(-1, 1)
    texture = np.clip(detail[source], -limit[source], limit[source])
    colours.reshape(-1, 3)[target] += _TEXTURE * texture
    return colours


def _mirrored(target: Array, origin: Array, context: Array) -> Array:
    """Flat index in the context of what texture pixels get: [K], -1 for none.

    The mirror image on the line that a pixel's colour came along; else one that reaches less far.
    """
    height, width = context.shape
    place = np.stack(np.divmod(target, width), axis=1)
    source = np.full(len(target), -1)
    for reach in (2.0, 1.6, 1.3, 1.1):
        y, x = np.rint(place + reach * (origin - place)).astype(np.int64).T
        good = (source < 0) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
        good[good] = context[y[good], x[good]]
        source[good] = y[good] * width + x[good]
    return source


def _context_blur(values: Array, context: Array, sigma: float) -> Array:
    """Gaussian mean of the context, of one plane or of several; `values` are zero elsewhere."""
    weight = cv2.GaussianBlur(context.astype(np.float32), (0, 0), max(sigma, 0.5))
    mean = cv2.GaussianBlur(values, (0, 0), max(sigma, 0.5)).reshape(*context.shape, -1)
    mean = mean / np.maximum(weight, 1e-4)[..., None]
    return mean.reshape(values.shape)
