"""Values spread along a shape: every pixel gets that of the known pixel nearest inside the shape.

A flood from all known pixels at once, breadth first, eight neighbours to a pixel.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cine3d_core.imaging.compiled import compiled


def spread(
    values: Tensor,  # [H, W]
    known: Tensor,  # [H, W] bool
    through: Tensor,  # [H, W] bool: where it may go
) -> tuple[Tensor, Tensor]:
    """The values spread through the shape, and where there are any: [H, W] each."""
    filled = values.float().cpu().contiguous().numpy().copy()
    reached = known.cpu().numpy().copy()
    _flood(filled, reached, through.cpu().contiguous().numpy())
    return torch.from_numpy(filled).to(values), torch.from_numpy(reached).to(known)


@compiled(parallel=False)
def _flood(values: np.ndarray, reached: np.ndarray, through: np.ndarray) -> None:
    """In place: `values` and `reached`."""
    height, width = values.shape
    queue = np.empty(height * width, np.int64)
    end = 0
    for start in range(height * width):
        if reached[start // width, start % width]:
            queue[end] = start
            end += 1
    first = 0
    while first < end:
        row, column = queue[first] // width, queue[first] % width
        first += 1
        for down in range(max(row - 1, 0), min(row + 2, height)):
            for right in range(max(column - 1, 0), min(column + 2, width)):
                if through[down, right] and not reached[down, right]:
                    reached[down, right] = True
                    values[down, right] = values[row, column]
                    queue[end] = down * width + right
                    end += 1
