import torch

from cine3d_core.layers.cut import LayeringParams, build_layers, disparity_cuts, layer_index
from tests.river import river_depth, texture


def test_every_pixel_lies_in_exactly_one_layer_and_keeps_its_colour_and_depth():
    rgb, depth = texture(48, 80, seed=1), river_depth()
    layers = build_layers(rgb, depth, LayeringParams())
    assert bool((layers.rgba[:, 3].sum(dim=0) == 1).all())
    torch.testing.assert_close(layers.rgba[:, :3].sum(dim=0), rgb)
    torch.testing.assert_close(layers.depth.sum(dim=0), depth)
    assert not bool(layers.inpainted.any())


def test_layers_are_ordered_near_to_far_and_do_not_overlap_in_depth():
    layers = build_layers(texture(48, 80, seed=1), river_depth(), LayeringParams())
    assert len(layers.rgba) >= 3
    farthest_so_far = 0.0
    for rgba, depth in zip(layers.rgba, layers.depth, strict=True):
        own = depth[0][rgba[3] > 0]
        assert float(own.min()) >= farthest_so_far
        farthest_so_far = float(own.max())


def test_constant_depth_makes_one_layer():
    layers = build_layers(texture(20, 30, seed=1), torch.full((1, 20, 30), 3.0), LayeringParams())
    assert len(layers.rgba) == 1


def test_a_post_before_a_hill_is_cut_free():
    layers = build_layers(texture(48, 80, seed=1), river_depth(), LayeringParams())
    nearest = layers.rgba[0, 3] > 0
    assert bool(nearest[40, 22])
    assert not bool(nearest[10].any())


def test_the_layers_do_not_depend_on_the_resolution():
    generator = torch.Generator().manual_seed(5)
    blobs = torch.rand(1, 1, 6, 10, generator=generator)
    reference = None
    for scale in (1, 2, 6):
        size = (90 * scale, 160 * scale)
        disparity = torch.nn.functional.interpolate(blobs, size, mode="bicubic")[0].clamp(0.05)
        cuts = disparity_cuts(disparity, LayeringParams())
        share = torch.bincount(layer_index(disparity, cuts).flatten()) / disparity.numel()
        reference = share if reference is None else reference
        torch.testing.assert_close(share, reference, atol=0.02, rtol=0)


def test_no_layer_is_smaller_than_the_least_share():
    params = LayeringParams(min_share=0.1)
    disparity = torch.cat([torch.full((1, 1, 3), 1.0), torch.linspace(0.1, 0.2, 97)[None, None]], 2)
    index = layer_index(disparity, disparity_cuts(disparity, params))
    assert int(torch.bincount(index.flatten()).min()) >= 10
