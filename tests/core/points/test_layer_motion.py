import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cine3d_core.layers.cut import LayeringParams, build_layers
from cine3d_core.layers.uncover import InpaintParams, inpaint_layers
from cine3d_core.points.layer_motion import motion_of_layers, surface_components
from cine3d_core.scene import LayeredDepthImage, MotionField
from tests.river import HEIGHT, WIDTH, river_depth, river_motion, texture


def river_layers() -> LayeredDepthImage:
    layers = build_layers(texture(HEIGHT, WIDTH, seed=3), river_depth(), LayeringParams())
    return inpaint_layers(layers, params=InpaintParams())


def inner(mask: Tensor) -> Tensor:
    """Pixels of a mask [1, H, W] whose neighbours all are in it: away from banks."""
    return functional.max_pool2d((~mask)[None].float(), 3, stride=1, padding=1)[0] < 0.5


def test_visible_pixels_keep_their_motion_and_depth():
    layers, field = river_layers(), river_motion()
    motion = motion_of_layers(layers, field)
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted
    depth = (layers.depth * visible).sum(dim=0)
    # the near fringe of a jump belongs to what stands in the water, and rests
    water = field.moving & (depth == river_depth())
    carried = (motion.depth * visible).sum(dim=0)
    away = inner(water)
    torch.testing.assert_close(carried[away], depth[away])
    bank = water & ~away  # it passes behind what rests beside it, already before it gets there
    torch.testing.assert_close(carried[bank], torch.clamp(depth[bank] * 1.025, min=carried[bank]))
    assert float(water.sum() / field.moving.sum()) > 0.95
    velocity = (motion.velocity * visible).sum(dim=0)
    torch.testing.assert_close(velocity[:, water[0]], field.velocity[:, water[0]])
    assert float(velocity[:, ~water[0]].abs().max()) == 0


def test_moving_points_at_rest_lie_on_the_surface_that_carries_them():
    layers, field = river_layers(), river_motion()
    motion = motion_of_layers(layers, field)
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted
    unmixed = (layers.depth * visible).sum(dim=0) == river_depth()
    away = inner(field.moving & unmixed)
    flows = (motion.velocity.abs().sum(dim=1, keepdim=True) > 0) & away
    own = (layers.rgba[:, 3:] > 0.5) & flows
    # What was filled in beneath the layer's own surface does not move with it.
    beneath = layers.inpainted & (layers.depth > motion.depth * 1.04)
    own &= ~beneath
    assert own.sum() > 1000 and beneath.sum() < 0.1 * own.sum()
    assert torch.equal(motion.depth[own], layers.depth[own])


def test_water_passes_behind_whatever_rests_in_the_photo():
    layers, field = river_layers(), river_motion()
    motion = motion_of_layers(layers, field)
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted
    photo = (layers.depth * visible).sum(dim=0)
    flowing = (motion.velocity != 0).any(dim=3).any(dim=2).any(dim=1)  # [L]
    static = ~field.moving
    assert bool(flowing.any()) and bool(static.any())
    for depth in motion.depth[flowing]:
        assert bool((depth[static] > 1.02 * photo[static]).all())


def test_water_goes_on_behind_the_post():
    layers = river_layers()
    motion = motion_of_layers(layers, river_motion())
    behind = layers.inpainted[:, 0, 40, 22]
    assert bool(behind.any())
    water = int(torch.nonzero(behind)[0])
    torch.testing.assert_close(
        motion.velocity[water, :, 40, 22], torch.tensor([0.4, 0.1]), atol=0.05, rtol=0
    )


def test_one_water_surface_in_two_layers_has_one_depth():
    layers = river_layers()
    motion = motion_of_layers(layers, river_motion())
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted
    unmixed = (layers.depth * visible).sum(dim=0) == river_depth()
    water = inner(river_motion().moving & unmixed)
    for layer in range(len(layers.rgba)):
        own = (layers.rgba[layer, 3:] > 0.5) & water & ~layers.inpainted[layer]
        if int(own.sum()) > 100:  # not only the water's pixels beside the post
            torch.testing.assert_close(motion.depth[layer][water], river_depth()[water])


def step(side: int = 80) -> tuple[Tensor, Tensor]:
    """Two surfaces, the nearer on the left, [1, H, W] each: depth, and that all of it moves."""
    depth = torch.full((1, side, side), 2.0)
    depth[:, :, side // 2 :] = 5.0
    return depth, torch.ones(1, side, side, dtype=torch.bool)


def flow(moving: Tensor, x: float, y: float) -> Tensor:
    return torch.tensor([x, y])[:, None, None] * moving


def test_surfaces_are_parted_where_depth_jumps_and_the_flow_goes_along():
    depth, moving = step()
    component = surface_components(depth, moving, flow(moving, 0.1, 1.0))
    assert int(component[0, 40, 10]) != int(component[0, 40, 60])
    assert int(component[0, 0, 0]) == int(component[0, 79, 38]) > 0
    assert int(component[0, 0, 39]) == 0  # the near edge of the jump


@pytest.mark.parametrize("slope", [4.0, 5.5, 12.0])
def test_water_that_climbs_evenly_is_one_surface_however_steep(slope: float):
    height, width = 60, 80
    rows = torch.arange(height, dtype=torch.float32)[:, None].expand(height, width)
    # scene files hold half floats, and resizing leaves ripples
    disparity = 0.2 + slope / width * (rows + 0.15 * torch.sin(rows))
    moving = torch.ones(1, height, width, dtype=torch.bool)
    component = surface_components(1 / disparity[None], moving, flow(moving, 1.0, 0.0))
    assert (component == component[0, 0, 0]).all() and int(component[0, 0, 0]) > 0


def test_surfaces_are_one_where_the_flow_goes_over_the_jump():
    depth, moving = step()
    for x in (1.0, -1.0):
        component = surface_components(depth, moving, flow(moving, x, 0.2))
        assert int(component.min()) == int(component.max()) == 1


def test_surfaces_are_parted_where_both_flow_elsewhere():
    depth, moving = step()
    velocity = flow(moving, 1.0, 0.0)
    velocity[:, :, 40:] *= -1
    component = surface_components(depth, moving, velocity)
    assert int(component[0, 40, 10]) != int(component[0, 40, 60])


def test_a_brink_before_what_rests_moves_but_not_a_seam_of_what_stands_in_the_water():
    depth, moving = step()
    moving[:, :, 40:] = False  # the sky behind a brink
    assert int(surface_components(depth, moving, flow(moving, -1.0, 0.0))[0, 40, 39]) > 0
    moving = torch.ones_like(moving)
    moving[:, :, :39] = False  # a post; the mask of the water is a pixel too large
    assert int(surface_components(depth, moving, flow(moving, -1.0, 0.0))[0, 40, 39]) == 0


def test_water_that_falls_over_a_step_stays_on_what_is_seen():
    depth, moving = step(64)
    layers = build_layers(texture(64, 64, seed=1), depth, LayeringParams())
    layers = inpaint_layers(layers, params=InpaintParams())
    cycles = torch.ones(1, 64, 64, dtype=torch.int16)
    motion = motion_of_layers(layers, MotionField(flow(moving, -0.5, 0.0), moving, cycles))
    assert len(layers.rgba) >= 2 and bool(layers.inpainted.any())
    away = abs(torch.arange(64) - 31.5) > 3  # the fringe of the jump may belong to either
    for layer in motion.depth[:2]:
        torch.testing.assert_close(layer[..., away], depth[..., away])


def test_cycles_are_those_of_the_nearest_moving_region():
    layers, field = river_layers(), river_motion()
    field.cycles[:] = torch.where(field.moving, 3, 1)
    motion = motion_of_layers(layers, field)
    flowing = (motion.velocity.abs().sum(dim=1, keepdim=True) > 0) & (layers.rgba[:, 3:] > 0.5)
    assert set(motion.cycles[flowing].tolist()) == {3}
