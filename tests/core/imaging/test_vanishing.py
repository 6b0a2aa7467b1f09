import math

import numpy as np

from cine3d_core.imaging.vanishing import (
    Lines,
    find_lines,
    focal_of_lines,
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
