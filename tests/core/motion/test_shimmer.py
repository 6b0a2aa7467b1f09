"""Calm water shimmers in place, by perspective, and comes to rest at its banks."""

import torch

from cine3d_core.motion.shimmer import ShimmerKind, ShimmerParams, shimmer_field
from cine3d_core.motion.sway import STEEPEST, sway_at, sway_of_points

HEIGHT, WIDTH, HORIZON = 120, 200, 50


def lake() -> tuple[torch.Tensor, torch.Tensor]:
    """A lake up to the horizon, and its disparity."""
    rows = torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH)
    mask = (rows > HORIZON + 4)[None]
    return mask, ((rows - HORIZON).clamp(min=1) / 70.0)[None]


def test_what_does_not_shimmer_is_zero():
    mask, disparity = lake()
    assert not shimmer_field(mask, disparity)[:, ~mask[0]].any()
    assert not shimmer_field(torch.zeros_like(mask), disparity).any()


def test_near_water_moves_more_than_far_water():
    field = shimmer_field(*lake())
    size = field[:2].norm(dim=0)
    assert size[100:110, 80:120].mean() > 3 * size[60:66, 80:120].mean() > 0


def test_waves_are_shorter_far_away():
    phase = shimmer_field(*lake(), params=ShimmerParams(wander=0.0))[2]
    near = (phase[105, 100] - phase[104, 100]).abs()
    far = (phase[66, 100] - phase[65, 100]).abs()
    assert far > 3 * near > 0


def test_water_rests_at_its_banks():
    mask, disparity = lake()
    size = shimmer_field(mask, disparity)[:2].norm(dim=0)
    assert size[HORIZON + 5, 20:-20].max() < 0.2 * size.max()


def test_neighbours_never_pass_each_other():
    mask, disparity = lake()
    field = shimmer_field(mask, disparity, speed=50.0)
    slope = torch.diff(field[2], dim=0)[HORIZON + 6 : -2]
    squeezed = 2 * STEEPEST * slope.abs() * field[1][HORIZON + 6 : -3]
    assert squeezed.max() < 1.0


def test_a_cycle_ends_where_it_began_without_a_fade():
    field = shimmer_field(*lake())
    points = field.flatten(1).T
    sway = sway_of_points(points[:, :2], points[:, 2], 30.0)
    assert torch.equal(sway_at(sway, 30.0), sway_at(sway, 0.0))
    assert sway_at(sway, 11.0).abs().max() > 0.1


def test_a_line_of_water_rests():
    mask = torch.zeros(1, 40, 60, dtype=torch.bool)
    mask[:, 10, 5:50] = True
    assert not shimmer_field(mask, torch.ones(1, 40, 60)).any()


def test_water_seen_from_straight_above_shimmers_too():
    mask, disparity = lake()
    field = shimmer_field(torch.ones_like(mask), torch.full_like(disparity, 0.5))
    assert torch.isfinite(field).all()
    assert field[:2].abs().max() > 0.1


def test_cycles_follow_the_loop():
    assert [ShimmerKind().cycles(frames) for frames in (60, 2, 300)] == [2, 1, 10]
