from dataclasses import replace

import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.motion.direct import FlowTask, direct_motion
from cine3d_core.motion.flow import MotionParams, finish_flow
from cine3d_core.motion.perspective import perspective_factor
from cine3d_core.scene import (
    DepthMap,
    Drawing,
    MotionField,
    MotionHint,
    MotionRegion,
    Stroke,
)

HEIGHT, WIDTH = 120, 200
LEFT = (((10.0, 20.0), (90.0, 20.0), (90.0, 100.0), (10.0, 100.0)),)
RIGHT = (((110.0, 20.0), (190.0, 20.0), (190.0, 100.0), (110.0, 100.0)),)


def arrow(x: float, y: float, dx: float, dy: float) -> MotionHint:
    return MotionHint((x, y), (x + dx, y + dy))


def picture() -> torch.Tensor:
    return torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def flat() -> DepthMap:
    return DepthMap(torch.full((1, HEIGHT, WIDTH), 2.0), torch.zeros(1, HEIGHT, WIDTH))


def directed(
    *regions: MotionRegion, depth: DepthMap | None = None, **drawn: object
) -> tuple[MotionField, tuple[str, ...]]:
    drawing = Drawing(regions=regions, **drawn)  # type: ignore[arg-type]
    return direct_motion(picture(), depth or flat(), drawing, MotionParams())


def at(field: MotionField, x: int, y: int) -> list[float]:
    """Px per 50 frames."""
    return (field.velocity[:, y, x] * 50).tolist()


def test_every_region_follows_its_own_arrows_speed_and_cycles():
    one = MotionRegion(LEFT, hints=(arrow(50, 60, 20, 0),), speed=0.5, cycles=3)
    two = MotionRegion(RIGHT, hints=(arrow(150, 60, 0, 30),), cycles=1)
    field, assumed = directed(one, two)
    assert at(field, 50, 60) == pytest.approx([10, 0], abs=0.1)
    assert at(field, 150, 60) == pytest.approx([0, 30], abs=0.1)
    assert set(field.cycles[0, 20:100, 10:90].unique().tolist()) == {3}
    assert set(field.cycles[0, 20:100, 110:190].unique().tolist()) == {1}
    assert int(field.moving.sum()) == 2 * 80 * 80  # and nothing else
    assert assumed == ()


def test_later_regions_lie_over_earlier_ones():
    under = MotionRegion(LEFT, hints=(arrow(20, 60, 20, 0),))
    over = MotionRegion((((40, 50), (90, 50), (90, 70), (40, 70)),), hints=(arrow(60, 60, -9, 0),))
    field, _ = directed(under, over)
    assert at(field, 60, 60) == pytest.approx([-9, 0], abs=0.1)
    assert at(field, 20, 60) == pytest.approx([20, 0], abs=0.1)


def test_freeze_strokes_rest_and_the_flow_goes_round_them():
    stroke = Stroke(((50.0, 50.0), (50.0, 70.0)), 11.0)
    region = MotionRegion(LEFT, hints=(arrow(20, 60, 20, 0),))
    field, _ = directed(region, freeze=(stroke,))
    assert not field.moving[0, 52:69, 46:55].any()
    assert not field.velocity[:, 52:69, 46:55].any()
    assert abs(at(field, 43, 50)[1]) > 1  # turned aside before the stone


def test_arrows_without_a_mask_take_the_part_of_the_painted_mask_that_they_stand_on():
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, 20:100, 10:90] = mask[:, 20:100, 110:190] = True
    sway = MotionRegion(hints=(arrow(150, 60, 20, 0),), mode="sway")
    drawing = Drawing((arrow(50, 60, 20, 0),), mask=mask, regions=(sway,))
    field, _ = direct_motion(picture(), flat(), drawing, MotionParams())
    assert bool(field.moving[0, 60, 50]) and not field.moving[0, 20:100, 110:190].any()
    assert bool(field.in_place["sway"][0, 60, 150] > 0)
    assert not field.in_place["sway"][:, 20:100, 10:90].any()


def test_a_fluid_that_is_not_there_is_said_and_does_not_move():
    field, assumed = directed(
        MotionRegion(fluid="water", hints=(arrow(50, 60, 20, 0),)),
        MotionRegion(RIGHT, hints=(arrow(150, 60, 20, 0),)),
    )
    assert any("no water" in sentence for sentence in assumed)
    assert not field.moving[0, :, :100].any()


def test_the_sky_of_the_depth_map_is_found_by_its_name():
    depth = DepthMap(flat().depth.clone(), flat().sky.clone())
    depth.sky[:, :60], depth.depth[:, :60] = 1.0, 50.0
    field, _ = directed(MotionRegion(fluid="sky", hints=(arrow(100, 20, 20, 0),)), depth=depth)
    assert float(field.moving[0, :50].float().mean()) > 0.9
    assert not field.moving[0, 70:].any()


@pytest.mark.parametrize(
    ("region", "word"),
    [
        (MotionRegion(), "neither a mask nor an arrow"),
        (MotionRegion((((5, 5), (5.1, 5), (5, 5.1)),)), "encloses no pixel"),
        (MotionRegion(LEFT, cycles=31), "at most 30"),
        (MotionRegion(LEFT, mode="sway", amplitude=10, wavelength=20), "fold"),
    ],
)
def test_regions_that_cannot_be_used_are_told_in_a_sentence(region: MotionRegion, word: str):
    with pytest.raises(InputError, match=word):
        directed(region)


@pytest.mark.usefixtures("two_threads")
def test_drawing_everything_twice_gives_the_same_bits():
    regions = (
        MotionRegion(LEFT, hints=(arrow(50, 60, 20, 7),)),
        MotionRegion(RIGHT, hints=(arrow(150, 60, 20, 0),), mode="sway"),
    )
    (first, _), (second, _) = (directed(*regions) for _ in range(2))
    for name in ("velocity", "moving", "cycles"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert torch.equal(first.in_place["sway"], second.in_place["sway"])


def noisy(task: FlowTask) -> torch.Tensor:
    return torch.randn(task.base.shape, generator=torch.Generator().manual_seed(9))


def test_whatever_refines_a_flow_arrows_are_honoured_and_nothing_leaks():
    hints = (arrow(30, 40, 20, 0), arrow(70, 80, 5, 12))
    drawing = Drawing(regions=(MotionRegion(LEFT, hints=hints),))
    field, _ = direct_motion(picture(), flat(), drawing, MotionParams(), refine=noisy)
    for hint in hints:
        x, y = int(hint.start[0]), int(hint.start[1])
        wanted = np.subtract(hint.end, hint.start)
        assert np.linalg.norm(at(field, x, y) - wanted) < 0.1 * np.linalg.norm(wanted)
    outside = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    outside[20:100, 10:90] = False
    assert not field.velocity[:, outside].any()
    assert float(field.velocity.norm(dim=0).max()) <= 0.05 * WIDTH + 1e-4


def test_finishing_what_is_finished_changes_little():
    field, _ = directed(MotionRegion(LEFT, hints=(arrow(50, 60, 20, 0),)))
    again = finish_flow(field.velocity, field.moving, (arrow(50, 60, 20, 0),))
    torch.testing.assert_close(again.velocity, field.velocity, atol=1e-5, rtol=0)
    assert torch.equal(again.cycles, field.cycles)


def water_plane() -> torch.Tensor:
    rows = torch.arange(HEIGHT)[:, None].expand(-1, WIDTH) + 0.5
    return (0.05 + 0.95 * (rows / HEIGHT))[None]  # disparity


def test_on_a_receding_plane_speed_falls_with_distance():
    everywhere = (((0.0, 0.0), (200.0, 0.0), (200.0, 120.0), (0.0, 120.0)),)
    depth = DepthMap(1 / water_plane(), torch.zeros(1, HEIGHT, WIDTH))
    region = MotionRegion(everywhere, hints=(arrow(100, 90, 20, 0),))
    field, _ = directed(region, depth=depth)
    assert at(field, 100, 90) == pytest.approx([20, 0], abs=0.2)
    ratio = field.velocity[0, 110].mean() / field.velocity[0, 50].mean()
    assert 1.5 < float(ratio) < 2.6  # the disparities' ratio is 2.1
    even, _ = directed(replace(region, perspective=False), depth=depth)
    assert float(even.velocity[0, 110].mean() / even.velocity[0, 50].mean()) < 1.2


def test_nothing_is_assumed_of_walls_and_of_noise():
    everywhere = torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    wall = torch.full((1, HEIGHT, WIDTH), 0.5)
    noise = torch.rand(1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(4))
    for disparity in (wall, noise, water_plane().flip(1)):  # a ceiling is no water
        assert bool((perspective_factor(disparity, everywhere) == 1).all())
    always = perspective_factor(water_plane().flip(1), everywhere, always=True)
    assert float(always.mean()) == pytest.approx(1, abs=0.1) and float(always.min()) > 0


def test_a_region_that_rests_stops_those_below_and_nothing_else():
    water = MotionRegion(LEFT, hints=(arrow(50, 60, 20, 0),))
    tower = MotionRegion((((30.0, 30.0), (40.0, 30.0), (40.0, 90.0), (30.0, 90.0)),), rests=True)
    field, _ = directed(water, tower)
    assert int(field.moving.sum()) == 80 * 80 - 10 * 60
    assert not bool(field.moving[0, 30:90, 30:40].any())
    above, _ = directed(tower, water)
    assert int(above.moving.sum()) == 80 * 80


def test_what_moves_is_guessed_as_ever_where_regions_only_rest():
    painted = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    painted[:, 20:100, 10:190] = True
    field, _ = directed(MotionRegion(RIGHT, rests=True), mask=painted, hints=(arrow(50, 60, 9, 0),))
    assert bool(field.moving[0, 50, 50]) and not bool(field.moving[0, 50, 150])
    sky = DepthMap(flat().depth, torch.zeros(1, HEIGHT, WIDTH), torch.zeros(5, HEIGHT, WIDTH))
    assert sky.fluid is not None
    sky.fluid[0, :60] = 1.0
    guessed, _ = directed(MotionRegion(RIGHT, rests=True), depth=sky)
    assert bool(guessed.moving[0, 30, 50]) and not bool(guessed.moving[0, 30, 150])
