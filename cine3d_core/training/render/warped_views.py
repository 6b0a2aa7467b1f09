"""Warped views of a photograph: what a camera elsewhere, or at another time, would have seen.

A training pair of the renderer asks for a photograph back (warp away and restore). A camera move
takes the photograph to another view; a smooth flow takes that view to an earlier and a later time.
Splatting these views back must give the photograph. Colours are sampled at twice the
resolution and averaged down, so that a view is as sharp as a photograph: from a blurred one
the network would learn to sharpen too much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.geometry import default_intrinsics, pixel_centres, unproject
from cine3d_core.motion.euler import integrate
from cine3d_core.render.fragments import SplatParams
from cine3d_core.render.place import place_points, surface_neighbours
from cine3d_core.render.splat import rasterize
from cine3d_core.scene import Camera, MotionField

Picture = NDArray[np.uint8]  # [H, W, 3] RGB
Move = tuple[float, float, float]  # scene units, added to points in camera space

SURROUNDINGS = 0.12  # of the photo's long side: how far beyond a window its views may look
JUMP = 0.03  # relative step of disparity between neighbours across which nothing flows
NOT_TOUCHED = 0.3  # a point that covers less of a pixel does not hide what lies behind


class Window(NamedTuple):
    """A part of the photograph, in its pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Photograph:
    """A photograph with its depth, and itself at twice the resolution."""

    fine: Picture  # [2H, 2W, 3]
    depth: Tensor  # [1, H, W]


@dataclass(frozen=True)
class View:
    """A window of the photograph as another camera would have seen it."""

    fine: Picture  # [2h, 2w, 3]
    depth: Tensor  # [1, h, w]


@dataclass(frozen=True)
class Blobs:
    """Sizes of a random flow."""

    scale: float = 0.25  # of the window: how large what moves is
    share: float = 0.5  # of the window that moves, roughly
    fade_px: float = 8.0  # across which flow sets in


def window_camera(size: tuple[int, int], window: Window) -> Camera:
    """The photo's own camera (height, width) with its picture cut to a window."""
    intrinsics = default_intrinsics(*size)
    intrinsics[0, 2] -= window.left
    intrinsics[1, 2] -= window.top
    return Camera(intrinsics, torch.eye(4, dtype=torch.float64), window.height, window.width)


def moved(camera: Camera, move: Move) -> Camera:
    """The camera with a translation of the points before it."""
    pose = camera.world_to_camera.clone()
    pose[:3, 3] += pose.new_tensor(move)
    return replace(camera, world_to_camera=pose)


def view_from(photo: Photograph, window: Window, move: Move) -> View:
    """The window as a camera sees it from which `move` leads back to the photograph's camera."""
    size = photo.depth.shape[1:]
    camera = window_camera((size[0], size[1]), window)
    depth = _nearest_depth(photo, window, moved(camera, (-move[0], -move[1], -move[2])))
    fine_depth = depth.repeat_interleave(2, 1).repeat_interleave(2, 2)
    fine_size = (2 * size[0], 2 * size[1])
    fine_window = Window(*(2 * side for side in window))
    here = window_camera(fine_size, fine_window)
    centres = pixel_centres(here.height, here.width, like=fine_depth)
    points = unproject(centres, fine_depth.reshape(-1), here) + fine_depth.new_tensor(move)
    intrinsics = default_intrinsics(*fine_size).to(points)
    pixels = (points @ intrinsics[:2].T) / points[:, 2:].clamp(min=1e-3)
    return View(_sampled(photo.fine, pixels.view(here.height, here.width, 2)), depth)


def _nearest_depth(photo: Photograph, window: Window, camera: Camera) -> Tensor:  # [1, h, w]
    """Depth of the window as `camera` sees it; what nothing covers is as far as beside it."""
    height, width = photo.depth.shape[1:]
    reach = round(SURROUNDINGS * max(height, width))
    top, left = max(0, window.top - reach), max(0, window.left - reach)
    bottom = min(height, window.top + window.height + reach)
    right = min(width, window.left + window.width + reach)
    depth = photo.depth[0, top:bottom, left:right]
    centres = pixel_centres(*depth.shape, like=depth)
    part = Window(top, left, bottom - top, right - left)
    positions = unproject(centres, depth.reshape(-1), window_camera((height, width), part))
    count = torch.arange(len(positions))
    neighbours = surface_neighbours(torch.zeros_like(count), count, *depth.shape)
    params = SplatParams()
    points = place_points(positions, neighbours, camera, zoom=1.0, params=params)
    drawn = rasterize(points, camera.height, camera.width, params=params)
    touching = torch.where(drawn.weight > NOT_TOUCHED, drawn.depth, torch.inf)
    filled = _farthest_filled(touching.amin(dim=-1).numpy())
    return torch.from_numpy(cv2.medianBlur(filled, 5))[None]  # without lone pixels in cracks


def _farthest_filled(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Infinite pixels take the farthest depth beside them, ring by ring: [h, w]."""
    depth = depth.copy()
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(sum(depth.shape)):
        holes = np.isinf(depth)
        if not holes.any():
            return depth
        beside = cv2.dilate(np.where(holes, 0, depth).astype(np.float32), kernel)
        depth[holes & (beside > 0)] = beside[holes & (beside > 0)]
    return np.where(np.isinf(depth), np.float32(10), depth)  # nothing at all was seen


def _sampled(picture: Picture, pixels: Tensor) -> Picture:
    """A picture at positions [h, w, 2] (x, y)."""
    indices = (pixels - 0.5).float().numpy()
    x, y = indices[..., 0], indices[..., 1]
    found = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(found, np.uint8)


def flowed(view: View, motion: MotionField, steps: float) -> Picture:  # [2h, 2w, 3]
    """The view `steps` frames before its water is where it is; after, if `steps` is negative."""
    _, height, width = view.depth.shape
    velocity = motion.velocity[None] if steps >= 0 else -motion.velocity[None]
    centres = pixel_centres(height, width, like=view.depth)
    displacement = integrate(centres, velocity, abs(steps)).view(height, width, 2)
    fine = cv2.resize(displacement.numpy(), (2 * width, 2 * height)) * 2  # px of the fine picture
    # Flow stops at the border of what moves, there must be no blend of moved and static pixels.
    moving = motion.moving[0].repeat_interleave(2, 0).repeat_interleave(2, 1)
    fine[~moving.numpy()] = 0
    own = pixel_centres(2 * height, 2 * width, like=view.depth).view(2 * height, 2 * width, 2)
    return _sampled(view.fine, own + torch.from_numpy(fine))


def averaged_down(fine: Picture) -> Tensor:  # [2h, 2w, 3] -> [3, h, w]
    """Half the size, each pixel the mean of four."""
    height, width = fine.shape[0] // 2, fine.shape[1] // 2
    values = torch.from_numpy(fine).float().view(height, 2, width, 2, 3).mean(dim=(1, 3))
    return (values / 255).permute(2, 0, 1).contiguous()


def random_flow(
    depth: Tensor,  # [1, h, w]
    longest_px: float,  # way within the whole loop
    num_frames: int,
    generator: np.random.Generator,
    blobs: Blobs,
) -> MotionField:
    """A smooth flow on a random part of the view that no jump of depth crosses."""
    shape = (depth.shape[1], depth.shape[2])
    near_jump = cv2.dilate(_jumps(depth[0].numpy()).astype(np.uint8), np.ones((9, 9), np.uint8))
    level = _noise(shape, blobs.scale, generator)
    moving = (level > np.quantile(level, 1 - blobs.share)) & (near_jump == 0)
    inside = cv2.distanceTransform(moving.astype(np.uint8), cv2.DIST_L2, 3)
    strength = np.clip(inside / blobs.fade_px, 0, 1)
    angle = generator.uniform(0, 2 * np.pi) + 1.2 * _noise(shape, 0.5, generator)
    speed = strength * (1 + 0.3 * np.clip(_noise(shape, 0.4, generator), -2, 2))
    speed *= longest_px / num_frames / max(float(speed.max()), 1e-6)
    velocity = np.stack([np.cos(angle) * speed, np.sin(angle) * speed]).astype(np.float32)
    mask = torch.from_numpy(moving)[None]
    return MotionField(torch.from_numpy(velocity), mask, torch.ones_like(mask, dtype=torch.int16))


def _jumps(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    disparity = 1 / depth
    across = np.abs(np.diff(disparity, axis=1, prepend=disparity[:, :1]))
    down = np.abs(np.diff(disparity, axis=0, prepend=disparity[:1]))
    return np.maximum(across, down) > JUMP * disparity


def _noise(
    shape: tuple[int, int], scale: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and deviation 1; `scale` is its length as a share of the width."""
    sigma = scale * shape[1] / 2
    rough = generator.standard_normal(shape).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return (smooth - smooth.mean()) / max(float(smooth.std()), 1e-9)
