import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cine3d_core.depth.lens import lens_of
from cine3d_core.errors import InputError
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.borders import Insets
from cine3d_core.scene import DepthMap
from cine3d_core.settings import BuildSettings
from tests.core.imaging.made_up_places import make_place

FLAT = DepthMap(torch.ones(1, 48, 64), torch.zeros(1, 48, 64))
PHOTO = Photo(torch.zeros(3, 48, 64), None, 70.0, sha256="", original_height=48, original_width=64)


def lens(photo: Photo = PHOTO, depth: DepthMap = FLAT, **chosen: float) -> tuple[float, str]:
    found = lens_of(photo, depth, "a network", BuildSettings(**chosen))  # type: ignore[arg-type]
    return found.focal_px or 0.0, found.said_by


def test_who_knows_best_is_asked_first() -> None:
    unknown = replace(PHOTO, focal_px=None)
    assert lens(fov=90) == (pytest.approx(32.0), "the person")
    assert lens(depth=replace(FLAT, focal_px=50.0)) == (70.0, "EXIF")
    assert lens(unknown, replace(FLAT, focal_px=50.0)) == (50.0, "a network")
    assert lens(unknown) == (0.0, "assumed")


def test_a_lens_of_35_mm_film_has_equal_diagonals() -> None:
    focal_px, _ = lens(focal_mm=50)
    assert focal_px == pytest.approx(50 / math.hypot(36, 24) * math.hypot(64, 48))


def test_a_border_that_was_cut_belongs_to_what_the_lens_saw() -> None:
    cut = replace(PHOTO, cut=Insets(top=0, bottom=0, left=16, right=16))
    assert lens(cut, fov=90)[0] == pytest.approx(48.0)


def test_vanishing_lines_say_the_lens_and_that_is_said() -> None:
    place = make_place(0)
    colour = torch.from_numpy(np.ascontiguousarray(place.colour.transpose(2, 0, 1)))
    found = lens_of(replace(PHOTO, rgb=colour, focal_px=None), FLAT, "", BuildSettings())
    assert found.said_by == "vanishing lines" and "--fov" in found.assumed[0]
    assert found.focal_px is not None
    angle = math.degrees(2 * math.atan(320 / found.focal_px))
    assert angle == pytest.approx(place.fov_deg, abs=4)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"fov": 50.0, "focal_mm": 35.0}, "give one of them"),
        ({"fov": 200.0}, "200 degrees was given; choose 2 to 160"),
        ({"focal_mm": 1.0}, "1 mm was given"),
    ],
)
def test_lenses_that_are_none_are_refused(chosen: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        lens(**chosen)
