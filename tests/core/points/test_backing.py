import torch
from torch import Tensor

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.geometry import photo_camera
from cine3d_core.points.assemble import assemble_scene
from cine3d_core.points.backing import gaps, with_backing_layer, with_hidden_backing
from cine3d_core.points.layer_motion import motion_of_layers
from cine3d_core.render.animation import Shot, prepare
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import Camera, CinemagraphScene, DepthMap, LayeredDepthImage, MotionField
from tests.river import river_depth, river_motion, texture

SIDE = 48


def pool(speed: float) -> MotionField:
    """Water in the middle that flows to the right."""
    moving = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    moving[:, 12:36, 12:36] = True
    velocity = torch.cat([speed * moving, 0.0 * moving])
    return MotionField(velocity, moving, torch.ones(1, SIDE, SIDE, dtype=torch.int16))


def layers_of_pool(side: int = SIDE) -> LayeredDepthImage:
    rgb = texture(side, side, seed=2)
    return LayeredDepthImage(
        rgba=torch.cat([rgb, torch.ones(1, side, side)])[None],
        depth=torch.full((1, 1, side, side), 3.0),
        inpainted=torch.zeros(1, 1, side, side, dtype=torch.bool),
    )


def scene(motion: MotionField, *, backing_layer: bool) -> CinemagraphScene:
    side = motion.moving.shape[-1]
    intrinsics = torch.tensor([[60.0, 0, side / 2], [0, 60, side / 2], [0, 0, 1]])
    return assemble_scene(
        layers_of_pool(side),
        motion,
        Camera(intrinsics, torch.eye(4).double(), side, side),
        margin_px=0,
        num_frames=20,
        fps=25.0,
        photo_sha256="",
        models={},
        parameters={},
        backing_layer=backing_layer,
    )


def columns(found: Tensor) -> list[int]:
    return torch.nonzero(found[0].any(dim=0))[:, 0].tolist()


def test_slow_water_leaves_no_gap():
    # within 20 frames it goes 20 px, less than the 24 of the pool: one of the clouds is there
    assert not gaps(pool(1.0), 20).any()


def test_fast_water_leaves_gaps_in_the_middle_of_the_loop():
    # 40 px: every pixel is at some moment covered by neither cloud
    found = gaps(pool(2.0), 20)
    assert torch.equal(found, pool(2.0).moving)


def test_more_cycles_leave_fewer_gaps():
    motion = pool(2.0)
    motion.cycles[:] = 2
    assert not gaps(motion, 20).any()


def test_the_backing_layer_lies_right_behind_the_water_in_its_colour():
    motion = pool(2.0)
    plain = scene(motion, backing_layer=False)
    backed = with_backing_layer(
        plain.cloud, layers_of_pool(), motion, gaps(motion, 20), plain.canvas_camera
    )
    count = len(plain.cloud.pixel)
    assert torch.equal(backed.positions[:count], plain.cloud.positions)
    added = slice(count, None)
    assert torch.equal(backed.pixel[added], torch.nonzero(motion.moving.flatten())[:, 0])
    torch.testing.assert_close(backed.positions[added, 2], torch.full((24 * 24,), 3 * 1.08))
    assert bool(backed.inpainted[added].all())
    # a mean over the neighbours in the water: less spread than the water's own colours
    water = plain.cloud.rgb[motion.moving.flatten()]
    assert float(backed.rgb[added].std()) < float(water.std())
    assert float(backed.rgb[added].max()) < float(water.max())


def test_points_of_the_backing_layer_do_not_move():
    built = scene(pool(2.0), backing_layer=True)
    moving = torch.cat([group.index for group in prepare(built).groups])
    still = ~torch.isin(torch.arange(len(built.cloud.pixel)), moving)
    behind = built.cloud.positions[:, 2] > 3 * 1.07
    assert bool(behind.any()) and bool(still[behind].all())


def test_water_before_a_backing_layer_moves_in_a_preview_too():
    small = smaller_scene(scene(pool(2.0), backing_layer=True), 2)
    moving = torch.cat([group.index for group in prepare(small).groups])
    invented = small.cloud.inpainted[moving]
    # of what is invented only the flowing copy, which has a layer of its own
    assert bool((small.cloud.layer[moving[invented]] == len(small.velocity) - 1).all())
    moving = moving[~invented]
    places = small.cloud.pixel[moving]
    wet = torch.zeros(SIDE // 2, SIDE // 2, dtype=torch.bool)
    wet[6:18, 6:18] = True
    assert set(torch.nonzero(wet.flatten())[:, 0].tolist()) <= set(places.tolist())


def test_at_rest_the_picture_is_the_photo():
    depth, rgb = river_depth(96, 160), texture(96, 160, seed=3)
    seen = DepthMap(depth, torch.zeros_like(depth))
    parts = SceneParts(rgb, seen, river_motion(96, 160), photo_camera(96, 160))
    built = scene_from_parts(parts, PRESETS["default"], num_frames=80, fps=25.0)
    shot = Shot(built.camera, built.camera, built.camera)
    frame = render_frame(prepare(built), shot, 0)
    torch.testing.assert_close(frame.rgb, rgb, atol=1e-4, rtol=0)


def test_what_flows_hidden_leaves_a_resting_copy_behind_it():
    whole = scene(pool(1.0), backing_layer=False)
    hidden = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    hidden[..., 20:30] = True
    rgb = texture(SIDE, SIDE, seed=2)
    post = torch.cat([rgb, hidden[0].float()])
    rgba = torch.stack([post, torch.cat([rgb, torch.ones(1, SIDE, SIDE)])])
    depth = torch.stack([1.0 * hidden[0], torch.full((1, SIDE, SIDE), 3.0)])
    layers = LayeredDepthImage(rgba, depth, torch.cat([hidden & False, hidden]))
    water = pool(1.0)
    moving = water.moving & ~hidden[0]
    field = MotionField(water.velocity * moving, moving, water.cycles)
    layer_motion = motion_of_layers(layers, field)
    more = with_hidden_backing(whole.cloud, layers, layer_motion, whole.canvas_camera)
    count = len(whole.cloud.pixel)
    added = more.pixel[count:]
    flows = (layer_motion.velocity[1] != 0).any(dim=0) & hidden[0, 0]
    assert flows.sum() > 100
    assert torch.equal(added, torch.nonzero(flows.flatten())[:, 0])
    assert (more.positions[count:, 2] > 3.0 * 1.04).all() and more.inpainted[count:].all()
    torch.testing.assert_close(more.rgb[count:], rgb.flatten(1).T[added])


def test_flow_that_spreads_out_leaves_gaps():
    """From a line to both sides: walking back from anywhere stays on it, but it tears."""
    moving = torch.ones(1, SIDE, SIDE, dtype=torch.bool)
    across = (torch.arange(SIDE) + 0.5 - SIDE / 2).expand(SIDE, SIDE) * 0.15
    motion = MotionField(
        torch.stack([across, torch.zeros_like(across)]), moving, moving.to(torch.int16)
    )
    found = gaps(motion, 20)[0]
    # the backward cloud, which flows together in the middle, is there alone
    assert found[:, :12].all() and found[:, -12:].all() and not found[:, 22:26].any()
