"""Lines that reach a hole go on in it, and nothing but the known has a say."""

import cv2
import numpy as np
import pytest

from cine3d_core.imaging.transport import continued_inwards, structure
from tests.reference import coherence_transport


def stripes(lean: float, size: tuple[int, int] = (80, 90)) -> np.ndarray:
    """Stripes that move by `lean` rows for one column: [H, W, 3]."""
    y, x = np.indices(size)
    grey = 0.5 + 0.4 * np.sin((y - lean * x) * 0.7 / np.hypot(1, lean))
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def right_of(column: int, size: tuple[int, int] = (80, 90)) -> np.ndarray:
    return np.indices(size)[1] >= column


@pytest.mark.parametrize("lean", [-1.0, -0.4, 0.0, 0.7])
def test_stripes_go_on_along_themselves(lean: float):
    truth, hole = stripes(lean), right_of(60)
    found = continued_inwards(truth, ~hole, hole, 12)[..., :3]
    near = (slice(25, 55), slice(60, 72))  # where the stripes come from within the picture
    error = np.abs(found - truth)[near].mean()
    straight = np.abs(truth[:, 59:60] - truth)[near].mean()  # each row's last known pixel
    assert error < 0.11  # grey misses them by 0.25
    assert lean == 0 or error < 0.4 * straight


def test_a_colour_comes_from_where_its_line_meets_the_border():
    truth, hole = stripes(0.7), right_of(60)
    origin = continued_inwards(truth, ~hole, hole, 12)[40, 70, 3:]
    assert 54 < origin[1] < 60
    assert abs(40 - 0.7 * (70 - origin[1]) - origin[0]) < 2


def test_what_is_not_known_has_no_say_and_what_is_known_stays():
    generator = np.random.default_rng(3)
    picture = generator.random((40, 50, 3), dtype=np.float32)
    known = right_of(20, (40, 50))
    hole = ~known & right_of(10, (40, 50))
    other = np.where(known[..., None], picture, 9).astype(np.float32)
    found = continued_inwards(picture, known, hole, 5)
    assert np.array_equal(found, continued_inwards(other, known, hole, 5))
    assert np.array_equal(found[known][:, :3], picture[known])
    low, high = picture[known].min(axis=0) - 1e-6, picture[known].max(axis=0) + 1e-6
    assert ((found[hole][:, :3] >= low) & (found[hole][:, :3] <= high)).all()
    assert not found[~known & ~hole][:, :3].any()


def test_a_gap_within_reach_is_crossed_and_a_wider_one_is_not():
    known, hole = ~right_of(30), right_of(36)
    near = continued_inwards(stripes(0.0), known, hole, 12)
    assert (near[hole][:, 3:] >= 0).all()
    far = continued_inwards(stripes(0.0), known, hole, 5)
    assert (far[hole][:, 3:] == -1).all() and not far[hole][:, :3].any()


def test_the_kernel_does_what_the_equation_says():
    generator = np.random.default_rng(5)
    picture = cv2.GaussianBlur(generator.random((24, 26, 3), dtype=np.float32), (0, 0), 1.5)
    known = generator.random((24, 26)) < 0.4
    known[8:16, 8:20] = False
    hole = ~known
    distance = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)
    slow = coherence_transport.continued_inwards(picture, known, hole, distance, 4)
    np.testing.assert_allclose(continued_inwards(picture, known, hole, 4), slow, atol=2e-4)


@pytest.mark.parametrize("lean", [0.0, 0.5, -2.0])
def test_the_structure_points_across_the_stripes(lean: float):
    tensor = structure(stripes(lean), np.ones((80, 90), bool))[40, 45]
    _, directions = np.linalg.eigh([[tensor[0], tensor[1]], [tensor[1], tensor[2]]])
    across = np.array([1, -lean]) / np.hypot(1, lean)  # rows, columns
    assert abs(directions[:, 1] @ across) > 0.99


@pytest.mark.usefixtures("two_threads")
def test_the_same_bits_with_two_threads():
    picture, hole = stripes(0.3), right_of(50)
    first, second = (continued_inwards(picture, ~hole, hole, 8) for _ in range(2))
    assert np.array_equal(first, second)
