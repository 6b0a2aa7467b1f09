"""Camera paths as JSON: intrinsics and pose of every frame."""

from __future__ import annotations

from pathlib import Path

import torch

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import read_json
from cine3d_core.files.scene.camera_json import checked_matrices, checked_size
from cine3d_core.scene import Camera

_VERSION = 1
_MAX_FRAMES = 100_000


def read_camera_path(path: str | Path) -> tuple[Camera, ...]:
    """The cameras of a file `{"version": 1, "width", "height", "frames": [{"K", ...}, ...]}`.

    Each frame holds `K` (3x3, pixels, principal point of a centred camera at W/2, H/2) and
    `world_to_camera` (4x4, rigid, OpenCV axes, scene units).

    Raises:
        InputError: not such a file, another version, no frames, or a camera that is none.
    """
    content = read_json(path, "camera path")
    if content.get("version") != _VERSION:
        raise InputError(
            f"the camera path {path} has version {content.get('version')!r}; "
            f"this Cine3D reads version {_VERSION}"
        )
    height, width = checked_size(content, f"the camera path {path}")
    frames = content.get("frames")
    if not isinstance(frames, list) or not 1 <= len(frames) <= _MAX_FRAMES:
        raise InputError(f'the camera path {path} needs 1 to {_MAX_FRAMES} entries in "frames"')
    cameras: list[Camera] = []
    for number, frame in enumerate(frames):
        intrinsics, pose = checked_matrices(frame, f"frame {number} in the camera path {path}")
        cameras.append(Camera(torch.from_numpy(intrinsics), torch.from_numpy(pose), height, width))
    return tuple(cameras)
