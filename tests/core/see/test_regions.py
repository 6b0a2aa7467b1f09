"""What the network says roughly, drawn along the photo's edges."""

import numpy as np

from cine3d_core.scene import FLUIDS
from cine3d_core.see.regions import SKY, sharpen

HEIGHT, WIDTH = 200, 320
RIDGE, SURE = 80, 110  # rows: where the hills begin, and from where the network is sure of them


def rough(inside: float) -> np.ndarray:
    """Sky over the ridge, `inside` on the tops of the hills, nothing below: an eighth in size."""
    planes = np.zeros((len(FLUIDS), HEIGHT // 8, WIDTH // 8), np.float32)
    planes[SKY, : SURE // 8] = inside
    planes[SKY, : RIDGE // 8] = 0.99
    return planes


def dusk() -> np.ndarray:
    colour = np.full((HEIGHT, WIDTH, 3), (0.95, 0.7, 0.4), np.float32)
    colour[RIDGE:] = 0.12, 0.12, 0.2
    noise = np.random.default_rng(3).normal(0, 0.02, colour.shape)
    return np.clip(colour + noise, 0, 1).astype(np.float32)


def test_dark_hills_that_the_network_takes_for_half_sky_are_told_by_their_colour():
    sky = sharpen(rough(0.6), dusk())[SKY]
    assert sky[RIDGE + 4 : SURE - 4].mean() < 0.2
    assert sky[: RIDGE - 4].mean() > 0.9


def test_haze_of_one_colour_stays_as_the_network_says():
    haze = np.full((HEIGHT, WIDTH, 3), 0.7, np.float32)
    sky = sharpen(rough(0.6), haze)[SKY]
    assert abs(float(sky[RIDGE + 12 : SURE - 12].mean()) - 0.6) < 0.1
