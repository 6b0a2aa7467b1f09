import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.motion.scribbles import paint_strokes, refine_mask
from cine3d_core.scene import Stroke

HEIGHT, WIDTH = 120, 200
LAKE = (slice(40, 110), slice(20, 90))
POND = (slice(30, 100), slice(120, 185))


def two_lakes() -> torch.Tensor:
    """A brown ground with two bluish lakes, grainy."""
    noise = np.random.default_rng(5)
    picture = np.full((HEIGHT, WIDTH, 3), (0.5, 0.35, 0.2), np.float32)
    for place in (LAKE, POND):
        picture[place] = (0.3, 0.5, 0.8)
    picture += 0.03 * noise.standard_normal(picture.shape).astype(np.float32)
    return torch.from_numpy(picture.clip(0, 1)).permute(2, 0, 1).contiguous()


def inside(place: tuple[slice, slice]) -> torch.Tensor:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, place[0], place[1]] = 1
    return mask


def overlap(mask: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((mask & wanted).sum() / (mask | wanted).sum()).item()


def test_without_strokes_the_mask_is_the_probability_above_a_half():
    probability = torch.rand(1, 30, 40, generator=torch.Generator().manual_seed(2))
    mask = refine_mask(torch.rand(3, 30, 40), probability, [], [])
    assert torch.equal(mask, probability > 0.5)


def test_one_stroke_finds_the_lake_it_lies_in_up_to_its_banks():
    stroke = Stroke(((30.0, 70.0), (80.0, 80.0)), width=6)
    mask = refine_mask(two_lakes(), torch.zeros(1, HEIGHT, WIDTH), [stroke], [])
    assert overlap(mask, inside(LAKE) > 0) > 0.93
    assert not (mask & (inside(POND) > 0)).any()


def test_a_stroke_of_rest_takes_its_lake_away_and_leaves_the_other():
    both = torch.maximum(inside(LAKE), inside(POND)) * 0.9
    stroke = Stroke(((130.0, 40.0), (175.0, 90.0)), width=8)
    mask = refine_mask(two_lakes(), both, [], [stroke])
    assert overlap(mask, inside(LAKE) > 0) == 1
    assert (mask & (inside(POND) > 0)).float().sum() < 0.1 * inside(POND).sum()


def test_what_lies_under_a_stroke_is_as_the_stroke_says():
    moves, rests = Stroke(((5.0, 5.0), (190.0, 20.0)), 3), Stroke(((60.0, 10.0), (60.0, 110.0)), 5)
    mask = refine_mask(two_lakes(), inside(LAKE), [moves], [rests])[0].numpy()
    under_rests = paint_strokes([rests], HEIGHT, WIDTH)
    assert not mask[under_rests].any()
    assert mask[paint_strokes([moves], HEIGHT, WIDTH) & ~under_rests].all()


@pytest.mark.usefixtures("two_threads")
def test_the_same_strokes_give_the_same_bits():
    stroke = Stroke(((30.0, 70.0), (80.0, 80.0)), width=6)
    start = torch.rand(1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(4))
    first, second = (refine_mask(two_lakes(), start, [stroke], []) for _ in range(2))
    assert torch.equal(first, second)


def test_a_dot_is_a_stroke_and_may_reach_out_of_the_picture():
    painted = paint_strokes(
        [Stroke(((0.5, 0.5),), 7), Stroke(((-50.0, 10.0), (9.0, 10.0)), 1)], 30, 40
    )
    assert painted[0, 0] and painted[10, :9].all() and not painted[20:].any()


@pytest.mark.parametrize(
    "stroke", [Stroke((), 3), Stroke(((1.0, 1.0),), 0), Stroke(((np.nan, 1.0),), 2)]
)
def test_strokes_nobody_can_mean_are_refused(stroke: Stroke):
    with pytest.raises(InputError, match="at least one point"):
        paint_strokes([stroke], 20, 20)
