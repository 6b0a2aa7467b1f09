"""Frames, margins and rims are found around a picture, and nothing is where there is none."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.build import BuildSettings, read_inputs, read_working_photo
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.imaging.borders import Insets, border_of
from tests.river import texture

GREY, BLACK, PAPER = (0.39, 0.39, 0.39), (0.0, 0.0, 0.0), (0.85, 0.82, 0.74)


def landscape(height: int = 180, width: int = 280) -> torch.Tensor:
    """A smooth sky over textured ground: [3, H, W]."""
    ground = 0.15 + 0.6 * texture(height, width, seed=5)
    rows = torch.linspace(0, 1, height)[:, None]
    sky = torch.tensor([0.45, 0.6, 0.85])[:, None, None] + 0.12 * rows
    return torch.where(rows + 0.08 * texture(height, width, seed=6)[:1] < 0.45, sky, ground)


def framed(inner: torch.Tensor, colour: tuple[float, ...], widths: Insets) -> torch.Tensor:
    height, width = inner.shape[1:]
    picture = torch.tensor(colour)[:, None, None].repeat(
        1, height + widths.top + widths.bottom, width + widths.left + widths.right
    )
    generator = torch.Generator().manual_seed(1)
    picture += 0.01 * torch.randn(picture.shape, generator=generator)
    picture[:, widths.top : widths.top + height, widths.left : widths.left + width] = inner
    return picture.clamp(0, 1)


def assert_cut(found: Insets, wanted: Insets, slack: int = 3) -> None:
    for side in ("left", "top", "right", "bottom"):
        least = getattr(wanted, side)
        assert least <= getattr(found, side) <= least + slack, (side, found, wanted)


@pytest.mark.parametrize("colour", [GREY, BLACK, PAPER])
@pytest.mark.parametrize("widths", [Insets(5, 4, 4, 6), Insets(0, 20, 0, 20), Insets(12, 9, 12, 9)])
def test_a_frame_of_one_colour_is_found(colour: tuple[float, ...], widths: Insets) -> None:
    assert_cut(border_of(framed(landscape(), colour, widths)), widths)


def test_a_frame_of_two_colours_is_found() -> None:
    inner = framed(landscape(), GREY, Insets(4, 3, 4, 3))
    picture = framed(inner, BLACK, Insets(0, 0, 0, 2))
    assert_cut(border_of(picture), Insets(4, 3, 4, 5))


def test_torn_paper_is_cut_where_the_other_sides_show_how_wide_it_is() -> None:
    picture = framed(landscape(), PAPER, Insets(0, 4, 4, 4))
    paper = torch.tensor(PAPER)[:, None, None]
    slant = torch.arange(picture.shape[2])[None] < torch.linspace(4, 0.6, picture.shape[1])[:, None]
    picture = torch.where(slant, paper, picture)
    found = border_of(picture)
    assert 3 <= found.left <= 8 and found.top >= 4


def test_pictures_without_a_frame_keep_their_border() -> None:
    night = landscape() * 0.1
    horizon = torch.cat([torch.full((3, 20, 280), 0.8), landscape()], dim=1)
    for picture in (
        landscape(),
        night,
        horizon,
        torch.full((3, 90, 160), 0.5),
        texture(90, 160, 2),
    ):
        assert not border_of(picture)


def test_the_rim_of_a_disc_is_left_out() -> None:
    picture = 0.2 + 0.7 * texture(200, 300, seed=4)
    y, x = torch.meshgrid(torch.arange(200) - 99.5, torch.arange(300) - 149.5, indexing="ij")
    for radius in (99, 160):  # a whole disc; dark corners only
        found = border_of(picture * (torch.hypot(x, y) < radius))
        height, width = 200 - found.top - found.bottom, 300 - found.left - found.right
        assert np.hypot(height, width) / 2 <= radius
        assert height * width > 1.6 * radius**2 or radius == 160
    assert height * width > 0.6 * 200 * 300


def write(path: Path, picture: torch.Tensor) -> None:
    Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy()).save(path)


def test_what_is_drawn_stays_where_it_was_on_the_picture(tmp_path: Path) -> None:
    widths = Insets(6, 4, 6, 4)
    write(tmp_path / "photo.png", framed(landscape(), GREY, widths))
    start, square = [106, 104], [[50, 100], [90, 100], [90, 140], [50, 140]]
    drawn = {"hints": [{"start": start, "end": [116, 104]}], "mask": [square]}
    (tmp_path / "hints.json").write_text(json.dumps(drawn))
    settings = BuildSettings(hints=tmp_path / "hints.json")
    photo, drawing = read_inputs(tmp_path / "photo.png", settings)
    cut = photo.cut
    assert_cut(cut, widths)
    assert drawing.hints[0].start == (106 - cut.left, 104 - cut.top)
    assert drawing.mask is not None
    top, left = 100 - cut.top, 50 - cut.left
    assert drawing.mask[0, top : top + 40, left : left + 40].all() and drawing.mask.sum() == 1600
    whole = read_photo(tmp_path / "photo.png").rgb
    kept = BuildSettings(border="keep")
    assert torch.equal(read_working_photo(tmp_path / "photo.png", kept).rgb, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("brook-with-scan-frame", Insets(4, 3, 4, 3)), ("print-with-margin", Insets(4, 4, 4, 4))],
)
def test_cases(name: str, wanted: Insets) -> None:
    """With CINE3D_CASES the folder of the pictures."""
    folder = os.environ.get("CINE3D_CASES")
    if folder is None:
        pytest.skip("CINE3D_CASES names no folder")
    assert_cut(border_of(read_photo(Path(folder, f"{name}.jpg")).rgb), wanted, slack=4)
