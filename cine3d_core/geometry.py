"""Pinhole geometry: pixels to points and back (paper, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from cine3d_core.scene import Camera

# A point this close to the camera plane, in scene units, is behind the lens for us: its projection
# explodes. The nearest surface of a photo lies at depth 1, so nothing useful is ever nearer.
NEAR_PLANE = 1e-3


def pixel_centres(height: int, width: int, *, like: Tensor) -> Tensor:
    """Centres of all pixels, row by row: [H*W, 2] (x, y), dtype and device of `like`."""
    ys = torch.arange(height, dtype=like.dtype, device=like.device) + 0.5
    xs = torch.arange(width, dtype=like.dtype, device=like.device) + 0.5
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def default_intrinsics(height: int, width: int, focal_px: float | None = None) -> Tensor:
    """Intrinsics of a centred lens: [3, 3] float64.

    Without a known focal length it is max(H, W), a 53 degree lens, as the published code assumes.
    """
    focal = float(max(height, width)) if focal_px is None else focal_px
    return torch.tensor(
        [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]], dtype=torch.float64
    )


def photo_camera(height: int, width: int, focal_px: float | None = None) -> Camera:
    """The camera that took the photo: at the origin, looking along +z."""
    pose = torch.eye(4, dtype=torch.float64)
    return Camera(default_intrinsics(height, width, focal_px), pose, height, width)


def padded_camera(camera: Camera, margin_px: int) -> Camera:
    """The same camera with `margin_px` more picture on every side."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[:2, 2] += margin_px
    height, width = camera.height + 2 * margin_px, camera.width + 2 * margin_px
    return Camera(intrinsics, camera.world_to_camera, height, width)


def unproject(
    pixels: Tensor,  # [N, 2] x, y
    depth: Tensor,  # [N] z-depth
    camera: Camera,
) -> Tensor:
    """World points seen at `pixels` at `depth`: [N, 3]."""
    inverse = _beside(torch.linalg.inv(camera.intrinsics), pixels)
    rays = pixels @ inverse[:2, :2].T + inverse[:2, 2]
    in_camera = torch.cat([rays, torch.ones_like(rays[:, :1])], dim=1) * depth[:, None]
    rotation, translation = _pose(camera, pixels)
    return (in_camera - translation) @ rotation


def project(
    points: Tensor,  # [N, 3] world
    camera: Camera,
) -> tuple[Tensor, Tensor]:
    """Pixels [N, 2] (x, y) and z-depth [N] of world points.

    Points at or behind `NEAR_PLANE` keep their true depth; their pixels are finite but meaningless.
    """
    rotation, translation = _pose(camera, points)
    in_camera = points @ rotation.T + translation
    depth = in_camera[:, 2]
    intrinsics = _beside(camera.intrinsics, points)
    projected = in_camera @ intrinsics[:2].T
    return projected / depth.clamp(min=NEAR_PLANE)[:, None], depth


def _pose(camera: Camera, like: Tensor) -> tuple[Tensor, Tensor]:
    pose = _beside(camera.world_to_camera, like)
    return pose[:3, :3], pose[:3, 3]


def _beside(numbers: Tensor, like: Tensor) -> Tensor:
    """A few numbers where `like` is. CUDA copies so few without waiting for its work."""
    return numbers.to(like, non_blocking=like.device.type == "cuda")
