import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cine3d_core.errors import InputError
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.motion.draw import draw_motion
from cine3d_core.motion.flow import MotionParams, choose_cycles, motion_from_hints
from cine3d_core.scene import MotionField, MotionHint

HEIGHT, WIDTH = 120, 200


def box(x0: int, y0: int, x1: int, y1: int) -> torch.Tensor:
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, y0:y1, x0:x1] = True
    return mask


def everything() -> torch.Tensor:
    return box(0, 0, WIDTH, HEIGHT)


def arrow(x: float, y: float, dx: float, dy: float) -> MotionHint:
    return MotionHint((x, y), (x + dx, y + dy))


def at(field: MotionField, x: float, y: float) -> torch.Tensor:  # [2] px per 50 frames
    return field.velocity[:, int(y), int(x)] * 50


def test_one_arrow_over_the_whole_picture_moves_everything_alike():
    field = motion_from_hints(everything(), [arrow(50, 60, 30, -10)])
    expected = torch.tensor([0.6, -0.2])[:, None, None].expand(2, HEIGHT, WIDTH)
    torch.testing.assert_close(field.velocity, expected, rtol=0, atol=1e-3)


@given(
    feet=st.lists(
        st.tuples(st.integers(20, 180), st.integers(30, 90)), min_size=1, max_size=5, unique=True
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_arrows_are_honoured_within_a_tenth_at_their_feet(feet, seed):
    vectors = np.random.default_rng(seed).uniform(-40, 40, (len(feet), 2))
    apart = [
        (foot, vector)
        for i, (foot, vector) in enumerate(zip(feet, vectors, strict=True))
        if all(np.hypot(foot[0] - x, foot[1] - y) > 1.5 for x, y in feet[:i])
    ]
    mask = box(5, 20, 195, 100) & ~box(90, 20, 100, 50)
    hints = [arrow(x + 0.5, y + 0.5, *vector) for (x, y), vector in apart]
    field = motion_from_hints(mask, hints)
    for (x, y), vector in apart:
        if mask[0, y, x]:
            error = np.linalg.norm(at(field, x, y).numpy() - vector)
            assert error < 0.1 * np.linalg.norm(vector)


def test_nothing_moves_outside_the_mask():
    mask = box(30, 40, 160, 90) & ~box(80, 55, 100, 70)
    field = motion_from_hints(mask, [arrow(50, 60, 30, 12)])
    assert field.velocity[:, ~mask[0]].abs().max() == 0
    assert torch.equal(field.moving, mask)


def test_water_does_not_cross_its_banks_but_runs_along_them():
    mask = box(0, 40, WIDTH, 80)
    field = motion_from_hints(mask, [arrow(100, 60, 40, 15)])
    bank = field.velocity[:, [40, 79]]
    assert bank[1].abs().max() < 0.05
    assert bank[0].min() > 0.3


def test_water_follows_a_bend():
    mask = box(0, 20, 140, 60) | box(100, 20, 140, HEIGHT)
    field = motion_from_hints(mask, [arrow(30, 40, 30, 0)])
    end = field.velocity[:, 105:, 105:135].mean((1, 2))
    assert end[1] > 0.3 and end[0].abs() < 0.3 * end[1]


def test_water_goes_round_a_rock():
    rock = box(90, 50, 110, 70)
    field = motion_from_hints(everything() & ~rock, [arrow(20, 60, 40, 0)])
    above, below = field.velocity[1, 40:49, 84], field.velocity[1, 71:80, 84]
    assert above.max() < -0.05 and below.min() > 0.05


def test_a_fall_runs_down_everywhere_instead_of_turning_back():
    mask = box(80, 10, 120, 110)
    field = motion_from_hints(mask, [arrow(100, 60, 0, 40)])
    assert (field.velocity[1, 20:100, 82:118] > 0.2).all()


def test_a_region_without_an_arrow_follows_the_others():
    near, far = box(0, 10, 90, 50), box(110, 10, WIDTH, 50)
    field = motion_from_hints(near | far, [arrow(45, 30, 25, 0)])
    torch.testing.assert_close(
        field.velocity[:, 25:35, 120:].mean((1, 2)), torch.tensor([0.5, 0.0]), atol=0.1, rtol=0
    )


@pytest.mark.parametrize("size", [1, 2, 5])
def test_even_the_smallest_region_moves(size):
    tiny = box(150, 80, 150 + size, 80 + size)
    field = motion_from_hints(box(0, 10, 90, 50) | tiny, [arrow(45, 30, 25, 0)])
    assert torch.isfinite(field.velocity).all()
    alone = motion_from_hints(tiny, [arrow(150.5, 80.5, 25, 5)])
    assert alone.velocity[:, 80, 150].tolist() == pytest.approx([0.5, 0.1], rel=0.1)


def test_an_arrow_outside_the_mask_counts_by_its_direction():
    field = motion_from_hints(box(0, 40, WIDTH, 80), [arrow(100, 10, 30, 0)])
    assert (field.velocity[0, 45:75] > 0.4).all()


@pytest.mark.usefixtures("two_threads")
def test_the_same_input_gives_the_same_bits():
    mask = box(0, 20, WIDTH, 100) & ~box(90, 50, 110, 70)
    hints = [arrow(20, 60, 30, 5), arrow(150, 60, 20, -10)]
    first, second = (motion_from_hints(mask, hints) for _ in range(2))
    assert torch.equal(first.velocity, second.velocity)
    assert torch.equal(first.cycles, second.cycles)


def test_speeds_beyond_the_limit_are_slowed_without_turning():
    params = MotionParams(max_speed=1 / WIDTH)
    field = motion_from_hints(everything(), [arrow(100, 60, 120, 160)], params=params)
    assert field.velocity[:, 60, 100].tolist() == pytest.approx([0.6, 0.8], abs=1e-3)


def test_cycles_bound_the_displacement_of_each_region():
    velocity = torch.zeros(2, 10, 30)
    velocity[0, :, :10], velocity[0, :, 20:] = 0.5, 3.0
    moving = velocity[:1] > 0
    cycles = choose_cycles(velocity, moving, 60, max_displacement_px=20)
    assert cycles.dtype == torch.int16
    assert set(cycles[0, :, :10].unique().tolist()) == {2}  # 30 px a loop
    assert set(cycles[0, :, 20:].unique().tolist()) == {9}  # 180 px a loop
    assert set(cycles[0, :, 10:20].unique().tolist()) == {1}


def test_a_rectangle_covers_exactly_the_pixels_whose_centres_it_contains():
    mask = rasterize_polygons([[(2, 1), (6, 1.4), (6, 4), (2, 4)]], 6, 8)
    expected = torch.zeros(1, 6, 8, dtype=torch.bool)
    expected[:, 1:4, 2:6] = True
    assert torch.equal(mask, expected)


@given(st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 25)), min_size=3, max_size=7))
@settings(max_examples=30, deadline=None)
def test_polygons_equal_a_point_by_point_twin(corners):
    mask = rasterize_polygons([corners], 20, 20)[0]
    for y, x in [(3, 4), (10, 10), (19, 0), (0, 19), (12, 17)]:
        odd = False
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                odd ^= x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0) <= x + 0.5
        assert mask[y, x].item() == odd


def test_polygons_unite():
    shapes = [[(0, 0), (3, 0), (3, 3), (0, 3)], [(5, 0), (8, 0), (8, 3), (5, 3)]]
    both = rasterize_polygons(shapes, 6, 9)
    single = [rasterize_polygons([s], 6, 9) for s in shapes]
    assert torch.equal(both, single[0] | single[1])


@pytest.mark.parametrize(
    ("mask", "hints", "word"),
    [
        (box(0, 0, 0, 0), [arrow(5, 5, 3, 0)], "empty"),
        (everything(), [], "no arrow"),
        (everything(), [arrow(-3, 5, 3, 0)], "200x120"),
        (everything(), [arrow(5, 500, 3, 0)], "inside the picture"),
        (everything(), [arrow(5, 5, 0, 0)], "length"),
        (everything(), [arrow(5, 5, float("nan"), 0)], "picture"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(mask, hints, word):
    with pytest.raises(InputError, match=word):
        motion_from_hints(mask, hints)


def test_an_outline_of_two_points_is_refused():
    with pytest.raises(InputError, match="three"):
        rasterize_polygons([[(0, 0), (5, 5)]], 10, 10)


def test_the_preview_tints_only_what_moves():
    rgb = torch.full((3, HEIGHT, WIDTH), 0.5)
    field = motion_from_hints(box(0, 60, WIDTH, HEIGHT), [arrow(50, 80, 30, 0)])
    picture = draw_motion(rgb, field)
    assert picture.shape == rgb.shape
    assert (picture[:, :40] - 0.5).abs().max() < 0.01
    assert (picture[:, 70:] - 0.5).abs().max() > 0.2


def test_the_sample_arrows_stand_in_the_sample_mask_and_are_honoured():
    path = Path(__file__).parents[3] / "docs" / "sample" / "hints.json"
    sample = json.loads(path.read_text(encoding="utf-8"))
    mask = rasterize_polygons(sample["mask"], 937, 1280)
    hints = [MotionHint(tuple(h["start"]), tuple(h["end"])) for h in sample["hints"]]
    field = motion_from_hints(mask, hints)
    for hint in hints:
        wanted = np.subtract(hint.end, hint.start)
        assert mask[0, int(hint.start[1]), int(hint.start[0])]
        assert np.linalg.norm(at(field, *hint.start).numpy() - wanted) < 0.1 * np.linalg.norm(
            wanted
        )


def test_a_noisy_mask_of_thousands_of_specks_moves_and_does_not_take_forever():
    noise = torch.rand(1, 300, 400, generator=torch.Generator().manual_seed(0)) > 0.7
    field = motion_from_hints(noise, [arrow(200, 150, 25, 0)])
    assert (field.velocity[0, noise[0]] > 0.1).float().mean() > 0.9


def test_sky_drifts_on_behind_what_stands_before_it():
    sky = box(0, 0, WIDTH, 80) & ~box(80, 30, 120, 80)
    field = motion_from_hints(sky, [arrow(40, 40, 25, 0)], behind=sky)
    expected = torch.tensor([0.5, 0.0])[:, None].expand(2, int(sky.sum()))
    torch.testing.assert_close(field.velocity[:, sky[0]], expected, atol=1e-3, rtol=0)


def test_sky_and_the_water_that_touches_it_flow_apart():
    sky, water = box(0, 0, WIDTH, 60), box(0, 60, WIDTH, HEIGHT)
    hints = [arrow(100, 30, 25, 0), arrow(100, 90, -25, 0)]
    velocity = motion_from_hints(sky | water, hints, behind=sky).velocity
    assert velocity[0, :60].min() > 0.45 and velocity[0, 60:].max() < -0.4
