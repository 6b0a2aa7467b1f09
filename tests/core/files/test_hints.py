import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.hints import read_directions, write_directions
from cine3d_core.motion.scribbles import paint_strokes
from cine3d_core.scene import Drawing, MotionHint, MotionRegion, Stroke

ORIGINAL = (200, 400)  # height, width
TRIANGLE = [[10, 10], [100, 10], [50, 90]]
ARROW = {"start": [20, 40], "end": [60, 40]}


def read(path: Path, content: object) -> Drawing:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text)
    return read_directions(path, height=100, width=200, original_size=ORIGINAL)


def picture_text(mask: np.ndarray) -> str:
    """A mask as labelme 5 keeps it."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


EMPTY = picture_text(np.zeros((4, 4), np.uint8))


def labelme(*shapes: dict[str, Any], **extra: object) -> dict[str, object]:
    return {"version": "5.4", "flags": {}, "shapes": list(shapes), "imageData": None, **extra}


def shape(label: str, points: object, kind: str = "polygon") -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind}


def test_our_format_is_scaled_to_the_working_size(tmp_path: Path) -> None:
    directions = read(tmp_path / "h.json", {"hints": [ARROW], "mask": [TRIANGLE]})
    assert directions.hints == (MotionHint((10, 20), (30, 20)),)
    assert directions.polygons == (((5, 5), (50, 5), (25, 45)),)


def test_hints_without_a_mask_and_a_mask_without_hints_are_fine(tmp_path: Path) -> None:
    assert not read(tmp_path / "h.json", {"hints": [ARROW]}).polygons
    assert not read(tmp_path / "h.json", {"mask": [TRIANGLE]}).hints


def test_labelme_is_taken_as_it_is(tmp_path: Path) -> None:
    content = labelme(
        shape("motion", TRIANGLE),
        shape("hint0", [[20, 40], [60, 40]], "line"),
        shape("anything", [[0, 0], [40, 20]], "rectangle"),
        imageHeight=200,
        imageWidth=400,
    )
    directions = read(tmp_path / "h.json", content)
    assert directions.hints == (MotionHint((10, 20), (30, 20)),)
    assert directions.polygons[0] == ((5, 5), (50, 5), (25, 45))
    assert directions.polygons[1] == ((0, 0), (20, 0), (20, 10), (0, 10))


def test_labelme_outlines_need_no_arrow_and_may_rest_or_be_ignored(tmp_path: Path) -> None:
    content = labelme(
        shape("water", TRIANGLE),
        shape("Rest", [[2, 2], [12, 2], [12, 8], [2, 8]]),
        shape("ignore", TRIANGLE),
        shape("water", [[3, 3]], "point"),
        shape("rest of it", [[3, 3], [6, 6]], "linestrip"),
    )
    drawing = read(tmp_path / "h.json", content)
    assert len(drawing.polygons) == 1 and drawing.hints == ()
    assert len(drawing.moves) == len(drawing.rests) == 1
    covered = paint_strokes(drawing.freeze, 10, 20)  # at half the size that was drawn on
    assert covered[2:3, 2:5].all() and not covered[:, 8:].any() and not covered[6:].any()


def test_masks_of_labelme_5_become_outlines(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[1:5, 2:7] = 255
    content = labelme(shape("water", [[5, 2], [12, 7]], "mask") | {"mask": picture_text(mask)})
    ((*outline,),) = read(tmp_path / "h.json", content).polygons
    xs, ys = zip(*outline, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (3.75, 5.75, 1.75, 3.25)  # at half size


def test_labelme_drawn_on_a_resized_photo_is_scaled_by_its_own_size(tmp_path: Path) -> None:
    hint = shape("Hint 1", [[2, 4], [6, 4]], "line")
    directions = read(tmp_path / "h.json", labelme(hint, imageHeight=20, imageWidth=40))
    assert directions.hints == (MotionHint((10, 20), (30, 20)),)


def test_labelme_circles_become_outlines(tmp_path: Path) -> None:
    content = labelme(
        shape("hint", [[20, 40], [60, 40]], "line"),
        shape("pool", [[100, 100], [150, 100]], "circle"),
    )
    (outline,) = read(tmp_path / "h.json", content).polygons
    assert all(abs(abs(complex(x - 50, y - 50)) - 25) < 1e-6 for x, y in outline)


points = st.tuples(st.floats(0, 200), st.floats(0, 100))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(points, points), max_size=4))
def test_written_directions_come_back(
    tmp_path: Path, arrows: list[tuple[tuple[float, float], tuple[float, float]]]
) -> None:
    hints = tuple(MotionHint(a, b) for a, b in arrows if abs(complex(*a) - complex(*b)) > 0.1)
    directions = Drawing(hints, (((0.0, 0.0), (200.0, 0.0), (70.0, 33.3)),))
    path = tmp_path / "h.json"
    write_directions(path, directions, height=100, width=200, original_size=ORIGINAL)
    back = read_directions(path, height=100, width=200, original_size=ORIGINAL)
    assert back == directions  # doubled and halved: the same numbers


def test_arrows_that_begin_a_rounding_error_outside_are_moved_in_as_a_whole(
    tmp_path: Path,
) -> None:
    arrow = {"start": [-0.5, 200.8], "end": [9.5, 190.8]}
    (hint,) = read(tmp_path / "h.json", {"hints": [arrow]}).hints
    assert hint.start == (0.0, 100.0)
    assert hint.end == pytest.approx((5.0, 95.0))


REGION = {
    "mask": [TRIANGLE],
    "hints": [ARROW],
    "mode": "sway",
    "speed": 2,
    "cycles": 3,
    "amplitude": 4,
    "wavelength": 100,
}


def test_regions_and_strokes_are_scaled_to_the_working_size(tmp_path: Path) -> None:
    stroke = {"points": [[10, 20], [30, 40]], "width": 8}
    content = {
        "regions": [REGION, {"mask": "sky", "perspective": False}],
        "freeze": [stroke],
        "strokes": [{"label": "moves", **stroke}, {"label": "rests", **stroke}],
    }
    directions = read(tmp_path / "h.json", content)
    first, second = directions.regions
    assert first.polygons == (((5, 5), (50, 5), (25, 45)),)
    assert first.hints == (MotionHint((10, 20), (30, 20)),)
    assert (first.mode, first.speed, first.cycles) == ("sway", 2, 3)
    assert (first.amplitude, first.wavelength) == (2, 50)
    assert (second.fluid, second.perspective) == ("sky", False)
    painted = Stroke(((5, 10), (15, 20)), 4)
    assert directions.freeze == directions.moves == directions.rests == (painted,)


def test_a_regions_mask_may_be_a_picture_beside_the_file(tmp_path: Path) -> None:
    white = np.zeros((200, 400), np.uint8)
    white[:, 200:] = 255
    Image.fromarray(white).save(tmp_path / "trees.png")
    (region,) = read(tmp_path / "h.json", {"regions": [{"mask": {"picture": "trees.png"}}]}).regions
    assert region.picture is not None and region.picture.shape == (1, 100, 200)
    assert bool(region.picture[0, :, 101:].all()) and not region.picture[0, :, :99].any()


def test_written_regions_and_strokes_come_back(tmp_path: Path) -> None:
    stroke = Stroke(((5.0, 10.0), (15.0, 20.0)), 4.0)
    region = MotionRegion(
        (((5.0, 5.0), (50.0, 5.0), (25.0, 45.0)),), mode="sway", cycles=2, amplitude=2.0
    )
    water = MotionRegion(fluid="water", speed=0.5, perspective=True, name="Canal")
    tower = MotionRegion((((5.0, 5.0), (9.0, 5.0), (7.0, 45.0)),), rests=True)
    directions = Drawing(
        regions=(region, water, tower), freeze=(stroke,), moves=(stroke,), rests=(stroke,)
    )
    path = tmp_path / "h.json"
    write_directions(path, directions, height=100, width=200, original_size=ORIGINAL)
    back = read_directions(path, height=100, width=200, original_size=ORIGINAL)
    assert back == directions


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"hints": [ARROW], "other": 1}, '"other", which is none of hints, mask'),
        ({"hints": [{**ARROW, "speed": 2}]}, '"speed", which is none of start, end'),
        ({"regions": [{**REGION, "color": 1}]}, 'region 1 .* holds "color"'),
        ({"regions": [3]}, "not an object"),
        ({"regions": [{"mode": "fly"}]}, '"flow" or "sway"'),
        ({"regions": [{"amplitude": 3}]}, 'has no effect in the mode "flow"'),
        ({"regions": [{"mode": "sway", "perspective": True}]}, 'the mode "sway"'),
        ({"regions": [{"speed": 0}]}, "from 0.01 to 100"),
        ({"regions": [{"speed": True}]}, "give a number"),
        ({"regions": [{"cycles": 1.5}]}, 'whole number as "cycles"'),
        ({"regions": [{"perspective": "far"}]}, "true or false"),
        ({"regions": [{"rests": "yes"}]}, "true or false"),
        ({"regions": [{"name": 3}]}, "give at most 63 letters"),
        ({"regions": [{"mask": "grass"}]}, "sky, water, falls, smoke, fire"),
        ({"regions": [{"mask": {"picture": "none.png"}}]}, "does not exist"),
        ({"regions": [{"mask": {"file": "a.png"}}]}, '"file", which is none of picture'),
        ({"regions": [{"hints": [{"start": [1, 2], "end": [500, 2]}]}]}, "arrow 1 of region 1"),
        ({"regions": [{}, {"mask": [[[1, 1], [2, 2]]]}]}, "polygon 1 of region 2"),
        ({"freeze": [{"points": [[1, 1]]}]}, '"width" of freeze stroke 1'),
        ({"freeze": [{"points": [], "width": 3}]}, "no points"),
        ({"strokes": [{"points": [[1, 1]], "width": 3}]}, '"moves" or "rests"'),
        ({"strokes": [{"label": "moves", "points": [[1, 1]], "width": -3}]}, "from 0.5"),
    ],
)
def test_bad_regions_and_strokes_are_refused_with_a_sentence(
    tmp_path: Path, content: object, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / "h.json", content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "holds no JSON object"),
        ('{"hints": [{"start": [NaN, 0], "end": [1, 1]}]}', "NaN"),
        ('{"hints": [{"start": [1e999, 0], "end": [1, 1]}]}', "point"),
        ({}, "neither"),
        ({"hints": 3}, "must be a list"),
        ({"hints": [3]}, '"start"'),
        ({"hints": [{"start": [1, 2]}]}, '"start"'),
        ({"hints": [{"start": [1, 2], "end": [1, "2"]}]}, "point"),
        ({"hints": [{"start": [1, 2], "end": [1, 2, 3]}]}, "point"),
        ({"hints": [{"start": [1, True], "end": [1, 2]}]}, "point"),
        ({"hints": [{"start": [1, 2], "end": [500, 2]}]}, "outside the 400x200 picture"),
        ({"hints": [{"start": [-9, 2], "end": [5, 2]}]}, "outside the 400x200 picture"),
        ({"hints": [{"start": [5, 2], "end": [5, 2]}]}, "no length"),
        ({"hints": [ARROW] * 2000}, "over 1000"),
        ({"mask": [[[1, 1], [2, 2]]]}, "at least 3"),
        ({"mask": [[[-5, 1], [-2, 2], [-3, 9]]]}, "lies outside"),
        ({"mask": [[[1, 1], [2, 2], [1e6, 9]]]}, "px outside the picture"),
        ({"mask": [7]}, "list of points"),
        ({"mask": [[[1, 1], [9, 9], [5, 5]]]}, "encloses nothing"),
        ({"mask": [[[7, 7], [7, 7], [7, 7]]]}, "encloses nothing"),
    ],
)
def test_bad_hints_are_refused_with_a_sentence(
    tmp_path: Path, content: object, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / "h.json", content)


HINT = shape("hint0", [[20, 40], [60, 40]], "line")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (labelme(), "no moving or static area"),
        (labelme(shape("ignore me", TRIANGLE)), "no moving or static area"),
        (labelme(shape("water", [[1, 1], [5, 5]], "mask")), "mask that is no picture"),
        (labelme(shape("water", [[1, 1]], "mask") | {"mask": "%%%"}), "mask that is no picture"),
        (labelme(shape("water", [[1, 1]], "mask") | {"mask": "AAAA"}), "mask that is no picture"),
        (labelme(shape("water", [[1, 1]], "mask") | {"mask": 7}), "mask that is no picture"),
        (labelme(shape("water", [[1, 1]], "mask") | {"mask": EMPTY}), "empty mask"),
        (labelme(shape("hint0", TRIANGLE)), "an arrow has two"),
        (labelme(HINT, shape("river", [[1, 1], [2, 2]], "oriented")), "is a oriented"),
        (labelme(HINT, "oops"), "not an object"),  # type: ignore[arg-type]
        (labelme(HINT, {"label": "x"}), "list of points"),
        (labelme(HINT, imageHeight=200, imageWidth=200), "picture of 200x200"),
        (labelme(HINT, imageHeight="a", imageWidth=200), "states a picture"),
        (labelme(HINT, imageHeight=0, imageWidth=0), "states a picture"),
        (labelme(HINT, imageHeight=10, imageWidth=20), "outside the 20x10 picture"),
    ],
)
def test_bad_labelme_files_are_refused_with_a_sentence(
    tmp_path: Path, content: object, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / "h.json", content)


def test_no_such_hints_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_directions(tmp_path / "none.json", height=10, width=10, original_size=(10, 10))
