import math

import numpy as np
import pytest

from cine3d_core.imaging.vanishing import (
    Lines,
    crossing,
    find_lines,
    focal_of_lines,
    focal_of_right_angle,
    tilt_of_horizon,
)
from tests.core.imaging.made_up_places import make_place

WANTED_DEG = 4.0  # median error over twelve places


def fov_deg(focal_share: float) -> float:
    return math.degrees(2 * math.atan(0.5 / focal_share))


def test_the_lens_of_twelve_made_up_streets_and_rooms_is_found() -> None:
    places = [make_place(seed) for seed in range(12)]
    found = [focal_of_lines(find_lines(place.colour)) for place in places]
    errors = [
        abs((53.13 if focal is None else fov_deg(focal)) - place.fov_deg)
        for focal, place in zip(found, places, strict=True)
    ]
    assert np.median(errors) < WANTED_DEG / 2, errors
    assert sum(focal is not None for focal in found) >= 10


def test_noise_and_lines_of_one_direction_say_nothing() -> None:
    generator = np.random.default_rng(1)
    noise = generator.random((120, 160, 3)).astype(np.float32)
    assert focal_of_lines(find_lines(noise)) is None
    start = generator.uniform(-0.4, 0.4, (40, 2))
    level = Lines(start, start + [[0.1, 0.0]])
    assert focal_of_lines(level) is None
    anyhow = Lines(start, start + generator.normal(scale=0.1, size=(40, 2)))
    assert focal_of_lines(anyhow) is None


def test_two_right_angled_directions_give_their_lens() -> None:
    focal, middle, turn = 700.0, (320.0, 240.0), 0.6
    angles = (turn, turn - math.pi / 2)
    points = [(middle[0] + focal * math.tan(angle), middle[1]) for angle in angles]
    assert focal_of_right_angle(*points, middle) == pytest.approx(focal)
    assert focal_of_right_angle((400, 240), (500, 240), middle) is None


def test_lines_cross_where_they_meet_and_parallels_do_not() -> None:
    one, other = np.array([[0.0, 0.0], [2.0, 2.0]]), np.array([[0.0, 4.0], [1.0, 3.0]])
    np.testing.assert_allclose(crossing(one, other), [2.0, 2.0])
    assert crossing(one, one + [1.0, 0.0]) is None


def test_a_horizon_tells_pitch_and_roll() -> None:
    focal, middle, pitch = 500.0, np.array([300.0, 200.0]), math.radians(10)
    below = middle[1] + focal * math.tan(pitch)
    level = tilt_of_horizon(np.array([0.0, below]), np.array([600.0, below]), middle, focal)
    assert level == pytest.approx((pitch, 0.0))
    turned = tilt_of_horizon(np.array([600.0, 200.0]), np.array([0.0, 200.0]), middle, focal)
    assert turned == pytest.approx((0.0, 0.0))
    _, roll = tilt_of_horizon(np.array([0.0, 100.0]), np.array([600.0, 300.0]), middle, focal)
    assert roll == pytest.approx(math.atan2(1, 3))
