"""Detail that splatting blurs, put back before the two clouds are mixed.

A tent spreads a point over the pixels around it, which is linear interpolation: between two points
of spacing 1, at the fraction f of the way, it is off by f (1 - f) / 2 of the second derivative.
How far a pixel lies between points is written in the pixel grid that the points carry: +1 and -1
in turn, it averages to 1 - 2 f. So the picture gets what is missing of its second difference, and
pixels on which points lie, as all do in the photo's own view, stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor

from cine3d_core.imaging.compiled import compiled
from cine3d_core.imaging.launch import may_launch
from cine3d_core.networks.features import GRID_CHANNELS
from cine3d_core.render.blend import SplatChannels
from cine3d_core.scene import SplatImage

# Of the range of colours around a moving pixel: so far it may leave that range. Else the crests
# between two points of a texture, which no point shows, would stay flat.
CREST = 0.25
SOLID = 0.5  # coverage around a pixel below which there is no second difference


def restore_detail(image: SplatImage, channels: SplatChannels) -> SplatImage:
    """A splatted cloud with the detail that its colours lost; as it is if it has no pixel grid.

    No colour leaves the range of those around it, so that edges get no halo. What moves may leave
    it a little: water has crests rather than edges.
    """
    end = channels.features.stop
    if end - channels.features.start < GRID_CHANNELS:
        return image
    features = image.features
    grid = features[end - GRID_CHANNELS : end]
    moving = features[channels.moving : channels.moving + 1]
    if may_launch(features) and not features.requires_grad:
        from cine3d_core.render.card import picture  # imports Warp, see `launch`

        colours = picture.sharpened(
            features[channels.rgb], grid, image.alpha, moving, solid=SOLID, crest=CREST
        )
    elif features.device.type != "cpu" or features.requires_grad:
        colours = sharpened_torch(features[channels.rgb], grid, image.alpha, moving)
    else:
        colours = torch.empty_like(features[channels.rgb])
        _sharpen(
            features[channels.rgb].contiguous().numpy(),
            grid.contiguous().numpy(),
            image.alpha[0].contiguous().numpy(),
            moving[0].contiguous().numpy(),
            colours.numpy(),
        )
    return SplatImage(
        features=torch.cat([colours, features[channels.rgb.stop :]]),
        alpha=image.alpha,
        disparity=image.disparity,
    )


def sharpened_torch(
    rgb: Tensor,  # [3, H, W]
    grid: Tensor,  # [2, H, W] along x, along y, in [-1, 1]
    alpha: Tensor,  # [1, H, W]
    moving: Tensor,  # [1, H, W] in [0, 1]
) -> Tensor:  # [3, H, W]
    """`_sharpen` in torch operations: any device, differentiable."""
    between = (1 - grid.square()) / 8  # f (1 - f) / 2
    wide = F.pad(rgb[None], (1, 1, 1, 1), mode="replicate")
    rows, columns = wide[0, :, :, 1:-1], wide[0, :, 1:-1]
    along_x = columns[..., 2:] + columns[..., :-2] - 2 * rgb
    along_y = rows[:, 2:] + rows[:, :-2] - 2 * rgb
    sharp = rgb - between[:1] * along_x - between[1:] * along_y
    low, high = -F.max_pool2d(-wide, 3, stride=1)[0], F.max_pool2d(wide, 3, stride=1)[0]
    room = CREST * moving * (high - low)
    around = -F.max_pool2d(-F.pad(alpha[None], (1, 1, 1, 1), mode="replicate"), 3, stride=1)[0]
    return torch.where(around > SOLID, sharp.clamp(low - room, high + room), rgb)


@compiled()
def _sharpen(
    rgb: np.ndarray,  # [3, H, W]
    grid: np.ndarray,  # [2, H, W]
    alpha: np.ndarray,  # [H, W]
    moving: np.ndarray,  # [H, W]
    out: np.ndarray,  # [3, H, W]
) -> None:
    _, height, width = rgb.shape
    one, two, eighth = np.float32(1.0), np.float32(2.0), np.float32(0.125)
    crest = np.float32(CREST)
    for row in prange(height):
        above, below = max(row - 1, 0), min(row + 1, height - 1)
        # With a column more on either side; loops without conditions, which vectorise.
        least = np.empty(width + 2, np.float32)
        low, high = np.empty(width + 2, np.float32), np.empty(width + 2, np.float32)
        for x in range(width):
            least[x + 1] = min(alpha[above, x], alpha[row, x], alpha[below, x])
        least[0], least[width + 1] = least[1], least[width]
        for channel in range(3):
            plane = rgb[channel]
            for x in range(width):
                low[x + 1] = min(plane[above, x], plane[row, x], plane[below, x])
                high[x + 1] = max(plane[above, x], plane[row, x], plane[below, x])
            low[0], low[width + 1] = low[1], low[width]
            high[0], high[width + 1] = high[1], high[width]
            for x in range(width):
                value = plane[row, x]
                across, down = grid[0, row, x], grid[1, row, x]
                along_x = plane[row, max(x - 1, 0)] + plane[row, min(x + 1, width - 1)]
                along_y = plane[above, x] + plane[below, x]
                sharp = value - (one - across * across) * eighth * (along_x - two * value)
                sharp -= (one - down * down) * eighth * (along_y - two * value)
                least_around = min(low[x], low[x + 1], low[x + 2])
                most_around = max(high[x], high[x + 1], high[x + 2])
                room = crest * moving[row, x] * (most_around - least_around)
                sharp = min(max(sharp, least_around - room), most_around + room)
                solid = min(least[x], least[x + 1], least[x + 2]) > SOLID
                out[channel, row, x] = sharp if solid else value
