"""Lines that reach the photo's border go on straight beyond it."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.layers.border import border_source, continued
from tests.river import texture


def rails(height: int, width: int, lean: float) -> torch.Tensor:
    """Two bright bars that lean apart downwards, on gravel: [3, H, W]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grey = 0.3 + 0.15 * texture(height, width, seed=2)[0]
    for side in (-1, 1):
        middle = width / 2 + side * (0.1 * width + lean * (y - height / 2))
        grey = torch.where((x - middle).abs() < 0.012 * width, torch.tensor(0.95), grey)
    return grey.expand(3, -1, -1)


def inside(picture: torch.Tensor, margin: int) -> torch.Tensor:
    return picture[:, margin:-margin, margin:-margin]


def bar_error(found: torch.Tensor, truth: torch.Tensor, margin: int) -> float:
    """How far the bars of the lowest rows are from where they should be, px."""
    places = []
    for picture in (found, truth):
        bright = picture[0, -margin // 2 :] > 0.8
        columns = torch.arange(bright.shape[1]).float()
        half = bright.shape[1] // 2
        sides = (
            (bright[:, :half].float(), columns[:half]),
            (bright[:, half:].float(), columns[half:]),
        )
        places.append([float((b * c).sum() / b.sum().clamp(min=1)) for b, c in sides])
    return float(np.abs(np.subtract(*places)).max())


@pytest.mark.parametrize("lean", [-0.15, 0.0, 0.4, 0.8])
def test_rails_go_on_straight(lean: float) -> None:
    margin, truth = 24, rails(240, 320, lean)
    photo = inside(truth, margin)
    found = continued(photo, border_source(photo, margin))
    assert found.shape == truth.shape and torch.equal(inside(found, margin), photo)
    mirror = continued(photo, border_source(torch.zeros_like(photo), margin))
    assert bar_error(found, truth, margin) < 0.3 * bar_error(mirror, truth, margin) + 1.5


def test_without_lines_the_margin_is_the_mirror_image() -> None:
    source = border_source(torch.zeros(3, 3, 4), 2)
    assert source[2:-2, 2:-2].tolist() == torch.arange(12).view(3, 4).tolist()
    assert source[1, 2:-2].tolist() == [0, 1, 2, 3] and source[0, 2:-2].tolist() == [4, 5, 6, 7]
    assert source[2, :2].tolist() == [1, 0] and source[0, 0] == 5
    wide = border_source(torch.zeros(3, 3, 4), 9)  # farther than the photo is high
    assert wide.shape == (21, 22) and int(wide.max()) == 11 and int(wide.min()) == 0


def test_without_a_margin_nothing_is_added() -> None:
    assert torch.equal(border_source(texture(5, 7, 1), 0), torch.arange(35).view(5, 7))


@pytest.mark.slow
def test_rails_to_the_edge() -> None:
    """With CINE3D_CASES the folder of the pictures."""
    folder = os.environ.get("CINE3D_CASES")
    if folder is None:
        pytest.skip("CINE3D_CASES names no folder")
    truth = read_photo(Path(folder, "rails-to-the-edge.jpg")).rgb
    margin = 66
    photo, below = inside(truth, margin), slice(-margin, None)
    errors = []
    for lines in (photo, torch.zeros_like(photo)):  # none in black: a plain mirror
        found = continued(photo, border_source(lines, margin))
        part = (found - truth)[:, below, 230:720]  # the rails and what lies between
        errors.append(float(part.square().mean()))
    assert errors[0] < 0.85 * errors[1]  # 0.81; the rest is gravel
