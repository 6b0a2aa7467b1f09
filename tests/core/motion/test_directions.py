"""Which way water, smoke and sky go when nobody drew an arrow."""

import math

import numpy as np
import pytest
import torch

from cine3d_core.motion.directions import guess_directions
from cine3d_core.motion.guess import FALLS, FIRE, SKY, SMOKE, WATER, MaskGuess
from cine3d_core.scene import DepthMap

HEIGHT, WIDTH = 90, 120


def guessed(kind: np.ndarray, way: tuple[float, float] | None = None):
    kinds = torch.from_numpy(kind.astype(np.uint8))[None]
    direction = None
    if way is not None:
        direction = torch.tensor(way)[:, None, None].expand(2, 24, 32)
    flat = torch.ones(1, HEIGHT, WIDTH)
    depth = DepthMap(flat, 0 * flat, direction=direction)
    return guess_directions(torch.zeros(3, HEIGHT, WIDTH), depth, MaskGuess(kinds > 0, kinds, ""))


def block(value: int, rows: slice, columns: slice) -> np.ndarray:
    kind = np.zeros((HEIGHT, WIDTH), np.uint8)
    kind[rows, columns] = value
    return kind


def angles(hints) -> list[float]:
    return [math.degrees(math.atan2(h.end[1] - h.start[1], h.end[0] - h.start[0])) for h in hints]


def test_a_fall_runs_down_whatever_its_shape():
    for rows, columns in ((slice(5, 80), slice(50, 70)), (slice(30, 50), slice(5, 115))):
        guess = guessed(block(FALLS, rows, columns))
        assert guess.hints
        assert all(45 < angle < 135 for angle in angles(guess.hints))
        assert not guess.calm.any()


def test_water_that_nobody_is_sure_of_shimmers():
    lake = block(WATER, slice(50, 90), slice(0, 120))
    guess = guessed(lake)
    assert guess.hints == ()
    assert torch.equal(guess.calm[0], torch.from_numpy(lake > 0))
    assert "shimmers" in guess.description


def test_a_tall_pond_is_no_river():
    assert guessed(block(WATER, slice(0, 90), slice(40, 60))).hints == ()


def test_water_runs_where_the_network_is_sure():
    guess = guessed(block(WATER, slice(40, 80), slice(10, 110)), way=(0.9, 0.1))
    assert not guess.calm.any()
    assert all(abs(angle) < 45 for angle in angles(guess.hints))


def test_one_body_of_water_has_one_motion():
    lake = block(WATER, slice(50, 90), slice(0, 120))
    lake[20:50, 50:60] = FALLS  # it is fed by a fall
    guess = guessed(lake)
    assert not guess.calm.any()
    assert any(abs(h.start[1] - 70) < 25 for h in guess.hints)


@pytest.mark.parametrize("kind", [SMOKE, FIRE])
def test_smoke_and_fire_rise(kind):
    hints = guessed(block(kind, slice(10, 80), slice(40, 80))).hints
    assert hints
    assert all(-135 < angle < -45 for angle in angles(hints))


def test_a_low_bank_of_fog_drifts():
    hints = guessed(block(SMOKE, slice(50, 60), slice(5, 115))).hints
    assert [round(angle) for angle in angles(hints)] == [0]


def test_all_of_the_sky_drifts_as_one():
    sky = block(SKY, slice(0, 30), slice(0, 50)) + block(SKY, slice(0, 30), slice(70, 120))
    assert len(guessed(sky).hints) == 1


def test_nothing_moves_without_a_reason():
    guess = guessed(np.zeros((HEIGHT, WIDTH)))
    assert guess.hints == ()
    assert not guess.calm.any()
    assert guess.description == ""
