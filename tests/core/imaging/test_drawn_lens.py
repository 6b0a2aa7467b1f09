"""Lines that a made-up camera sees give its lens and its tilt back."""

import math

import numpy as np
import pytest

from cine3d_core.errors import InputError
from cine3d_core.imaging.drawn_lens import Array, DrawnLens, DrawnLines, Line, lens_of_lines

SIZE = (1200, 800)
FOCAL = 1000.0


Way = tuple[float, float, float]


def turned(pitch_deg: float, roll_deg: float, heading_deg: float) -> Array:  # [3, 3]
    """World (x right, y down, z ahead) to camera."""
    pitch, roll, heading = (math.radians(a) for a in (pitch_deg, roll_deg, heading_deg))
    about_y = [[math.cos(heading), 0, math.sin(heading)], [0, 1, 0],
               [-math.sin(heading), 0, math.cos(heading)]]  # fmt: skip
    about_x = [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)],
               [0, math.sin(pitch), math.cos(pitch)]]  # fmt: skip
    about_z = [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_x) @ np.array(about_y)


def picture(camera: Array, *ends: Array) -> Line:
    """Where the camera sees two places."""
    first, second = (camera @ end for end in ends)
    (x0, y0), (x1, y1) = (FOCAL * p[:2] / p[2] + np.array(SIZE) / 2 for p in (first, second))
    return float(x0), float(y0), float(x1), float(y1)


def seen(camera: Array, point: Way, way: Way) -> Line:
    """The picture of an edge from a point along a way."""
    return picture(camera, np.array(point), np.add(point, way))


AHEAD = [((-1.0, 1.0, 4.0), (0.0, 0.0, 3.0)), ((1.5, -0.5, 5.0), (0.0, 0.0, 2.0))]
ACROSS = [((-1.0, 1.0, 6.0), (2.0, 0.0, 0.0)), ((-1.0, -1.0, 6.0), (2.5, 0.0, 0.0))]
PLUMB = [((-1.5, -1.0, 5.0), (0.0, 2.0, 0.0)), ((1.5, -1.0, 5.0), (0.0, 2.0, 0.0))]


def drawn(camera: Array, edges: list[tuple[Way, Way]]) -> tuple[Line, ...]:
    return tuple(seen(camera, *edge) for edge in edges)


@pytest.mark.parametrize("tilt", [(8, 0, 35), (-6, 3, -40), (12, -5, 50)])
def test_two_pairs_of_level_edges_give_lens_and_tilt(tilt: Way):
    camera = turned(*tilt)
    lines = DrawnLines(level=drawn(camera, AHEAD) + drawn(camera, ACROSS))
    found = lens_of_lines(lines, SIZE, 500.0)
    assert found.focal_px == pytest.approx(FOCAL, rel=1e-6)
    assert is_down(found, camera)


@pytest.mark.parametrize("tilt", [(15, 2, 10), (-20, 0, -15)])
def test_a_receding_and_a_plumb_pair_give_the_lens(tilt: Way):
    camera = turned(*tilt)
    lines = DrawnLines(level=drawn(camera, AHEAD), upright=drawn(camera, PLUMB))
    found = lens_of_lines(lines, SIZE, 500.0)
    assert found.focal_px == pytest.approx(FOCAL, rel=1e-6)
    assert is_down(found, camera)


def horizon(camera: Array) -> Line:
    return picture(camera, *(np.array([math.sin(a), 0, math.cos(a)]) for a in (-0.3, 0.3)))


def is_down(found: DrawnLens, camera: Array) -> bool:
    return found.down is not None and np.allclose(found.down, camera @ [0, 1, 0], atol=1e-9)


def test_the_horizon_gives_the_tilt_and_with_plumb_edges_the_lens():
    camera = turned(10, 4, 0)
    alone = lens_of_lines(DrawnLines(horizon=horizon(camera)), SIZE, FOCAL)
    assert alone.focal_px is None
    assert is_down(alone, camera)
    both = DrawnLines(horizon=horizon(camera), upright=drawn(camera, PLUMB))
    assert lens_of_lines(both, SIZE, 500.0).focal_px == pytest.approx(FOCAL, rel=1e-6)


def test_two_receding_parallels_alone_give_the_tilt_of_a_camera_without_roll():
    camera = turned(7, 0, 0)
    found = lens_of_lines(DrawnLines(level=drawn(camera, AHEAD)), SIZE, FOCAL)
    assert found.focal_px is None
    assert is_down(found, camera)


def test_edges_that_are_parallel_in_the_picture_say_nothing_of_the_lens():
    camera = turned(0, 0, 0)
    lines = DrawnLines(level=drawn(camera, AHEAD) + drawn(camera, ACROSS))
    assert lens_of_lines(lines, SIZE, FOCAL).focal_px is None


def test_nothing_and_half_a_pair_say_nothing():
    camera = turned(7, 0, 20)
    for lines in (DrawnLines(), DrawnLines(level=drawn(camera, AHEAD)[:1])):
        found = lens_of_lines(lines, SIZE, FOCAL)
        assert found.focal_px is None and found.down is None


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (DrawnLines(horizon=(5.0, 5.0, 5.0, 5.0)), "no length"),
        (DrawnLines(horizon=(600.0, 0.0, 600.0, 800.0)), "on its side"),
        (DrawnLines(level=((0.0, 0.0, 9.0, 9.0), (3.0, 3.0, 6.0, 6.0))), "coincide"),
        (
            DrawnLines(level=((0.0, 0.0, 500.0, 380.0), (0.0, 800.0, 500.0, 420.0)) * 2),
            "no lens sees",
        ),
    ],
)
def test_lines_that_no_camera_sees_are_refused_in_a_sentence(lines: DrawnLines, wanted: str):
    with pytest.raises(InputError, match=wanted):
        lens_of_lines(lines, SIZE, FOCAL)
