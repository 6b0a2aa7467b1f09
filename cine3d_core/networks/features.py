"""Compact features of points: what the splat of a colour alone loses (paper, section 3.3).

A point carries a few numbers that a small convolutional network reads off its surroundings on its
own layer, and two that say where it lies on the grid of source pixels: +1 and -1 in turn along
x and along y. Splatted, these fade where a pixel falls between points, so they tell the decoder
how much the splat has blurred.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.scene import FeaturePointCloud

PLANES = 5  # of a layer: RGB, whether a point is there, whether it is invented
GRID_CHANNELS = 2  # channels of the pixel grid, the last ones of a point's features
REACH = 4  # px around a point that its features may depend on


def build(*, width: int = 16, learned: int = 4) -> FeatureNetwork:
    """The network with random weights; the arguments are what `model.json` stores."""
    return FeatureNetwork(width, learned)


class FeatureNetwork(nn.Module):
    """Features of every pixel of a layer, in [-1, 1]; works on cells of 2 x 2 pixels."""

    def __init__(self, width: int, learned: int) -> None:
        super().__init__()
        self.num_features = learned + GRID_CHANNELS
        self.first = nn.Conv2d(4 * PLANES, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 1)
        self.last = nn.Conv2d(width, 4 * learned, 1)

    def forward(
        self,
        layers: Tensor,  # [L, 5, H, W]; PLANES, zero where there is no point
    ) -> Tensor:  # [L, learned + GRID_CHANNELS, H, W]
        """The upper left pixel must lie at even coordinates of the canvas."""
        height, width = layers.shape[-2:]
        even = F.pad(layers, (0, width % 2, 0, height % 2))
        cells = F.pixel_unshuffle(even, 2).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.second(F.relu(self.first(cells))))
        learned = torch.tanh(F.pixel_shuffle(self.last(x), 2))[..., :height, :width]
        return torch.cat([learned, pixel_grid(layers).to(learned)], dim=1)


def pixel_grid(layers: Tensor) -> Tensor:  # [L, C, H, W] -> [L, 2, H, W]
    """+1 and -1 in turn, along x and along y."""
    height, width = layers.shape[-2:]
    columns = 1 - 2 * (torch.arange(width, device=layers.device) % 2).to(layers)
    rows = 1 - 2 * (torch.arange(height, device=layers.device) % 2).to(layers)
    both = torch.stack([columns.expand(height, width), rows[:, None].expand(height, width)])
    return both.expand(len(layers), -1, -1, -1)


def pixel_grid_of_points(cloud: FeaturePointCloud, width: int) -> Tensor:  # [N, 2]
    """The pixel grid alone, which needs no network; `width` is the canvas's."""
    place = torch.stack([cloud.pixel % width, cloud.pixel // width], dim=1)
    return 1 - 2 * (place % 2).to(cloud.rgb)


def layer_planes(cloud: FeaturePointCloud, layer: int, height: int, width: int) -> Tensor:
    """What the network sees of one layer of a cloud on its canvas: [5, H, W]."""
    own = cloud.layer == layer
    planes = cloud.rgb.new_zeros(PLANES, height * width)
    pixel = cloud.pixel[own]
    planes[:3, pixel] = cloud.rgb[own].T
    planes[3, pixel] = 1
    planes[4, pixel] = cloud.inpainted[own].to(planes)
    return planes.view(PLANES, height, width)


@torch.no_grad()
def features_of_points(
    network: FeatureNetwork, cloud: FeaturePointCloud, height: int, width: int
) -> Tensor:  # [N, C]
    """Features of all points of a cloud on a canvas of `height` x `width`, layer by layer."""
    found = cloud.rgb.new_zeros(len(cloud.pixel), network.num_features)
    for layer in torch.unique(cloud.layer).tolist():
        own = torch.nonzero(cloud.layer == layer)[:, 0]
        rows, columns = cloud.pixel[own] // width, cloud.pixel[own] % width
        # Only the part of the canvas where the layer is; it starts at even coordinates.
        top, left = (max(0, int(v.min()) - REACH) // 2 * 2 for v in (rows, columns))
        bottom, right = (int(v.max()) + 1 + REACH for v in (rows, columns))
        planes = layer_planes(cloud, layer, height, width)[:, top:bottom, left:right]
        maps = network(planes[None].contiguous())[0]
        found[own] = maps[:, rows - top, columns - left].T
    return found
