import numpy as np
import pytest

from cine3d_core.errors import InputError
from cine3d_core.see.click import grow_click

HEIGHT, WIDTH = 120, 180


def picture(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three upright stripes of noisy colour; the network knows nothing."""
    generator = np.random.default_rng(seed)
    colour = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for start, value in ((0, (0.2, 0.3, 0.8)), (60, (0.8, 0.7, 0.2)), (120, (0.3, 0.6, 0.3))):
        colour[:, start : start + 60] = value
    colour += generator.normal(scale=0.02, size=colour.shape).astype(np.float32)
    return np.zeros((5, HEIGHT, WIDTH), np.float32), colour.clip(0, 1)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_click_takes_the_thing_up_to_its_edges() -> None:
    unknown, colour = picture()
    stripe = np.zeros((HEIGHT, WIDTH), bool)
    stripe[:, 60:120] = True
    grown = grow_click(unknown, colour, [(90, 60, True)])
    assert overlap(grown, stripe) > 0.9
    assert np.array_equal(grown, grow_click(unknown, colour, [(90, 60, True)]))


def test_what_the_network_sees_as_the_same_belongs_across_edges() -> None:
    known, colour = picture()
    known[0, :, :120] = 0.9
    sky = np.zeros((HEIGHT, WIDTH), bool)
    sky[:, :120] = True
    assert overlap(grow_click(known, colour, [(90, 60, True)]), sky) > 0.9


def test_a_second_click_takes_away() -> None:
    known, colour = picture()
    known[0, :, :120] = 0.9
    stripe = np.zeros((HEIGHT, WIDTH), bool)
    stripe[:, 60:120] = True
    clicks = [(90, 60, True), (30, 60, False)]
    less = grow_click(known, colour, clicks)
    assert overlap(less, stripe) > overlap(grow_click(known, colour, clicks[:1]), stripe)
    assert less[60, 90] and not less[60, 30]


@pytest.mark.parametrize("clicks", [[], [(5, 5, False)], [(WIDTH, 5, True)]])
def test_clicks_that_are_on_nothing_are_refused(clicks: list[tuple[int, int, bool]]) -> None:
    with pytest.raises(InputError, match="click"):
        grow_click(*picture(), clicks)
