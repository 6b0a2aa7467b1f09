import torch

from cine3d_core.inpainting import InpaintParams, inpaint_layers
from cine3d_core.layer_motion import motion_of_layers, surface_components
from cine3d_core.layering import LayeringParams, build_layers
from cine3d_core.scene import LayeredDepthImage
from tests.river import HEIGHT, WIDTH, river_depth, river_motion, texture


def river_layers() -> LayeredDepthImage:
    layers = build_layers(texture(HEIGHT, WIDTH, seed=3), river_depth(), LayeringParams())
    return inpaint_layers(layers, params=InpaintParams())


def test_visible_pixels_keep_their_motion_and_depth():
    layers, field = river_layers(), river_motion()
    motion = motion_of_layers(layers, field)
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted
    depth = (layers.depth * visible).sum(dim=0)
    # the near fringe of a jump belongs to what stands in the water, and rests
    water = field.moving & (depth == river_depth())
    carried = (motion.depth * visible).sum(dim=0)
    torch.testing.assert_close(carried[water], depth[water])
    assert float(water.sum() / field.moving.sum()) > 0.95
    velocity = (motion.velocity * visible).sum(dim=0)
    torch.testing.assert_close(velocity[:, water[0]], field.velocity[:, water[0]])
    assert float(velocity[:, ~water[0]].abs().max()) == 0


def test_moving_points_at_rest_lie_on_the_surface_that_carries_them():
    layers, field = river_layers(), river_motion()
    motion = motion_of_layers(layers, field)
    flows = (motion.velocity.abs().sum(dim=1, keepdim=True) > 0) & field.moving
    own = (layers.rgba[:, 3:] > 0.5) & flows
    assert torch.equal(motion.depth[own], layers.depth[own])


def test_water_passes_behind_whatever_rests_in_the_photo():
    layers, field = river_layers(), river_motion()
    motion = motion_of_layers(layers, field)
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted
    photo = (layers.depth * visible).sum(dim=0)
    flowing = (motion.velocity != 0).any(dim=3).any(dim=2).any(dim=1)  # [L]
    resting = ~field.moving
    assert bool(flowing.any()) and bool(resting.any())
    for depth in motion.depth[flowing]:
        assert bool((depth[resting] > 1.02 * photo[resting]).all())


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
    water = river_motion().moving & unmixed
    for layer in range(len(layers.rgba)):
        own = (layers.rgba[layer, 3:] > 0.5) & water & ~layers.inpainted[layer]
        if int(own.sum()) > 100:  # not only the water's pixels beside the post
            torch.testing.assert_close(motion.depth[layer][water], river_depth()[water])


def test_surfaces_are_parted_where_depth_jumps():
    depth = torch.full((1, 80, 80), 2.0)
    depth[:, :, 40:] = 5.0
    component = surface_components(depth, torch.ones(1, 80, 80, dtype=torch.bool))
    assert int(component[0, 40, 10]) != int(component[0, 40, 60])
    assert int(component[0, 0, 0]) == int(component[0, 79, 38]) > 0
    assert int(component[0, 0, 39]) == 0  # the near edge of the jump


def test_cycles_are_those_of_the_nearest_moving_region():
    layers, field = river_layers(), river_motion()
    field.cycles[:] = torch.where(field.moving, 3, 1)
    motion = motion_of_layers(layers, field)
    flowing = (motion.velocity.abs().sum(dim=1, keepdim=True) > 0) & (layers.rgba[:, 3:] > 0.5)
    assert set(motion.cycles[flowing].tolist()) == {3}
