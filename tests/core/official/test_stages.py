"""Properties of the published stages that no recorded number shows."""

import pytest
import torch
from torch.testing import assert_close

from cine3d_core.networks.official import inpainting_nets
from cine3d_core.official import layering
from cine3d_core.official.depth_bins import (
    depth_bins,
    depth_from_disparity,
    quantised_disparity,
)
from cine3d_core.official.dpt_depth import dpt_input_size
from cine3d_core.official.euler import displacement_after, trace
from cine3d_core.official.hints import dense_hint, hint_radius, hint_radius_range
from cine3d_core.official.lift import layer_points, moved_points
from cine3d_core.official.masked_ops import diffused, masked_median, plan_diffusion
from cine3d_core.scene import MotionHint
from tests.golden.filler import filled_state_dict


def rng(seed):
    return torch.Generator().manual_seed(seed)


def blobs(height, width, seed):
    """A random mask of a few connected areas: [1, 1, H, W]."""
    coarse = torch.rand(1, 1, 6, 8, generator=rng(seed))
    return (torch.nn.functional.interpolate(coarse, (height, width)) > 0.6).float()


@pytest.mark.parametrize("seed", range(3))
def test_diffusion_in_a_window_equals_that_of_the_whole_picture(seed):
    mask = blobs(150, 200, seed)
    value = torch.zeros(1, 2, 150, 200)
    value[..., 60:90, 70:95] = torch.randn(1, 2, 30, 25, generator=rng(seed))
    part = diffused(value, plan_diffusion(mask, support=(value != 0).any(1, keepdim=True)))
    whole = diffused(value, plan_diffusion(mask))
    assert_close(part, whole, rtol=1e-5, atol=1e-6)


def test_diffusion_without_anything_known_is_zero():
    assert not diffused(torch.ones(1, 1, 20, 30), plan_diffusion(torch.zeros(1, 1, 20, 30))).any()


def test_medians_of_chosen_pixels_equal_those_of_all():
    image, mask = torch.rand(1, 1, 40, 50, generator=rng(0)), blobs(40, 50, 1)
    chosen = torch.rand(1, 1, 40, 50, generator=rng(2)) > 0.7
    some = masked_median(image * mask, mask, where=chosen)
    assert torch.equal(some, masked_median(image * mask, mask) * chosen)


def naive_displacement(flow, steps):
    """The published Euler loop, pixel by pixel."""
    _, height, width = flow.shape
    result = torch.zeros_like(flow)
    for y in range(height):
        for x in range(width):
            start = torch.tensor([float(x), float(y)])
            p, q, alive = start.clone(), start.clone(), True
            for _ in range(steps):
                cell = p.round().long()
                p = p + flow[:, cell[1], cell[0]]
                alive = alive and 0 <= p[0] <= width - 1 and 0 <= p[1] <= height - 1
                p = p if alive else start
                cell = p.round().long()
                q = q + flow[:, cell[1], cell[0]]
            result[:, y, x] = q - start
    return result


def test_displacement_equals_the_naive_loop_for_any_number_of_steps():
    flow = torch.randn(2, 7, 9, generator=rng(3)) * (torch.rand(7, 9, generator=rng(4)) > 0.4)
    path = trace(flow, 20)
    for steps in (20, 0, 11, 8):
        assert_close(displacement_after(path, steps), naive_displacement(flow, steps))


def test_hidden_points_follow_the_nearer_layers():
    depth = torch.tensor([2.0, 1.0, 1.5]).view(3, 1, 1, 1).expand(3, 1, 20, 20).clone()
    solid, moving = torch.ones(3, 20, 20, dtype=torch.bool), torch.ones(1, 1, 20, 20) > 0
    points = layer_points(depth, solid[:, None], solid, moving)
    moved = moved_points(points, torch.full((1, 2, 20, 20), 3.0), torch.eye(3))
    z = moved.positions[:, 2].view(3, 400)
    expected = torch.tensor([2.0, 2.02, 2.0402]).view(3, 1).expand(3, 400)
    assert_close(z, expected)
    assert int(moved.inside.sum()) == 3 * 17 * 17


@pytest.mark.parametrize("kind", ["color", "depth"])
def test_a_cropped_inpainting_equals_that_of_the_full_frame(kind):
    net = inpainting_nets.build(kind=kind)
    net.load_state_dict(filled_state_dict(f"inpaint_{kind}"))
    # in doubles: float sums of a convolution differ by size, on some processors by 3e-5
    net.double().eval().requires_grad_(False)
    context, hole = torch.zeros(2, 1, 1, 100, 900, dtype=torch.float64)
    context[..., 10:60, 20:90], hole[..., 60:95, 20:90] = 1, 1
    value = torch.rand(1, 3 if kind == "color" else 1, 100, 900, generator=rng(5)) * context
    full, cropped = net(value, context, hole), layering._cropped(net, value, context, hole)
    there = (context + hole).expand_as(value) > 0
    assert (cropped == 0).any(), "nothing was cropped"
    assert_close(cropped[there], full[there], rtol=1e-5, atol=1e-5)


def test_layers_of_large_photos_are_those_of_small_ones():
    depth = 1 + 4 * torch.rand(1, 1, 200, 300, generator=rng(6)) ** 3
    pairs = depth_bins(depth)
    assert len(pairs) > 2
    assert depth_bins(depth, all_pairs_limit=0) == pairs


def test_a_flat_photo_is_one_layer():
    disparity = quantised_disparity(torch.ones(40, 60))
    assert len(depth_bins(depth_from_disparity(disparity))) == 2


def test_hint_radius_is_the_middle_or_seeded():
    low, high = hint_radius_range(720, 11)
    drawn = {hint_radius(720, 11, rng(seed)) for seed in range(30)}
    assert hint_radius(720, 11) == (low + high) // 2
    assert len(drawn) > 5 and low <= min(drawn) and max(drawn) < high
    assert hint_radius(720, 11, rng(1)) == hint_radius(720, 11, rng(1))


def test_many_hints_still_have_a_radius():
    assert hint_radius(16, 1000) >= 1


def test_one_hint_fills_the_mask_with_its_velocity():
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, :, :32] = True
    hint = dense_hint((MotionHint((10.0, 10.0), (60.0, -15.0)),), mask, 40.0, 64)
    assert_close(hint[0, :, :, 10], torch.tensor([1.0, -0.5])[:, None].expand(2, 64))
    assert not hint[..., 33:].any()


@pytest.mark.parametrize(
    ("photo", "seen"),
    [((720, 1280), (384, 672)), ((1280, 720), (672, 384)), ((384, 384), (384, 384))],
)
def test_dpt_sees_photos_near_384_pixels(photo, seen):
    assert dpt_input_size(*photo) == seen
