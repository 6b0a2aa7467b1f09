"""What flows fades in from its edge: no sharp line wanders through the picture."""

import torch

from cine3d_core.render.animation import (
    LEVELS,
    AnimationParams,
    Shot,
    edge_levels,
    prepare,
    splat_directions,
)
from cine3d_core.render.blend import blend_share, splat_channels
from cine3d_core.scene import MotionField
from tests.core.points.test_backing import SIDE, pool, scene

CHANNELS = splat_channels(0)


def test_levels_rise_from_the_edge_of_what_moves_to_its_middle():
    whole = scene(pool(1.0), backing_layer=False)
    index = torch.nonzero(pool(1.0).moving.flatten())[:, 0]
    levels = torch.zeros(SIDE * SIDE, dtype=torch.long)
    levels[index] = edge_levels(whole, index)
    row = levels.view(SIDE, SIDE)[24]
    assert int(row[24]) == LEVELS - 1
    assert bool((row[12:24].diff() >= 0).all()) and bool((row[24:36].diff() <= 0).all())


def test_a_picture_that_moves_as_a_whole_has_no_edge():
    everywhere = MotionField(
        torch.ones(2, SIDE, SIDE),
        torch.ones(1, SIDE, SIDE, dtype=torch.bool),
        torch.ones(1, SIDE, SIDE, dtype=torch.int16),
    )
    levels = edge_levels(scene(everywhere, backing_layer=False), torch.arange(SIDE * SIDE))
    assert bool((levels == LEVELS - 1).all())


def test_the_share_of_the_other_cloud_has_no_step_where_a_flow_begins():
    """Water 400 px wide drifts to the right; by mid-loop its beginning has come 40 px into it."""
    side, params = 480, AnimationParams()
    moving = torch.zeros(1, side, side, dtype=torch.bool)
    moving[:, 200:280, 40:440] = True
    velocity = torch.cat([4.0 * moving, 0.0 * moving])
    motion = MotionField(velocity, moving, torch.ones(1, side, side, dtype=torch.int16))
    drifting = scene(motion, backing_layer=False)
    shot = Shot(drifting.camera, drifting.camera, drifting.camera)
    forward, backward = splat_directions(prepare(drifting), shot, 10, params)
    share = blend_share(forward, backward, CHANNELS, 0.5, drifting.disparity_range, params.blend)
    row = share[0, 240]
    assert float(row[60]) > 0.99 and abs(float(row[240]) - 0.5) < 0.02
    assert float(row[60:240].diff().abs().max()) < 0.12
