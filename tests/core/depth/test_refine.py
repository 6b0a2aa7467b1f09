import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cine3d_core.depth.refine import (
    DepthParams,
    depth_to_disparity,
    disparity_to_depth,
    place_sky_farthest,
    refine_depth,
    remove_flying_pixels,
    upsample_disparity,
    with_sky,
)
from cine3d_core.scene import DepthMap

PARAMS = DepthParams()
HEIGHT, WIDTH = 180, 320


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def disc(height: int = HEIGHT, width: int = WIDTH, *, shift: float = 0.0) -> Tensor:
    """1 inside a disc of a quarter of the width, 0 outside: [1, H, W]."""
    y = (torch.arange(height) + 0.5)[:, None] / height * 9 / 16 - 9 / 32
    x = (torch.arange(width) + 0.5)[None] / width - 0.5 - shift / width
    return (x.square() + y.square() < 0.2**2).float()[None]


def orange_on_blue(side: Tensor, *, grain: float = 0.1) -> Tensor:
    near, far = torch.tensor([0.9, 0.5, 0.2]), torch.tensor([0.2, 0.3, 0.7])
    picture = side * near[:, None, None] + (1 - side) * far[:, None, None]
    return (picture + grain * (noise(1, 3, *side.shape[1:]) - 0.5)).clamp(0, 1)


def blurred(image: Tensor, sigma: float) -> Tensor:
    return torch.from_numpy(gaussian_filter(image[0].numpy(), sigma))[None]


def test_depth_is_one_at_the_nearest_and_the_given_bound_at_the_farthest():
    depth = disparity_to_depth(torch.tensor([1.0, 0.0, 2.0, -1.0]), params=PARAMS)
    torch.testing.assert_close(depth, torch.tensor([1.0, 40.0, 1.0, 40.0]))


def test_disparity_survives_the_way_to_depth_and_back():
    disparity = noise(0, 1, 20, 30)
    back = depth_to_disparity(disparity_to_depth(disparity, params=PARAMS), params=PARAMS)
    torch.testing.assert_close(back, disparity, atol=1e-6, rtol=0)


def test_a_constant_stays_constant_whatever_the_picture():
    constant = torch.full((1, 45, 80), 0.37)
    upsampled = upsample_disparity(constant, noise(0, 3, HEIGHT, WIDTH), params=PARAMS)
    torch.testing.assert_close(upsampled, torch.full((1, HEIGHT, WIDTH), 0.37))
    refined = refine_depth(
        constant, torch.zeros_like(constant), noise(0, 3, HEIGHT, WIDTH), params=PARAMS
    )
    assert float(refined.depth.max() - refined.depth.min()) < 1e-4


def test_upsampling_stays_in_the_range_of_its_input():
    disparity = 0.2 + 0.5 * noise(3, 1, 45, 80)
    upsampled = upsample_disparity(disparity, noise(4, 3, HEIGHT, WIDTH), params=PARAMS)
    assert upsampled.shape == (1, HEIGHT, WIDTH)
    assert upsampled.min() >= disparity.min() and upsampled.max() <= disparity.max()


def test_a_large_depth_picture_is_averaged_down():
    small = noise(5, 1, HEIGHT, WIDTH)
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    down = upsample_disparity(large, noise(4, 3, HEIGHT, WIDTH), params=PARAMS)
    torch.testing.assert_close(down, small)


def test_a_blurred_and_shifted_step_becomes_sharp_on_the_edge_of_the_picture():
    side = disc(360, 640)
    soft = 0.2 + 0.6 * blurred(disc(360, 640, shift=4), 3.0)
    sharp = remove_flying_pixels(soft, orange_on_blue(side), params=PARAMS)
    truth = 0.2 + 0.6 * side
    # Within one pixel of the picture's edge either side may be right.
    window = F.max_pool2d(side[None], 3, 1, 1)[0] + F.max_pool2d(-side[None], 3, 1, 1)[0]
    beside = window > 0
    wrong = ((sharp - truth).abs() > 0.05) & ~beside
    assert wrong.float().mean() < 2e-4
    flying = (sharp > 0.3) & (sharp < 0.7)
    assert flying.float().mean() < 2e-4


def test_without_a_colour_edge_the_step_stays_where_it_was():
    side = disc()
    grey = 0.5 + 0.1 * noise(2, 3, HEIGHT, WIDTH)
    sharp = remove_flying_pixels(blurred(side, 2.0), grey, params=PARAMS)
    assert ((sharp > 0.5) != (side > 0.5)).float().mean() < 0.005
    assert ((sharp > 0.1) & (sharp < 0.9)).float().mean() < 0.002


def test_slopes_are_left_exactly_as_they_are():
    picture = noise(6, 3, HEIGHT, WIDTH)
    row = torch.linspace(0, 1, HEIGHT)[:, None].expand(HEIGHT, WIDTH)
    half = (2 * row - 1).clamp(min=0)  # ground from the horizon down
    wave = 0.5 + 0.3 * torch.sin(4 * row) * torch.cos(torch.linspace(0, 5, WIDTH))
    for slope in (row[None], half[None], wave[None]):
        assert torch.equal(remove_flying_pixels(slope, picture, params=PARAMS), slope)


def test_a_sharp_depth_edge_on_the_edge_of_the_picture_is_left_alone():
    side = disc()
    disparity = 0.3 + 0.5 * side
    sharp = remove_flying_pixels(disparity, orange_on_blue(side), params=PARAMS)
    assert ((sharp - disparity).abs() > 1e-3).float().mean() < 1e-3


def test_sky_is_farther_than_all_else():
    sky = (torch.arange(45)[:, None] < 15).float().expand(45, 80)[None]
    disparity = noise(7, 1, 45, 80)
    placed = place_sky_farthest(disparity, sky, params=PARAMS)
    assert placed[sky > 0.5].max() < placed[sky < 0.5].min()
    assert torch.equal(place_sky_farthest(disparity, 0 * sky, params=PARAMS), disparity)


def test_refined_sky_lies_at_the_farthest_depth_and_only_there():
    side = disc()
    refined = refine_depth(
        0.5 + 0.0 * blurred(side, 2.0), 1 - blurred(side, 2.0), orange_on_blue(side), params=PARAMS
    )
    is_sky = refined.sky > 0.5
    assert refined.depth[is_sky].min() > 39 and refined.depth[~is_sky].max() < 5
    assert (is_sky != (side < 0.5)).float().mean() < 0.005


def test_refinement_follows_a_resize_of_everything():
    small, large = disc(), disc(2 * HEIGHT, 2 * WIDTH)
    raw = blurred(disc(90, 160, shift=1), 1.0)
    sky = torch.zeros_like(raw)
    depths = [
        refine_depth(raw, sky, orange_on_blue(side, grain=0), params=PARAMS).depth
        for side in (small, large)
    ]
    shrunk = F.avg_pool2d(1 / depths[1], 2)
    differs = (shrunk - 1 / depths[0]).abs() > 0.1
    assert differs.float().mean() < 0.01


@pytest.mark.usefixtures("two_threads")
def test_refinement_gives_the_same_bits_twice():
    side = disc()
    raw, sky = blurred(side, 3.0), noise(8, 1, HEIGHT, WIDTH)
    first = refine_depth(raw, sky, orange_on_blue(side), params=PARAMS)
    second = refine_depth(raw, sky, orange_on_blue(side), params=PARAMS)
    assert torch.equal(first.depth, second.depth) and torch.equal(first.sky, second.sky)


def test_refinement_takes_pictures_of_any_size():
    for height, width in ((1, 1), (2, 5), (17, 3), (33, 64)):
        raw = noise(9, 1, 12, 16)
        refined = refine_depth(raw, raw, noise(9, 3, height, width), params=PARAMS)
        assert refined.depth.shape == refined.sky.shape == (1, height, width)
        assert np.isfinite(refined.depth.numpy()).all()


def test_sky_that_another_finder_knows_is_far_and_flat_but_for_a_seam():
    depth = torch.full((1, 100, 100), 30.0)
    depth[:, 20:40, 20:60] = 8.0  # a dark cloud
    depth[:, 60:] = 3.0  # ground
    sky = torch.zeros(1, 100, 100)
    sky[:, :63] = 1.0  # three pixels too far down
    fluid = torch.cat([sky, torch.zeros(4, 100, 100)])
    found = with_sky(DepthMap(depth, torch.zeros_like(sky), fluid))
    assert bool((found.depth[:, :60] == 30).all()) and bool((found.sky[:, :58] == 1).all())
    assert bool((found.depth[:, 61:] == 3).all()) and bool((found.sky[:, 63:] == 0).all())


def test_a_soft_border_is_made_sharp_at_the_sky_and_left_alone_on_a_wall():
    height, width = 360, 640
    colour = torch.full((3, height, width), 0.6)
    colour[:, :120] = torch.tensor([0.3, 0.5, 0.9])[:, None, None]  # the sky
    colour[:, 200:280, 200:440] = 0.2  # a dark window in the wall
    wall = torch.full((1, height, width), 0.6)
    wall[:, 200:280, 200:440] = 0.25
    wall = blurred(wall, 9.0)
    sky = torch.zeros(1, height, width)
    sky[:, :120] = 1.0
    sky = blurred(sky, 4.0)
    disparity = depth_to_disparity(
        refine_depth(wall, sky, colour, params=PARAMS).depth, params=PARAMS
    )
    placed = PARAMS.sky_gap + (1 - PARAMS.sky_gap) * wall
    torch.testing.assert_close(disparity[:, 180:], placed[:, 180:], atol=0.02, rtol=0)
    between = (disparity > 0.1) & (disparity < 0.5)
    assert not between[:, :180].any(), "nothing hangs between the wall and the sky"


@pytest.mark.parametrize(
    ("outlined", "near", "lean", "over"), [(True, 0.55, 0.2, 20), (False, 0.95, 0.5, 30)]
)
def test_a_depth_that_leans_towards_the_sky_gets_no_step(
    outlined: bool, near: float, lean: float, over: int
):
    """A network lets the rim of a post lean towards the sky; a step there would part the post."""
    height, width = 360, 640
    column = torch.arange(width).float()
    post = (column < 300).expand(1, height, width)
    colour = torch.where(post, 0.7, torch.tensor([0.4, 0.7, 1.0])[:, None, None])
    leaning = near - lean * ((column - 300 + over) / over).clamp(0, 1)
    sky = torch.where(post, 0.03, 0.97)
    if outlined:
        sky[..., 298:300], sky[..., 300:302] = 0.3, 0.75
    else:
        sky = F.avg_pool2d(blurred(sky, 2.0), 2)
    raw = blurred(torch.where(post, leaning, 0.05), 0.1 if outlined else 2.0)
    refined = refine_depth(raw, sky, colour, params=PARAMS)
    disparity = depth_to_disparity(refined.depth, params=PARAMS)[0, :, 60:290]
    assert disparity.min() > near - lean
    assert (disparity[:, 1:] - disparity[:, :-1]).abs().max() < 0.02  # .11 and .15 before
