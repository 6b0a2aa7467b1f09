import torch

from cine3d_core.cameras import CAMERA_MOVES, move_camera
from cine3d_core.geometry import photo_camera


def translation(name: str, frame: int, num_frames: int) -> list[float]:
    camera = move_camera(photo_camera(36, 64), name, frame, num_frames)
    return camera.world_to_camera[:3, 3].tolist()


def test_still_never_moves():
    assert translation("still", 17, 60) == [0.0, 0.0, 0.0]


def test_straight_moves_reach_both_published_ends():
    assert translation("up-down", 0, 60) == [0.0, 0.08, 0.0]
    assert translation("up-down", 59, 60) == [0.0, -0.08, 0.0]
    assert translation("side", 0, 60) == [0.09, 0.0, 0.0]
    assert translation("zoom-in", 59, 60) == [0.0, 0.0, -0.24]


def test_the_circle_returns_to_its_start():
    torch.testing.assert_close(
        torch.tensor(translation("circle", 90, 90)), torch.tensor(translation("circle", 0, 90))
    )
    torch.testing.assert_close(
        torch.tensor(translation("circle", 0, 90)), torch.tensor([-0.04, 0.0, 0.09])
    )


def test_before_and_after_the_move_closed_moves_go_on_and_others_rest():
    for name in CAMERA_MOVES:
        early, late = (-1, 60) if name in ("up-down", "side", "zoom-in") else (-1, 119)
        first, last = (0, 59) if late == 60 else (59, 59)
        assert translation(name, early, 60) == translation(name, first, 60), name
        assert translation(name, late, 60) == translation(name, last, 60), name


def test_moves_are_smooth():
    for name in CAMERA_MOVES:
        path = torch.tensor([translation(name, frame, 60) for frame in range(60)])
        assert float((path[1:] - path[:-1]).norm(dim=1).max()) < 0.02, name
