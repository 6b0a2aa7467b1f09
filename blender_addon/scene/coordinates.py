"""From the core's axes to Blender's and back; the only place that knows both.

The core's world is OpenCV's: x right, y down, z forward, the photo's camera at the origin looking
along +z. In Blender the same scene stands upright: x right, y forward, z up. The photo's camera
looks along +Y. One scene unit is one Blender unit.

    (x, y, z) of the core  ->  (x, z, -y) of Blender

A Blender camera looks along its own -Z with +Y up; the core's camera along +z with +y down.
"""

from __future__ import annotations

import numpy as np

CORE_TO_BLENDER = np.array(
    [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=np.float64
)
# The two kinds of camera axes, either way: the matrix is its own inverse.
_CAMERA_AXES = np.diag([1.0, -1.0, -1.0, 1.0])

_MAX_SHEAR = 1e-4


def points_to_blender(points: np.ndarray) -> np.ndarray:  # [..., 3] -> [..., 3] float32
    """Points or displacements of the core in Blender's axes."""
    out = np.empty(points.shape, np.float32)
    out[..., 0], out[..., 1] = points[..., 0], points[..., 2]
    np.negative(points[..., 1], out=out[..., 2])
    return out


def camera_matrix_world(world_to_camera: np.ndarray) -> np.ndarray:  # [4, 4] -> [4, 4]
    """`matrix_world` of the Blender camera that sees what the core's camera sees."""
    return CORE_TO_BLENDER @ np.linalg.inv(world_to_camera) @ _CAMERA_AXES


def world_to_camera(
    matrix_world: np.ndarray,  # [4, 4] of the Blender camera
    root_matrix: np.ndarray,  # [4, 4] `matrix_world` of the photo's root object
) -> tuple[np.ndarray, float]:
    """Rigid pose of a Blender camera for the core, and the scale that is taken out of it.

    The photo's root may be moved, turned and scaled evenly; the core sees the camera relative to
    it. Depths of the core times the scale are depths in Blender units.

    Raises:
        ValueError: the root is scaled unevenly, sheared or mirrored.
    """
    linear = root_matrix[:3, :3]
    scale = float(np.cbrt(np.linalg.det(linear)))
    if scale <= 0 or not np.allclose(linear.T @ linear, scale**2 * np.eye(3), atol=_MAX_SHEAR):
        raise ValueError(
            "the photo's object is scaled unevenly or mirrored; apply one scale to all three axes"
        )
    root = root_matrix.copy()
    root[:3, :3] /= scale
    pose = np.linalg.inv(root) @ _rigid(matrix_world)
    pose[:3, 3] /= scale
    return _CAMERA_AXES @ np.linalg.inv(pose) @ CORE_TO_BLENDER, scale


def _rigid(matrix: np.ndarray) -> np.ndarray:
    """A camera's own scale means nothing to Blender, so its axes are made unit length."""
    out = matrix.astype(np.float64).copy()
    out[:3, :3] /= np.linalg.norm(out[:3, :3], axis=0)
    return out


def intrinsics(projection: np.ndarray, width: int, height: int) -> np.ndarray:  # [3, 3] px
    """Pinhole intrinsics of an OpenGL projection matrix [4, 4], pixel centres at +0.5.

    Raises:
        ValueError: the projection is not a perspective one.
    """
    if abs(projection[3, 2] + 1.0) > 1e-6:
        raise ValueError("the camera is not a perspective camera; set its type to Perspective")
    return np.array(
        [
            [projection[0, 0] * width / 2, 0.0, (1 - projection[0, 2]) * width / 2],
            [0.0, projection[1, 1] * height / 2, (1 + projection[1, 2]) * height / 2],
            [0.0, 0.0, 1.0],
        ]
    )


def lens_of_intrinsics(
    matrix: np.ndarray,  # [3, 3]
    width: int,
    height: int,
    sensor_mm: float = 36.0,
) -> tuple[float, float, float]:
    """Lens in mm and shift x, y of a camera whose sensor fit is AUTO and pixels are square.

    The sensor then lies along the longer side, and shifts are shares of that side.
    """
    longer = max(width, height)
    lens = matrix[0, 0] * sensor_mm / longer
    shift_x = (width / 2 - matrix[0, 2]) / longer
    shift_y = (matrix[1, 2] - height / 2) / longer
    return float(lens), float(shift_x), float(shift_y)
