"""What is thin, or blurred, before the sky: by colour, pixel by pixel."""

import cv2
import numpy as np
import pytest

from cine3d_core.see.outline import outlined
from cine3d_core.see.regions import SKY, sharpen
from tests.thin_pictures import GROUND, HEIGHT, THINGS, WIDTH, misplaced, thin_picture


@pytest.mark.parametrize("cloudy", [False, True])
@pytest.mark.parametrize("name", THINGS)
def test_things_before_the_sky_get_the_ground_s_depth_and_the_sky_keeps_its_own(name, cloudy):
    found = [misplaced(thin_picture(THINGS[name], cloudy=cloudy, seed=seed)) for seed in range(2)]
    assert max(one.things for one in found) < 0.02
    assert max(one.sky for one in found) < 0.015


def test_the_gaps_that_the_network_takes_for_a_tree_are_sky():
    picture = thin_picture(THINGS["tree"], cloudy=False)
    crown = cv2.GaussianBlur(picture.alpha, (0, 0), 6)
    told = outlined(np.clip(1.05 - 1.5 * crown, 0, 1), picture.colour)
    assert (told[picture.alpha > 0.7] < 0.5).mean() > 0.97
    above = np.arange(HEIGHT)[:, None] < GROUND - 4
    assert (told[(picture.alpha < 0.05) & above] > 0.5).mean() > 0.97


def test_a_cloud_streak_that_touches_nothing_stays_sky():
    picture = thin_picture(lambda mask: None, cloudy=False)
    streak = np.zeros((HEIGHT, WIDTH), np.float32)
    streak[60:64, 40:200] = -0.3
    colour = picture.colour + cv2.GaussianBlur(streak, (0, 0), 1)[..., None]
    told = outlined(np.where(picture.alpha > 0.5, 0.01, 0.99).astype(np.float32), colour)
    assert (told[: GROUND - 4] > 0.5).all()


def test_ground_of_the_sky_s_own_colour_stays_as_the_network_says():
    colour = np.full((120, 200, 3), 0.8, np.float32)
    sky = np.full((120, 200), 0.98, np.float32)
    sky[70:] = 0.02
    assert np.array_equal(outlined(sky, colour) > 0.5, sky > 0.5)


def clouds(least: float) -> np.ndarray:
    """Sky everywhere, but `least` in one place, seen at an eighth of the size."""
    planes = np.zeros((5, 30, 45), np.float32)
    planes[SKY] = 0.97
    planes[SKY, 12:16, 20:26] = least
    return planes


def test_a_picture_of_clouds_alone_is_sky_and_a_balloon_is_not():
    rng = np.random.default_rng(0)
    soft = cv2.GaussianBlur(rng.normal(0, 1, (240, 360, 1)), (0, 0), 12)[..., None]
    colour = np.clip(0.6 + 2.0 * soft + np.array([-0.1, 0, 0.1]), 0, 1).astype(np.float32)
    assert (sharpen(clouds(0.3), colour)[SKY] > 0.5).all()
    assert (sharpen(clouds(0.02), colour)[SKY] < 0.5).any()


def test_a_sky_that_is_nowhere_sure_is_left_as_it_is():
    picture = thin_picture(THINGS["masts"], cloudy=False)
    roof = np.where(picture.alpha > 0.5, 0.1, 0.7).astype(np.float32)
    roof[:10, :10] = 0.99
    assert np.array_equal(outlined(roof, picture.colour), roof)
