import math

import pytest
import torch

from cine3d_core.cameras import framing_of, move_camera, uncovered_share
from cine3d_core.geometry import photo_camera, project, unproject
from cine3d_core.moves import (
    CAMERA_MOVES,
    CLOSED_MOVES,
    PUBLISHED,
    TRAVEL,
    Framing,
    move_named,
    move_phase,
    move_pose,
)
from tests.river import river_scene

OWN_MOVES = [name for name in CAMERA_MOVES if not name.startswith(PUBLISHED)]
SIZES = [(640, 360), (360, 640), (900, 300), (400, 400)]
LENSES_MM = (14, 50, 85, 400)


def translation(name: str, frame: int, num_frames: int) -> list[float]:
    camera = move_camera(photo_camera(36, 64), PUBLISHED + name, frame, num_frames)
    return camera.world_to_camera[:3, 3].tolist()


def seen_from(framing: Framing, move: str, phase: float, disparity: float, strength: float):
    """Where the photo's border pixels [4, 2] of a surface at a disparity are after a move, px."""
    width, height = framing.width, framing.height
    camera = photo_camera(height, width, framing.focal_px)
    pixels = torch.tensor([[0, 0], [width, 0], [0, height], [width, height]]).double()
    points = unproject(pixels, torch.full((4,), 1 / disparity).double(), camera)
    moved = move_camera(camera, move, round(phase * 1000), 1001, framing=framing, strength=strength)
    return project(points, moved)[0]


def test_straight_moves_reach_both_published_ends():
    assert translation("up-down", 0, 60) == [0.0, 0.08, 0.0]
    assert translation("up-down", 59, 60) == [0.0, -0.08, 0.0]
    assert translation("side", 0, 60) == [0.09, 0.0, 0.0]
    assert translation("zoom-in", 59, 60) == [0.0, 0.0, -0.24]


def test_the_published_circle_returns_to_its_start():
    first, last = (torch.tensor(translation("circle", frame, 90)) for frame in (0, 90))
    torch.testing.assert_close(first, last)
    torch.testing.assert_close(first, torch.tensor([-0.04, 0.0, 0.09]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OWN_MOVES)
def test_frame_0_of_every_move_is_the_photo_and_closed_moves_return_to_it(name: str):
    photo = photo_camera(36, 64)
    for frame in (0, 60) if name in CLOSED_MOVES else (0,):
        camera = move_camera(photo, name, frame, 60)
        torch.testing.assert_close(camera.world_to_camera, photo.world_to_camera, rtol=0, atol=1e-9)
        torch.testing.assert_close(camera.intrinsics, photo.intrinsics, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in OWN_MOVES if name != "still"])
def test_moves_begin_gently_and_never_leap(name: str):
    framing = Framing(640, 360, 640.0, near=1.0, far=0.1)
    paths = torch.stack(
        [
            torch.cat(
                [seen_from(framing, name, k / 60, disparity, 1.0) for disparity in (1.0, 0.1)]
            )
            for k in range(61)
        ]
    )
    steps = (paths[1:] - paths[:-1]).norm(dim=2).amax(dim=1)
    assert steps[0] < 0.25 * steps.max() and 0.1 < steps.max() < 8


@pytest.mark.parametrize("name", CAMERA_MOVES)
def test_before_and_after_the_move_closed_moves_go_on_and_others_rest(name: str):
    closed = name in CLOSED_MOVES or name == "published-circle"
    before, after = move_phase(name, -1, 60), move_phase(name, 60, 60)
    assert (before, after) == ((59 / 60, 0.0) if closed else (0.0, 1.0))


@pytest.mark.parametrize("name", OWN_MOVES)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_lens_does_not_change_the_clip(name: str, width: int, height: int):
    for disparity in (1.0, 0.4, 0.05):
        seen = [
            seen_from(Framing(width, height, mm / 36 * width, 1.0, 0.05), name, 0.7, disparity, 1.0)
            for mm in LENSES_MM
        ]
        for other in seen[1:]:
            torch.testing.assert_close(seen[0], other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in OWN_MOVES if name != "pull-back"])
@pytest.mark.parametrize(("near", "far"), [(1.0, 0.02), (0.8, 0.5), (1.0, 0.99)])
def test_nothing_beyond_the_photos_border_comes_into_view(name: str, near: float, far: float):
    framing = Framing(640, 360, 600.0, near, far)
    for strength in (1.0, -1.0, 2.5):
        for phase in (0.0, 0.1, 0.2, 1 / 3, 0.5, 0.62, 0.8, 0.95, 1.0):
            for disparity in (near, (near + far) / 2, far):
                corners = seen_from(framing, name, phase, disparity, strength)
                assert corners[0].max() < 1e-3, (strength, phase, disparity)
                assert (corners[3] - torch.tensor([640, 360])).min() > -1e-3


def test_drawing_back_shows_a_hundredth_beyond_the_border():
    framing = Framing(640, 360, 600.0)
    left = seen_from(framing, "pull-back", 1.0, 1.0, 1.0)[0, 0] / 640
    assert 0.005 < left < 0.012
    assert seen_from(framing, "pull-back", 1.0, 0.3, 1.0)[0, 0] < 0


def test_the_nearest_surface_travels_by_the_stated_share():
    framing = Framing(640, 360, 900.0, near=0.9, far=0.1)
    pose = move_pose("slide", 1.0, framing)
    shown = [900 * pose.translation[0] * disparity / 640 for disparity in (0.9, 0.1)]
    assert shown[1] - shown[0] == pytest.approx(TRAVEL)


def test_a_picture_that_would_tear_moves_less():
    calm, torn = torch.full((90, 160), 0.5), torch.full((90, 160), 0.1)
    torn[:, ::16] = 1.0
    assert uncovered_share(calm, 0.9) == 0.0
    one = torch.full((90, 160), 0.1)
    one[:, 80:] = 1.0
    assert uncovered_share(one, 0.9) == pytest.approx(TRAVEL)
    assert uncovered_share(torn, 0.9) > 0.3


def test_the_framing_of_a_scene_is_that_of_its_points():
    framing = framing_of(river_scene())
    assert framing.near == pytest.approx(1 / 1.5) and framing.far == pytest.approx(1 / 8)
    assert framing.reach == 1.0  # so small a picture tears nowhere by more than a pixel


def test_names_of_published_moves_mean_what_the_scene_was_built_for():
    assert move_named("circle", published=True) == "published-circle"
    assert move_named("circle", published=False) == "orbit"
    assert move_named("published-side", published=False) == "published-side"
    assert move_named("arc", published=True) == "arc" and move_named("arx", published=True) is None
    assert not math.isnan(move_pose("published-side", 0.5, Framing(64, 36, 64.0)).zoom)
