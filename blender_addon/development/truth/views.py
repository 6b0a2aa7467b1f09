"""Poses of the true views, and which part of a view the still already shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cine3d_core.moves import published_translation

from .blender_scene import Geometry

STATIC, FLUID, DISOCCLUDED, OUTSIDE = 0, 1, 2, 255
TEST_MOVES = ("up-down", "zoom-in", "side", "circle")
TEST_FRAMES = (8, 23, 38, 53)
# Parallax over a baseline of 0.1 units, in pixels, below which two surfaces count as one.
_TOLERANCE_PX = 0.5
_BASELINE = 0.1


@dataclass(frozen=True)
class View:
    """One true frame: which trajectory it belongs to, when, and from where."""

    trajectory: str
    frame: int
    world_to_camera: np.ndarray  # [4, 4]


def pose_at(translation: tuple[float, float, float]) -> np.ndarray:
    """World to camera [4, 4] of a camera that keeps the source camera's axes."""
    pose = np.eye(4)
    pose[:3, 3] = translation
    return pose


def published_views(num_frames: int) -> list[View]:
    """The published moves, at frames spread over the loop."""
    return [
        View(name, frame, pose_at(published_translation(name, frame, num_frames)))
        for name in TEST_MOVES
        for frame in TEST_FRAMES
    ]


def random_views(rng: np.random.Generator, num_frames: int, *, poses: int = 4) -> list[View]:
    """Random poses up to 1.3 times as far as the published moves; each at 0 and a random frame."""
    views = []
    for number in range(poses):
        x, y = rng.uniform(-1.3, 1.3, 2) * (0.09, 0.08)
        z = rng.uniform(-1.3 * 0.24, 0.08)
        for frame in (0, int(rng.integers(1, num_frames))):
            views.append(View(f"random-{number}", frame, pose_at((x, y, z))))
    return views


def intrinsics(focal_px: float, width: int, height: int) -> np.ndarray:
    """Camera matrix [3, 3], pixel centres at +0.5."""
    return np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1.0]])


def points_of(depth: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Camera-space points [H, W, 3] of the pixel centres at their z-depth."""
    height, width = depth.shape
    y, x = np.mgrid[:height, :width] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(camera).T
    return rays * depth[..., None]


def flow_of(points: np.ndarray, velocity: np.ndarray, focal_px: float) -> np.ndarray:
    """Pixels per frame [2, H, W] of moving points [H, W, 3]: the derivative of their projection."""
    depth = points[..., 2]
    slide = velocity[..., :2] - points[..., :2] / depth[..., None] * velocity[..., 2:]
    return np.moveaxis(focal_px * slide / depth[..., None], -1, 0)


def regions_of(
    view: Geometry,
    world_to_camera: np.ndarray,
    still: Geometry,
    camera: np.ndarray,
    moving: np.ndarray,  # [number of surfaces] bool
) -> np.ndarray:
    """Label of every pixel of a view [H, W]: static, fluid, disoccluded or outside the still.

    A point is seen in the still if the same surface lies there, within half a pixel of parallax.
    """
    points = points_of(view.depth.astype(np.float64), camera) - world_to_camera[:3, 3]
    projected = points @ camera.T
    place = projected[..., :2] / np.maximum(projected[..., 2:], 1e-6)
    height, width = still.depth.shape
    inside = (points[..., 2] > 0) & (place >= 0).all(-1) & (place < (width, height)).all(-1)
    disparity, found = _disparity_at(still, place, view.surface)
    apart = np.abs(disparity - 1 / np.maximum(points[..., 2], 1e-6)) * camera[0, 0] * _BASELINE
    seen = found & (apart < _TOLERANCE_PX)
    labels = np.where(seen, np.where(moving[view.surface], FLUID, STATIC), DISOCCLUDED)
    return np.where(inside, labels, OUTSIDE).astype(np.uint8)


def _disparity_at(
    still: Geometry,
    place: np.ndarray,  # [H, W, 2] pixels
    surface: np.ndarray,  # [H, W] which surface to look for
) -> tuple[np.ndarray, np.ndarray]:
    """The surface's disparity in the still, bilinear among the pixels that show it; and whether."""
    height, width = still.depth.shape
    corner = np.floor(place - 0.5)
    total, weights = np.zeros(surface.shape), np.zeros(surface.shape)
    for right in (0, 1):
        for down in (0, 1):
            x, y = corner[..., 0] + right, corner[..., 1] + down
            weight = (1 - np.abs(place[..., 0] - 0.5 - x)) * (1 - np.abs(place[..., 1] - 0.5 - y))
            column = np.clip(x, 0, width - 1).astype(int)
            row = np.clip(y, 0, height - 1).astype(int)
            weight = np.maximum(weight, 1e-6) * (still.surface[row, column] == surface)
            total += weight / still.depth[row, column]
            weights += weight
    return total / np.maximum(weights, 1e-9), weights > 0
