import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.files.scene.camera_path import read_camera_path
from cine3d_core.scene import Camera
from tests.camera_files import write_camera_path

K = [[50.0, 0.0, 32.0], [0.0, 50.0, 24.0], [0.0, 0.0, 1.0]]
POSE = torch.eye(4).tolist()


def camera(angle: float) -> Camera:
    turn, a = torch.eye(4, dtype=torch.float64), torch.tensor(angle, dtype=torch.float64)
    turn[0, 0] = turn[2, 2] = a.cos()
    turn[0, 2], turn[2, 0] = a.sin(), -a.sin()
    turn[:3, 3] = torch.tensor([0.1, angle, 1 / 3])
    return Camera(torch.tensor(K, dtype=torch.float64), turn, 48, 64)


def test_a_written_path_comes_back_bit_for_bit(tmp_path: Path) -> None:
    cameras = [camera(0.1 * step) for step in range(5)]
    write_camera_path(tmp_path / "c.json", cameras)
    back = read_camera_path(tmp_path / "c.json")
    assert len(back) == 5
    for ours, theirs in zip(cameras, back, strict=True):
        assert (theirs.height, theirs.width) == (48, 64)
        assert torch.equal(ours.intrinsics, theirs.intrinsics)
        assert torch.equal(ours.world_to_camera, theirs.world_to_camera)


def stretched(row: int, column: int, value: object) -> dict[str, Any]:
    pose = [list(line) for line in POSE]
    pose[row][column] = value
    return {"K": K, "world_to_camera": pose}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 2}, "version"),
        ({"version": None}, "version"),
        ({"width": 0}, "whole numbers"),
        ({"width": 64.5}, "whole numbers"),
        ({"height": True}, "whole numbers"),
        ({"frames": []}, "entries"),
        ({"frames": {}}, "entries"),
        ({"frames": [3]}, "frame 0"),
        ({"frames": [{"K": K}]}, '"world_to_camera" of frame 0'),
        ({"frames": [{"K": K[:2], "world_to_camera": POSE}]}, '"K" of frame 0'),
        ({"frames": [{"K": [[-5, 0, 1], *K[1:]], "world_to_camera": POSE}]}, "focal length"),
        ({"frames": [{"K": [[5, 1, 1], *K[1:]], "world_to_camera": POSE}]}, "must be"),
        ({"frames": [stretched(0, 0, 2.0)]}, "not a rotation"),
        ({"frames": [stretched(0, 0, -1.0)]}, "not a rotation"),
        ({"frames": [stretched(3, 0, 1.0)]}, "last row"),
        ({"frames": [stretched(0, 3, "x")]}, "finite numbers"),
    ],
)
def test_bad_camera_paths_are_refused_with_a_sentence(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    frames = [{"K": K, "world_to_camera": POSE}]
    content = {"version": 1, "width": 64, "height": 48, "frames": frames, **change}
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        read_camera_path(tmp_path / "c.json")
