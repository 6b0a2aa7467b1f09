"""Camera paths as files, as other programs write them."""

import json
from collections.abc import Sequence
from pathlib import Path

from cine3d_core.scene import Camera


def write_camera_path(path: Path, cameras: Sequence[Camera]) -> None:
    """A file of cameras of one size, one for each frame."""
    frames = [
        {"K": camera.intrinsics.tolist(), "world_to_camera": camera.world_to_camera.tolist()}
        for camera in cameras
    ]
    size = {"width": cameras[0].width, "height": cameras[0].height}
    path.write_text(json.dumps({"version": 1, **size, "frames": frames}))
