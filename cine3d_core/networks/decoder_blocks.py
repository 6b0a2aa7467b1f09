"""Parts of the decoders that turn an encoder's pyramid into a map.

Pooled context: Zhao et al., "Pyramid Scene Parsing Network" (CVPR 2017), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 32  # the sides of the input must be multiples of the encoder's total stride


class PooledContext(nn.Module):
    """Adds to every place what coarse grids say of the whole picture, at any resolution."""

    def __init__(self, inputs: int, outputs: int, grids: Sequence[int]) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.local = nn.Conv2d(inputs, outputs, 1)
        self.pooled = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for _ in self.grids)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, h, w]."""
        y = self.local(x)
        for grid, conv in zip(self.grids, self.pooled, strict=True):
            coarse = F.relu(conv(F.adaptive_avg_pool2d(x, grid)))
            y = y + F.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return F.relu(y)


class Fusion(nn.Module):
    """One decoder step: enlarge the coarse map, add the thinned finer one, refine."""

    def __init__(self, coarse: int, fine: int, width: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(coarse, width, 1, bias=False)
        self.skip = nn.Conv2d(fine, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.refine = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.refine_norm = nn.BatchNorm2d(width)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """[B, coarse, h, w] and [B, fine, 2h, 2w] -> [B, width, 2h, 2w]."""
        size = fine.shape[-2:]
        raised = F.interpolate(self.down(coarse), size=size, mode="bilinear", align_corners=False)
        x = F.relu(self.norm(raised + self.skip(fine)))
        return F.relu(x + self.refine_norm(self.refine(x)))


def network_size(height: int, width: int, *, long_side: int) -> tuple[int, int]:
    """(height, width) in multiples of 32 that keep the aspect as nearly as they can."""
    scale = long_side / max(height, width)
    rows, columns = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    return rows, columns
