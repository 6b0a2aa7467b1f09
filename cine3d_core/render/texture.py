"""How much texture the photo shows around each point: what a resampled frame should show again.

A frame draws moved points between pixels, which blurs, and mixes two clouds, which blurs further.
How much contrast should be there is known from the photo itself, and travels with the points.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.render.blend import BlendParams, contrast_step
from cine3d_core.render.contrast import LEAST_MOVING, local_mean
from cine3d_core.scene import CinemagraphScene

LEAST_KNOWN = 0.1  # of a window


def texture_of_points(
    scene: CinemagraphScene,
    index: Tensor,  # [n] rows of the cloud
) -> Tensor:  # [n]
    """Variance of brightness around each of some points, among these alone and in its layer."""
    cloud = scene.cloud
    brightness, pixel = cloud.rgb[index].mean(dim=1), cloud.pixel[index]
    layer, seen = cloud.layer[index], ~cloud.inpainted[index]  # what was invented is too smooth
    found = torch.zeros_like(brightness)
    for number in torch.unique(layer):
        here = layer == number
        known = here & seen
        if not bool(known.any()):  # a copy of what is seen
            known = here
        variance = _variance(scene, pixel[known], brightness[known])
        found[here] = variance.flatten()[pixel[here]]
    return found


def _variance(
    scene: CinemagraphScene,
    pixel: Tensor,  # [n] of the canvas
    brightness: Tensor,  # [n] there
) -> Tensor:  # [1, H, W]
    """Local variance of scattered pixels, also between and beyond them."""
    size = scene.layer_depth.shape[-2:]
    planes = brightness.new_zeros(2, size.numel())
    planes[0, pixel], planes[1, pixel] = brightness, 1
    values, weight = planes.view(2, *size).split(1)
    step = contrast_step(scene.camera.height, scene.camera.width, BlendParams())
    share = local_mean(weight, step)
    known = share.clamp(min=LEAST_MOVING)
    deviation = values - local_mean(values * weight, step) / known
    variance = local_mean(deviation.square() * weight, step) / known
    # What flows in from where nothing is known gets the texture that lies nearest.
    return push_pull(variance, (share > LEAST_KNOWN).to(share))
