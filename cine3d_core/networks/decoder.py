"""Compact residual decoder: the splatted colour plus a learned correction (paper, section 3.4).

A small U-Net that works at half and at a quarter of the size. It starts from the splat, and its
last layer starts from zero: untrained it changes nothing. What it sees around a pixel reaches no
farther than about 30 px, so that static surfaces stay still while water flows elsewhere.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.features import GRID_CHANNELS

BASE_PLANES = 6  # R, G, B with holes filled, coverage, disparity, share of moving surface
DETAIL_CHANNELS = 12  # four pixels of three colours
DETAIL_GAIN = 8.0
MEAN_STRENGTH = 1 / 3  # of a splatted pixel grid, squared, over all positions between points
MULTIPLE = 4  # the sides must be multiples of this


def build(
    *, features: int = 6, fine: int = 16, coarse: int = 32, gated: bool = False
) -> ResidualDecoder:
    """The network with random weights; the arguments are what `model.json` stores.

    Args:
        features: channels that the points carry, the pixel grid included.
        fine: channels at half the size.
        coarse: channels at a quarter of the size.
        gated: the pixel grid is not looked at but scales the correction: by nothing where points
            lie on pixels, as in the photo's own view, and most where pixels fall between points.
    """
    return ResidualDecoder(features, fine, coarse, gated=gated)


class ResidualDecoder(nn.Module):
    """Planes of a blended splat -> colours, not clamped."""

    def __init__(self, features: int, fine: int, coarse: int, *, gated: bool) -> None:
        super().__init__()
        self.num_features, self.gated = features, gated
        looked_at = features - GRID_CHANNELS if gated else features
        self.enter = nn.Conv2d(DETAIL_CHANNELS + BASE_PLANES + looked_at, fine, 3, padding=1)
        self.before = nn.Conv2d(fine, fine, 3, padding=1)
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(nn.Conv2d(coarse, coarse, 3, padding=1) for _ in range(2))
        self.up = nn.Conv2d(coarse, fine, 1)
        self.after = nn.Conv2d(fine, fine, 3, padding=1)
        self.leave = nn.Conv2d(fine + DETAIL_CHANNELS, 12, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        planes: Tensor,  # [B, 6 + C, H, W], see BASE_PLANES, then the features
    ) -> Tensor:  # [B, 3, H, W]
        """Sides must be multiples of MULTIPLE."""
        return planes[:, :3] + self.correction(planes)

    def correction(self, planes: Tensor) -> Tensor:  # [B, 3, H, W]
        """What `forward` adds to the colours, for `planes` of the network's own precision."""
        pixels = F.pixel_unshuffle(self._looked_at(planes), 2)
        cells = pixels.unflatten(1, (-1, 4)).mean(dim=2)
        detail = _detail(pixels[:, :DETAIL_CHANNELS], cells[:, :3])
        x = torch.cat([detail, cells], dim=1).contiguous(memory_format=torch.channels_last)
        detail = x[:, :DETAIL_CHANNELS]
        x = _active(self.enter(x))
        fine = _plus(x, self.before(x))
        x = _active(self.down(fine))
        for layer in self.middle:
            x = _plus(x, layer(x))
        x = F.interpolate(self.up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        x = x + fine
        x = _plus(x, self.after(x))
        correction = F.pixel_shuffle(self.leave(torch.cat([x, detail], dim=1)), 2)
        if self.gated:
            correction = correction * _blur(planes[:, -GRID_CHANNELS:])
        return correction

    def _looked_at(self, planes: Tensor) -> Tensor:
        """All planes; of the pixel grid its strength, since its sign alternates, or nothing."""
        if self.num_features == 0:
            return planes
        seen = planes[:, :-GRID_CHANNELS]
        return seen if self.gated else torch.cat([seen, planes[:, -GRID_CHANNELS:].abs()], dim=1)


def _active(x: Tensor) -> Tensor:
    """Leaky, since a plain ReLU may fall silent for good in so small a network."""
    return F.leaky_relu(x, 0.1)


def _plus(x: Tensor, layer: Tensor) -> Tensor:
    """A residual step."""
    return x + _active(layer)


def _detail(
    pixels: Tensor,  # [B, DETAIL_CHANNELS, H / 2, W / 2] colours of the four pixels of each cell
    cells: Tensor,  # [B, 3, H / 2, W / 2] their means
) -> Tensor:  # as `pixels`
    """What is finer than a few pixels, enlarged: the correction resembles this, not the colour."""
    mean = F.avg_pool2d(F.pad(cells, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return (pixels - mean.repeat_interleave(4, dim=1)) * DETAIL_GAIN


def _blur(grid: Tensor) -> Tensor:  # [B, 2, H, W] -> [B, 1, H, W]
    """How much a splat has blurred, 0 where points lie on pixels, 1 on average.

    Half-way between two points, where a tent averages both, their pixel grid cancels. Its square
    averages 1/3 over all positions.
    """
    strength = grid.square().clamp(max=1).mean(dim=1, keepdim=True)
    return (1 - strength) / (1 - MEAN_STRENGTH)
