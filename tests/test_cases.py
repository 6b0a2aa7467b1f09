"""Photographs that once went wrong, by numbers: what flows, which way, and what rests.

The pictures are not part of the repository: `CINE3D_CASES` names the folder that holds them.
Boxes are shares of width and height, left, right, top, bottom.
"""

import os
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from cine3d_core.build import DirectedPhoto, direct_photo, read_inputs
from cine3d_core.files.models.networks import Networks
from cine3d_core.settings import BuildSettings

FOLDER = Path(os.environ.get("CINE3D_CASES", "/nowhere"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="CINE3D_CASES names no folder of pictures"),
]

Box = tuple[float, float, float, float]


@lru_cache(maxsize=1)
def directed(name: str) -> DirectedPhoto:
    settings = BuildSettings(size=960)
    photo, drawing = read_inputs(FOLDER / name, settings)
    return direct_photo(photo, drawing, settings, Networks())


def part(plane: torch.Tensor, box: Box) -> torch.Tensor:
    height, width = plane.shape[-2:]
    left, right, top, bottom = box
    rows = slice(round(top * height), round(bottom * height))
    return plane[..., rows, round(left * width) : round(right * width)]


def alive(name: str, box: Box) -> float:
    """Share of a box that flows or swings."""
    motion = directed(name).motion
    return part(motion.moving | motion.swinging, box).float().mean().item()


def downwards(name: str, box: Box) -> float:
    """Share of what flows in a box that goes down rather than up."""
    motion = directed(name).motion
    flows = part(motion.moving, box)[0]
    down = part(motion.velocity, box)[1] > 0
    return (down & flows).sum().item() / max(1, int(flows.sum()))


def left_still(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(reason=reason, strict=True)


@pytest.mark.parametrize(
    "box",
    [
        (0.71, 0.76, 0.5, 0.8),
        pytest.param((0.77, 0.8, 0.2, 0.33), marks=left_still("the upper third is left still")),
    ],
)
def test_the_fall_falls(box: Box):
    assert alive("fall-seljaland.jpg", box) > 0.6
    assert downwards("fall-seljaland.jpg", box) > 0.95


def test_the_meadow_beside_the_fall_rests():
    assert alive("fall-seljaland.jpg", (0.4, 0.55, 0.42, 0.65)) < 0.02


@left_still("the brook is offered, not moved")
def test_the_brook_runs_towards_the_viewer():
    bed = (0.35, 0.6, 0.7, 0.9)
    assert alive("brook-with-scan-frame.jpg", bed) > 0.5
    assert downwards("brook-with-scan-frame.jpg", bed) > 0.9


def test_the_bushes_beside_the_brook_rest():
    assert alive("brook-with-scan-frame.jpg", (0.1, 0.9, 0.25, 0.48)) < 0.02


def test_masts_rest_before_a_sky_that_drifts():
    name = "masts-before-sky.jpg"
    assert alive(name, (0.354, 0.36, 0.15, 0.35)) < 0.2
    assert alive(name, (0.7, 0.98, 0.05, 0.3)) > 0.9


@left_still("water shimmers over the edge of the hull")
def test_the_hull_rests():
    assert alive("masts-before-sky.jpg", (0.32, 0.56, 0.51, 0.57)) < 0.02


def test_girders_rest():
    photo = directed("iron-bridge.jpg")
    dark = photo.photo.rgb.mean(0, keepdim=True) < 0.2
    moving = photo.motion.moving | photo.motion.swinging
    assert (moving & dark).float().sum() < 0.02 * dark.sum()
    assert alive("iron-bridge.jpg", (0.1, 0.9, 0.75, 1.0)) < 0.02


def test_planks_rest_under_a_sky_that_drifts_as_one():
    name = "reed-boardwalk.jpg"
    assert alive(name, (0.0, 1.0, 0.55, 1.0)) < 0.01
    assert alive(name, (0.0, 1.0, 0.0, 0.35)) > 0.95
    sky = part(directed(name).motion.velocity, (0.0, 1.0, 0.0, 0.35))
    assert (sky[0] > 0).all() or (sky[0] < 0).all()


def test_the_surf_moves():
    assert alive("surf-on-stones.jpg", (0.05, 0.6, 0.8, 0.98)) > 0.5


@left_still("foam is found on a stone's edge")
def test_the_stones_in_the_surf_rest():
    assert alive("surf-on-stones.jpg", (0.38, 0.55, 0.48, 0.56)) < 0.1


def test_nothing_moves_in_a_room():
    assert alive("ball-room-columns.jpg", (0.0, 1.0, 0.0, 1.0)) < 0.005


def test_the_animal_in_the_fog_rests():
    assert alive("antelope-in-fog.jpg", (0.42, 0.56, 0.52, 0.6)) < 0.02
