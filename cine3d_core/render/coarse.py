"""A scene with fewer points, for frames that are small and must follow the mouse."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from cine3d_core.geometry import pixel_centres, unproject
from cine3d_core.scene import Camera, CinemagraphScene, FeaturePointCloud

PREVIEW_SIDE_PX = 640  # long side of the frames that a preview is meant for


def preview_of(scene: CinemagraphScene) -> CinemagraphScene:
    """The scene with as many points as frames of `PREVIEW_SIDE_PX` can show.

    Scenes of the authors' networks stay as they are: their points hang together otherwise.
    """
    if scene.parameters.get("models") == "official":
        return scene
    factor = max(scene.camera.height, scene.camera.width) // PREVIEW_SIDE_PX
    return smaller_scene(scene, max(1, factor))


def smaller_scene(scene: CinemagraphScene, factor: int) -> CinemagraphScene:
    """The scene as if it had been built from a photo `factor` times smaller.

    The points of a layer that lie in one block of `factor` x `factor` canvas pixels become one
    point of their mean depth and colour; surfaces are averaged too, and of the motion one value of
    each block is kept. Cameras see the same places in either scene.
    """
    if factor == 1:
        return scene
    _, _, height, width = scene.velocity.shape
    rows, columns = (
        (torch.arange(-(-side // factor)) * factor + factor // 2).clamp(max=side - 1)
        for side in (height, width)
    )

    def sampled(maps: Tensor) -> Tensor:
        return maps[:, :, rows.to(maps.device)][..., columns.to(maps.device)]

    canvas = _smaller_camera(scene.canvas_camera, factor)
    sway = None
    if scene.sway is not None:
        sway = sampled(scene.sway) / scene.sway.new_tensor([factor, factor, 1.0])[:, None, None]
    return replace(
        scene,
        camera=_smaller_camera(scene.camera, factor),
        canvas_camera=canvas,
        cloud=_merged(scene.cloud, width, factor, canvas),
        layer_depth=avg_pool2d(scene.layer_depth, factor, ceil_mode=True, count_include_pad=False),
        velocity=sampled(scene.velocity) / factor,
        cycles=sampled(scene.cycles),
        sway=sway,
    )


def _smaller_camera(camera: Camera, factor: int) -> Camera:
    """With pixels of `factor` x `factor` old ones; the last may reach beyond the border."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[:2] /= factor
    height, width = (-(-side // factor) for side in (camera.height, camera.width))
    return replace(camera, intrinsics=intrinsics, height=height, width=width)


def _merged(cloud: FeaturePointCloud, width: int, factor: int, canvas: Camera) -> FeaturePointCloud:
    """One point per layer and block, in the order in which scenes have their points.

    What is invented stays apart: the bed has the layer and pixels of the water above, which flows.
    """
    row, column = cloud.pixel // width // factor, cloud.pixel % width // factor
    cell = (cloud.layer.long() * canvas.height + row) * canvas.width + column
    kind = 2 * cell + cloud.inpainted
    kinds, block, counts = torch.unique(kind, return_inverse=True, return_counts=True)
    cells = kinds // 2

    def mean(values: Tensor) -> Tensor:
        total = values.new_zeros(len(kinds), values.shape[1]).index_add_(0, block, values)
        return total / counts[:, None]

    pixel = cells % (canvas.height * canvas.width)
    depth = mean(cloud.positions[:, 2:])[:, 0]
    centres = pixel_centres(canvas.height, canvas.width, like=depth)
    return FeaturePointCloud(
        positions=unproject(centres[pixel], depth, canvas),
        rgb=mean(cloud.rgb),
        features=mean(cloud.features),
        layer=(cells // (canvas.height * canvas.width)).to(cloud.layer.dtype),
        pixel=pixel,
        inpainted=kinds % 2 == 1,
    )
