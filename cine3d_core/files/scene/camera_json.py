"""One camera as JSON: `{"K": 3x3, "world_to_camera": 4x4, "width": W, "height": H}`, checked.

Needs numpy alone: the Blender add-on reads cameras without torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cine3d_core.errors import InputError

_MAX_SIDE_PX = 65_536
_RIGID_TOLERANCE = 1e-3  # of a rotation printed with few digits
_LARGEST = 1e9  # pixels and scene units; beyond it float32 has no room for a sum of squares


def checked_matrices(entry: object, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Float64 intrinsics [3, 3] and world_to_camera [4, 4] of one JSON camera.

    Raises:
        InputError: missing, not finite, not a pinhole camera, or not a rigid motion.
    """
    if not isinstance(entry, dict):
        raise InputError(f'{what} must be {{"K": 3x3 numbers, "world_to_camera": 4x4 numbers}}')
    intrinsics = _matrix(entry.get("K"), 3, f'"K" of {what}')
    pose = _matrix(entry.get("world_to_camera"), 4, f'"world_to_camera" of {what}')
    if intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0:
        raise InputError(f'"K" of {what} has a focal length that is not positive; give pixels')
    zeros = (intrinsics[0, 1], intrinsics[1, 0], intrinsics[2, 0], intrinsics[2, 1])
    if any(zeros) or intrinsics[2, 2] != 1:
        raise InputError(f'"K" of {what} must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]')
    _check_rigid(pose, what)
    return intrinsics, pose


def checked_size(entry: dict[str, Any], what: str) -> tuple[int, int]:
    """Height and width in pixels."""
    sides = entry.get("height"), entry.get("width")
    if not all(type(side) is int and 1 <= side <= _MAX_SIDE_PX for side in sides):
        raise InputError(
            f'{what} must state "width" and "height" as whole numbers from 1 to {_MAX_SIDE_PX}'
        )
    return sides  # type: ignore[return-value]


def _matrix(value: object, side: int, what: str) -> np.ndarray:
    try:
        matrix = np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (side, side) or not (np.abs(matrix) <= _LARGEST).all():  # nor NaN
        raise InputError(
            f"{what} must be {side} rows of {side} finite numbers, none beyond {_LARGEST:g}"
        )
    return matrix


def _check_rigid(pose: np.ndarray, what: str) -> None:
    rotation = pose[:3, :3]
    # the first test keeps the products of the second finite
    rigid = np.abs(rotation).max() < 2 and (
        np.abs(rotation @ rotation.T - np.eye(3)).max() <= _RIGID_TOLERANCE
        and np.linalg.det(rotation) > 0
    )
    if not rigid:
        raise InputError(
            f'"world_to_camera" of {what} is not a rotation and a translation; '
            "remove scaling, shear and mirroring"
        )
    if not np.array_equal(pose[3], (0, 0, 0, 1)):
        raise InputError(f'the last row of "world_to_camera" of {what} must be 0, 0, 0, 1')
