"""The pass *Moving* as a matte that compositing can use: no gaps of a pixel, soft edges."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d


def matte(moving: Tensor) -> Tensor:  # [1, H, W] in [0, 1] -> [1, H, W]
    """Share of moving surface, closed over gaps of up to two pixels and antialiased.

    The gaps are where a moving surface has parted from a static one: an invented static point
    shows there, and a matte of it would be a dashed line.
    """
    closed = -max_pool2d(-max_pool2d(moving[None], 3, 1, 1), 3, 1, 1)
    return avg_pool2d(closed, 3, 1, 1, count_include_pad=False)[0]
