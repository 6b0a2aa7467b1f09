"""The backing layer: what shows where flow has left its place and none has come from elsewhere.

Near a bank or a brink both clouds of a frame may have flowed away from a pixel: what is there by
then comes from outside what the photo shows. What lies behind, a bank or the sky, must not be seen
through such gaps, for the photo says that water is there. So the water gets a static copy in its
mean colour right behind it, which the photo's own camera sees nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from cine3d_core.geometry import pixel_centres, unproject
from cine3d_core.layers.fill import context_mean
from cine3d_core.motion.euler import displacement_at, displacement_keys
from cine3d_core.points.layer_motion import LayerMotion
from cine3d_core.scene import Camera, FeaturePointCloud, LayeredDepthImage, MotionField

# Share of its depth by which it lies behind; more than the splatter takes for one surface, and
# even where what flows behind the water does (`flowing_backing.BEHIND`).
BEHIND = 0.08
BESIDE_PX = 2
MOMENTS = 8  # of a cycle at which gaps are looked for
LANDED = 0.7  # points of one cloud for each pixel, below which it may show what lies behind
SHARE_UNIT = 2**16  # of a point, in whole numbers; 2**15 of them may land on one pixel
COLOUR_RADIUS = 0.02  # of the long side: over which the bed's colour is a mean


def with_backing_layer(
    cloud: FeaturePointCloud,
    layers: LayeredDepthImage,
    motion: MotionField,
    emptied: Tensor,  # [1, H, W] bool
    canvas_camera: Camera,
) -> FeaturePointCloud:
    """The cloud, and after its points those of the backing layer.

    Args:
        cloud: of the layers.
        layers: inpainted; every pixel is visible (not inpainted) in exactly one layer.
        motion: of the canvas.
        emptied: where nothing that flows may be at some moment, see `gaps`.
        canvas_camera: of the canvas.
    """
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted  # [L, 1, H, W]
    # A little beyond a gap, too: a pixel beside it wants a point on either side. And along banks,
    # where what flows up to them stops short.
    open_px = motion.moving & (_beside(emptied) | _beside(~motion.moving))
    pixel = torch.nonzero(open_px.flatten())[:, 0]
    if not len(pixel):
        return cloud
    rgb = (layers.rgba[:, :3] * visible).sum(dim=0)
    depth = (layers.depth * visible).sum(dim=0).flatten()[pixel] * (1 + BEHIND)
    _, height, width = rgb.shape
    radius = max(BESIDE_PX + 1, round(COLOUR_RADIUS * max(height, width)))
    colour = context_mean(rgb, motion.moving, radius)
    backing = HiddenPoints(pixel, _layer_of(visible, pixel), depth, colour.flatten(1).T[pixel])
    return joined(cloud, backing, canvas_camera)


def with_hidden_backing(
    cloud: FeaturePointCloud,
    layers: LayeredDepthImage,
    layer_motion: LayerMotion,
    canvas_camera: Camera,
) -> FeaturePointCloud:
    """The cloud with static copies right behind hidden flowing points, in their colours.

    A camera that looks behind something finds it covered, although the flow has left.
    """
    flows = (layer_motion.velocity != 0).any(dim=1) & layers.inpainted[:, 0]
    flows &= (layers.depth <= layer_motion.depth)[:, 0] & (layers.rgba[:, 3] > 0.5)
    layer, pixel = torch.nonzero(flows.flatten(1), as_tuple=True)
    if not len(pixel):
        return cloud
    depth = layers.depth.flatten(1)[layer, pixel] * (1 + BEHIND)
    rgb = layers.rgba[:, :3].flatten(2)[layer, :, pixel]
    return joined(cloud, HiddenPoints(pixel, layer, depth, rgb), canvas_camera)


@dataclass(frozen=True)
class HiddenPoints:
    """Points behind others, on a pixel of the canvas each."""

    pixel: Tensor  # [n] of the canvas, row-major
    layer: Tensor  # [n]
    depth: Tensor  # [n]
    rgb: Tensor  # [n, 3]


def joined(
    cloud: FeaturePointCloud, hidden: HiddenPoints, canvas_camera: Camera
) -> FeaturePointCloud:
    """The cloud, and after its points the hidden ones, as invented and without features."""
    height, width = canvas_camera.height, canvas_camera.width
    places = pixel_centres(height, width, like=hidden.depth)[hidden.pixel]
    unknown = hidden.depth.new_zeros(len(hidden.pixel), cloud.features.shape[1])
    return replace(
        cloud,
        positions=torch.cat([cloud.positions, unproject(places, hidden.depth, canvas_camera)]),
        rgb=torch.cat([cloud.rgb, hidden.rgb]),
        features=torch.cat([cloud.features, unknown]),
        layer=torch.cat([cloud.layer, hidden.layer.to(cloud.layer)]),
        pixel=torch.cat([cloud.pixel, hidden.pixel]),
        inpainted=torch.cat([cloud.inpainted, torch.ones_like(hidden.pixel, dtype=torch.bool)]),
    )


def gaps(motion: MotionField, num_frames: int) -> Tensor:
    """Moving pixels that at some moment neither cloud may cover: [1, H, W] bool.

    The forward cloud covers a pixel as long as walking against the flow for the time that has
    passed stays on what moves, and as long as its points do land there: where flow spreads out or
    is stopped they may not. The backward cloud as long as the same holds with the flow for the
    remaining time.
    """
    found = torch.zeros_like(motion.moving)
    for count in torch.unique(motion.cycles[motion.moving]).tolist():
        pixel = torch.nonzero((motion.moving & (motion.cycles == count)).flatten())[:, 0]
        against, along = (
            _walk(motion, pixel, num_frames / count, backward=way) for way in (True, False)
        )
        left = (against.left & along.left.flip(0)).any(dim=0)
        bare = (against.bare.flip(0) & along.bare).any(dim=0)
        found.view(-1)[pixel] = left | bare[pixel]
    return found


@dataclass(frozen=True)
class _Walk:
    """Where N pixels have gone at each of `MOMENTS` + 1 moments of a cycle."""

    left: Tensor  # [MOMENTS + 1, N] bool: have left what moves, once at least
    bare: Tensor  # [MOMENTS + 1, H * W] bool: too few of them are here


def _walk(motion: MotionField, pixel: Tensor, period: float, *, backward: bool) -> _Walk:
    _, height, width = motion.moving.shape
    start_px = pixel_centres(height, width, like=motion.velocity)[pixel]
    keys = displacement_keys(
        start_px, motion.velocity[None], int(np.ceil(period)), backward=backward
    )
    left, all_left, all_bare = torch.zeros_like(pixel, dtype=torch.bool), [], []
    for moment in range(MOMENTS + 1):
        at = start_px + displacement_at(keys, period * moment / MOMENTS)
        column, row = at.floor().long().unbind(dim=1)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        flat = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        left = left | ~inside | ~motion.moving.flatten()[flat]
        all_left.append(left)
        all_bare.append(_landed(at, height, width) < LANDED)
    return _Walk(torch.stack(all_left), torch.stack(all_bare))


def _landed(at: Tensor, height: int, width: int) -> Tensor:
    """How many points [N, 2] px there are at each pixel, shared among the next four: [H * W]."""
    corner = (at - 0.5).floor()
    share = at - 0.5 - corner
    # A card adds in any order, which whole numbers do not show.
    unit = 1 if at.device.type == "cpu" else SHARE_UNIT
    count = at.new_zeros(height * width, dtype=at.dtype if unit == 1 else torch.int32)
    for right in (0, 1):
        for below in (0, 1):
            column, row = corner[:, 0].long() + right, corner[:, 1].long() + below
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            across = share[:, 0] if right else 1 - share[:, 0]
            down = share[:, 1] if below else 1 - share[:, 1]
            landed = (across * down * unit)[inside].to(count.dtype)
            count.index_add_(0, (row * width + column)[inside], landed)
    return count / unit


def _beside(mask: Tensor) -> Tensor:
    """A mask [1, H, W] and what lies beside it."""
    return max_pool2d(mask[None].float(), 2 * BESIDE_PX + 1, 1, BESIDE_PX)[0] > 0


def _layer_of(visible: Tensor, pixel: Tensor) -> Tensor:
    """In which layer each pixel is visible: [N]."""
    return visible[:, 0].flatten(1)[:, pixel].to(torch.uint8).argmax(dim=0)
