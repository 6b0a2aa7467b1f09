"""A scene with fewer points, for frames that are small and must follow the mouse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from cine3d_core.geometry import pixel_centres, unproject
from cine3d_core.networks.features import GRID_CHANNELS, pixel_grid_of_points
from cine3d_core.render.animation import behind_surface
from cine3d_core.scene import Camera, CinemagraphScene, FeaturePointCloud

PREVIEW_SIDE_PX = 640  # long side of the frames that a preview is meant for
BEHIND = 0.05  # share of its depth by which what is invented lies behind what the photo shows


def preview_of(scene: CinemagraphScene) -> CinemagraphScene:
    """The scene with as many points as frames of `PREVIEW_SIDE_PX` can show.

    Of a scene of the compact family.
    """
    factor = max(scene.camera.height, scene.camera.width) // PREVIEW_SIDE_PX
    return smaller_scene(scene, max(1, factor))


def smaller_scene(scene: CinemagraphScene, factor: int) -> CinemagraphScene:
    """The scene as if it had been built from a photo `factor` times smaller.

    The points of a layer that lie in one block of `factor` x `factor` pixels become one point of
    their mean depth; surfaces are averaged too, and of the motion one value of each block is kept.
    The nearest point of a static block gets the mean colour of all that the photo shows there,
    so that frame 0 is the smaller photo, with smooth edges. Blocks begin at the photo's
    corner. Cameras see the same places in either scene.
    """
    if factor == 1:
        return scene
    grid = _block_grid(scene, factor)
    rows, columns = (
        (torch.arange(count) * factor + factor // 2 - before).clamp(0, side - 1)
        for count, before, side in zip(
            (grid.canvas.height, grid.canvas.width),
            grid.before,
            scene.velocity.shape[2:],
            strict=True,
        )
    )

    def sampled(maps: Tensor) -> Tensor:
        return maps[:, :, rows.to(maps.device)][..., columns.to(maps.device)]

    def smaller_swing(planes: Tensor) -> Tensor:  # amplitudes are lengths
        units = planes.new_tensor([factor, factor] + [1.0] * (planes.shape[1] - 2))
        return sampled(planes) / units[:, None, None]

    return replace(
        scene,
        camera=_smaller_camera(scene.camera, factor),
        canvas_camera=grid.canvas,
        cloud=_merged(scene, grid),
        layer_depth=_smaller_surfaces(scene, grid),
        velocity=sampled(scene.velocity) / factor,
        cycles=sampled(scene.cycles),
        in_place={kind: smaller_swing(planes) for kind, planes in scene.in_place.items()},
        region=None if scene.region is None else sampled(scene.region),
    )


@dataclass(frozen=True)
class _BlockGrid:
    """Blocks of canvas pixels, one of which begins at the photo's corner."""

    factor: int
    before: tuple[int, int]  # pixels that the first block lacks, above and on the left
    canvas: Camera  # of the blocks


def _block_grid(scene: CinemagraphScene, factor: int) -> _BlockGrid:
    margins = scene.canvas_camera.intrinsics[:2, 2] - scene.camera.intrinsics[:2, 2]
    left, above = (-round(float(margin)) % factor for margin in margins)
    whole = scene.canvas_camera
    intrinsics = whole.intrinsics.clone()
    intrinsics[:2, 2] += intrinsics.new_tensor([left, above])
    shifted = replace(
        whole, intrinsics=intrinsics, height=whole.height + above, width=whole.width + left
    )
    return _BlockGrid(factor, (above, left), _smaller_camera(shifted, factor))


def _smaller_surfaces(scene: CinemagraphScene, grid: _BlockGrid) -> Tensor:  # [L, 1, h, w]
    """Mean depth of each layer's surface in every block."""
    above, left = grid.before
    surfaces = pad(scene.layer_depth, (left, 0, above, 0), mode="replicate")
    return avg_pool2d(surfaces, grid.factor, ceil_mode=True, count_include_pad=False)


def _smaller_camera(camera: Camera, factor: int) -> Camera:
    """With pixels of `factor` x `factor` old ones; the last may reach beyond the border."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[:2] /= factor
    height, width = (-(-side // factor) for side in (camera.height, camera.width))
    return replace(camera, intrinsics=intrinsics, height=height, width=width)


def _merged(scene: CinemagraphScene, grid: _BlockGrid) -> FeaturePointCloud:
    """One point per layer and block, in the order in which scenes have their points.

    What is invented stays apart, and static points behind the layer's flowing surface, as in the
    backing layer: the two share layer and pixels.
    """
    cloud, canvas, width = scene.cloud, grid.canvas, scene.velocity.shape[-1]
    area = canvas.height * canvas.width
    row = (cloud.pixel // width + grid.before[0]) // grid.factor
    column = (cloud.pixel % width + grid.before[1]) // grid.factor
    place = row * canvas.width + column
    layer_at = cloud.layer.long()
    behind = behind_surface(scene, layer_at * scene.velocity[0, 0].numel() + cloud.pixel)
    kind = 4 * (layer_at * area + place) + 2 * behind + cloud.inpainted
    kinds, block = torch.unique(kind, return_inverse=True)
    cells, invented = kinds // 4, kinds % 2 == 1
    layer, pixel = cells // area, cells % area

    depth = _means(cloud.positions[:, 2:], block, len(kinds))[:, 0]
    # on a slope, blocks are large enough for the backing of one to lie before the water of the next
    hidden, surfaces = kinds // 2 % 2 == 1, _smaller_surfaces(scene, grid)
    farthest = max_pool2d(surfaces, 3, 1, 1) / surfaces
    depth = torch.where(hidden, depth * farthest.flatten(1)[layer, pixel], depth)
    # Means of other pixels of a block may lie before what hides them.
    hiding = _farthest_shown(pixel[~invented], depth[~invented], canvas)[pixel] * (1 + BEHIND)
    depth = torch.where(invented, torch.maximum(depth, hiding), depth)
    rgb = _means(cloud.rgb, block, len(kinds))
    front = ~invented & (layer == _nearest_layer(layer[~invented], pixel[~invented], area)[pixel])
    front &= _is_static(scene, block, len(kinds))
    seen = ~cloud.inpainted
    shown = _means(cloud.rgb[seen], place[seen], area)
    rgb[front] = shown[pixel[front]]

    centres = pixel_centres(canvas.height, canvas.width, like=depth)
    merged = FeaturePointCloud(
        positions=unproject(centres[pixel], depth, canvas),
        rgb=rgb,
        features=_means(cloud.features, block, len(kinds)),
        layer=layer.to(cloud.layer.dtype),
        pixel=pixel,
        inpainted=invented,
    )
    if cloud.features.shape[1] < GRID_CHANNELS:
        return merged
    learned = merged.features[:, :-GRID_CHANNELS]  # means; the pixel grid is that of the blocks
    return replace(
        merged, features=torch.cat([learned, pixel_grid_of_points(merged, canvas.width)], dim=1)
    )


def _means(values: Tensor, group: Tensor, count: int) -> Tensor:
    """Mean of the rows [N, C] of each group: [count, C], 0 where a group is empty."""
    total = values.new_zeros(count, values.shape[1]).index_add_(0, group, values)
    return total / torch.bincount(group, minlength=count).clamp(min=1)[:, None]


def _nearest_layer(layer: Tensor, place: Tensor, places: int) -> Tensor:
    """The least layer at each of `places`: [places]."""
    nearest = torch.full((places,), 2**15, dtype=layer.dtype, device=layer.device)
    return nearest.scatter_reduce(0, place, layer, "amin")


def _farthest_shown(place: Tensor, depth: Tensor, canvas: Camera) -> Tensor:
    """What the photo shows, `depth` [N] at `place` [N]: the farthest near each place [H * W].

    Of the points of one place the nearest counts; "near" are the place and those around it.
    0 where nothing is shown.
    """
    size = (canvas.height, canvas.width)
    nearest = depth.new_zeros(size).view(-1)
    nearest.scatter_reduce_(0, place, depth, "amin", include_self=False)
    return max_pool2d(nearest.view(1, *size), 3, 1, 1).view(-1)


def _is_static(scene: CinemagraphScene, block: Tensor, blocks: int) -> Tensor:
    """Blocks [blocks] none of whose points moves: no colour of a bank goes with the water."""
    layer, pixel = scene.cloud.layer.long(), scene.cloud.pixel
    speed = scene.velocity.abs().sum(dim=1).flatten(start_dim=1)
    for planes in scene.in_place.values():
        speed = speed + planes[:, :2].abs().sum(dim=1).flatten(start_dim=1)
    moving = (speed[layer, pixel] > 0)[:, None].float()
    return _means(moving, block, blocks)[:, 0] == 0
