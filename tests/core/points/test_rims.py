"""Rims of what stands before the sky, whose pixels are half of one and half of the other."""

import torch
import torch.nn.functional as F

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.geometry import photo_camera
from cine3d_core.scene import DepthMap, MotionField

HEIGHT, WIDTH = 120, 200


def test_the_rim_of_a_hill_rests_with_the_hill_while_the_sky_drifts():
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    hill = (rows > 50 + columns // 10)[None]
    soft = F.avg_pool2d(hill[None].float(), 5, 1, 2, count_include_pad=False)[0]
    rgb = torch.lerp(torch.full((3, HEIGHT, WIDTH), 0.9), torch.full_like(soft, 0.1), soft)
    depth = torch.where(hill, 3.0, 40.0)
    sky = ~hill
    motion = MotionField(
        torch.cat([0.5 * sky, 0.0 * sky]), sky, torch.ones_like(sky, dtype=torch.int16)
    )
    parts = SceneParts(rgb, DepthMap(depth, sky.float()), motion, photo_camera(HEIGHT, WIDTH))
    scene = scene_from_parts(parts, PRESETS["draft"], num_frames=20, fps=25.0)
    cloud = scene.cloud
    near = (cloud.positions[:, 2] < 10) & ~cloud.inpainted
    assert near.sum() > hill.sum(), "the rim has joined the hill"
    velocity = scene.velocity.permute(0, 2, 3, 1)[cloud.layer.long()[near]]
    flat = cloud.pixel[near]
    canvas = scene.canvas_camera
    own = velocity[torch.arange(len(flat)), flat // canvas.width, flat % canvas.width]
    assert not own.any()
