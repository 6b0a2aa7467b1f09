"""The kernel of `euler` for graphics cards."""

# Warp reads the annotations and bodies of kernels as a language of its own: compiling checks it.
# pyright: reportArgumentType=false
# pyright: reportCallIssue=false
# pyright: reportIndexIssue=false

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from cine3d_core.imaging.launch import launch

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.kernel
def _advance(
    start: wp.array[wp.vec2],  # [N]
    displacement: wp.array[wp.vec2],  # [N]
    field: wp.array[wp.vec2],  # [L * H * W]
    layer: wp.array[wp.int64],  # [N]
    height: wp.int32,
    width: wp.int32,
    whole: wp.int32,
    full: wp.float32,
    last: wp.float32,
    out: wp.array[wp.vec2],  # [N]
):
    i = wp.tid()
    moved = displacement[i]
    steps = whole
    if last != 0.0:
        steps = whole + 1
    base = wp.int32(layer[i]) * height * width
    for step in range(steps):
        x = wp.clamp(start[i][0] + moved[0] - 0.5, 0.0, wp.float32(width - 1))
        y = wp.clamp(start[i][1] + moved[1] - 0.5, 0.0, wp.float32(height - 1))
        left = wp.min(wp.int32(x), wp.max(width - 2, 0))
        top = wp.min(wp.int32(y), wp.max(height - 2, 0))
        right = wp.min(left + 1, width - 1)
        bottom = wp.min(top + 1, height - 1)
        fx = x - wp.float32(left)
        fy = y - wp.float32(top)
        share = full
        if step >= whole:
            share = last
        upper = field[base + top * width + left] * (1.0 - fx)
        upper += field[base + top * width + right] * fx
        lower = field[base + bottom * width + left] * (1.0 - fx)
        lower += field[base + bottom * width + right] * fx
        moved += share * (upper * (1.0 - fy) + lower * fy)
    out[i] = moved


def advance(
    start: Tensor,
    displacement: Tensor,
    field: Tensor,
    layer: Tensor,
    whole: int,
    fraction: float,
    sign: float = 1.0,
) -> Tensor:
    """See `euler.advance_torch`."""
    out = torch.empty_like(displacement)
    _, height, width, _ = field.shape
    cells = field.view(-1, 2)
    places = start, displacement.contiguous(), cells, layer, height, width
    launch(_advance, len(start), *places, whole, sign, sign * fraction, out)
    return out
