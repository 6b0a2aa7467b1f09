import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cine3d_core.depth.strokes import mend_depth
from cine3d_core.errors import InputError
from cine3d_core.files.drawing.depth_strokes import read_depth_strokes
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.borders import Insets
from cine3d_core.scene import DepthMap, DepthStroke, Stroke

HEIGHT, WIDTH = 60, 80


def scene() -> DepthMap:
    """A post at depth 4, its top torn away to 12, before a wall at 12."""
    depth = torch.full((1, HEIGHT, WIDTH), 12.0)
    depth[:, 20:50, 30:40] = 4.0
    return DepthMap(depth, torch.zeros(1, HEIGHT, WIDTH))


def stroke(mending: str, *points: tuple[float, float], width: float = 4, **more) -> DepthStroke:
    return DepthStroke(mending, Stroke(points, width), **more)


def test_a_stroke_mends_the_whole_thing_within_reach_and_nothing_else() -> None:
    mended = mend_depth(scene(), [stroke("nearer", (35, 30), amount=2, reach=60)]).depth[0]
    assert mended[20:50, 30:40] == pytest.approx(2.0)
    mended[20:50, 30:40] = 12
    assert mended == pytest.approx(12.0)
    painted = mend_depth(scene(), [stroke("farther", (35, 30), amount=2)]).depth[0]
    assert float(painted[30, 35]) == pytest.approx(8.0) and float(painted[45, 35]) == 4.0


def test_nothing_comes_nearer_than_the_nearest_depth() -> None:
    mended = mend_depth(scene(), [stroke("nearer", (35, 30), amount=20, reach=60)])
    assert float(mended.depth.min()) == pytest.approx(1.0)


def test_as_far_as_a_place_keeps_the_thing_s_own_shape() -> None:
    mended = mend_depth(scene(), [stroke("as-far-as", (5, 5), (70, 5), like=(35, 30))]).depth[0]
    assert float(mended[5, 40]) == pytest.approx(4.0) and float(mended[15, 40]) == 12.0


def test_what_stands_is_as_far_as_its_foot() -> None:
    torn = stroke("stand", (35, 8), (35, 44), width=10)
    mended = mend_depth(scene(), [torn]).depth[0]
    assert mended[10:44, 32:38] == pytest.approx(4.0)


def test_a_flattened_thing_is_a_plane() -> None:
    depth = scene()
    bumpy = depth.depth + torch.rand(depth.depth.shape, generator=torch.Generator().manual_seed(0))
    whole = stroke("flatten", (0, 55), (80, 55), width=9)
    disparity = 1 / mend_depth(replace(depth, depth=bumpy), [whole]).depth[0, 52:58].double()
    assert disparity.diff(n=2, dim=1).abs().max() < 1e-6


def test_what_was_taken_for_sky_is_none_any_more() -> None:
    depth = replace(scene(), sky=torch.ones(1, HEIGHT, WIDTH))
    mended = mend_depth(depth, [stroke("nearer", (5, 5))])
    assert float(mended.sky[0, 5, 5]) == 0 and float(mended.sky[0, 40, 70]) == 1
    assert mend_depth(depth, []) is depth


def test_a_file_is_read_in_pixels_of_the_original_without_what_was_cut(tmp_path: Path) -> None:
    photo = Photo(torch.zeros(3, HEIGHT, WIDTH), None, None, "", 120, 180, cut=Insets(left=10))
    path = tmp_path / "depth.json"
    entry = {"mend": "as-far-as", "points": [[60, 20]], "width": 8, "like": [80, 40], "reach": 20}
    path.write_text(json.dumps({"depth": [entry]}))
    (read,) = read_depth_strokes(path, photo)
    assert read == DepthStroke(
        "as-far-as", Stroke(((20.0, 10.0),), 4.0), like=(30.0, 20.0), reach=10.0
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"depth": [{"mend": "up", "points": [[1, 1]], "width": 3}]}, "one of nearer, farther"),
        ({"depth": [{"mend": "stand", "points": [], "width": 3}]}, "no points"),
        ({"depth": [{"mend": "as-far-as", "points": [[1, 1]], "width": 3}]}, 'lacks "like"'),
        ({"depth": [{"mend": "stand", "points": [[1, 1]]}]}, '"width"'),
        ({"depht": []}, '"depht", which is none of depth'),
        ({}, "must be a list"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(
    tmp_path: Path, content: dict[str, object], sentence: str
) -> None:
    photo = Photo(torch.zeros(3, HEIGHT, WIDTH), None, None, "", HEIGHT, WIDTH)
    path = tmp_path / "depth.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        read_depth_strokes(path, photo)


def test_strokes_that_are_not_on_the_photo_are_refused() -> None:
    with pytest.raises(InputError, match="depth stroke 1 lies outside"):
        mend_depth(scene(), [stroke("nearer", (500, 500))])
    with pytest.raises(InputError, match="as far as"):
        mend_depth(scene(), [stroke("as-far-as", (5, 5), like=(500, 5))])
