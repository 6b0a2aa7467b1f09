"""Pictures of a flow, for previews: colour wheel and arrows over the photo."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.scene import MotionField

ARROWS_ACROSS = 28  # along the long side


def draw_motion(rgb: Tensor, field: MotionField) -> Tensor:  # [3, H, W] sRGB in [0, 1]
    """The photo, tinted where it moves (hue: direction, strength: speed), outlined, with arrows.

    An arrow shows the way of the distance between two arrows at the speed of the 95th percentile.
    What moves in place is tinted by its amplitude, and its arrows point in both directions.
    """
    picture = rgb.cpu().permute(1, 2, 0).numpy().astype(np.float32)
    flow = field.velocity.cpu().permute(1, 2, 0).numpy()
    flowing, moving = (m[0].cpu().numpy() for m in (field.moving, what_moves(field)))
    if not moving.any():
        return rgb.clone()
    shown = _relative(flow, flowing)
    for planes in field.in_place.values():
        way = planes[:2].cpu().permute(1, 2, 0).numpy()
        shown += _relative(way, way.any(axis=-1) & ~flowing)
    canvas = np.ascontiguousarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    tinted = (picture[moving].clip(0, 1) + colour_wheel(shown[moving][:, None])[:, 0]) / 2
    canvas[moving] = np.round(tinted * 255).astype(np.uint8)
    _draw_outline(canvas, moving)
    _draw_arrows(canvas, shown, flowing, moving)
    return torch.from_numpy(canvas).permute(2, 0, 1).contiguous().to(rgb) / 255


def what_moves(field: MotionField) -> Tensor:  # [1, H, W] bool
    """Pixels that flow or move in place."""
    return field.moving | field.swinging


def draw_wheel(picture: Tensor) -> Tensor:  # [3, H, W] sRGB in [0, 1]
    """The picture with the key to the colours in its lower right corner."""
    canvas = picture.cpu().permute(1, 2, 0).contiguous().numpy().copy()
    radius = max(8, min(canvas.shape[:2]) // 18)
    side = 2 * radius + 1
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1] / radius
    corner = canvas[-side - radius // 3 :, -side - radius // 3 :][:side, :side]
    corner[np.hypot(x, y) <= 1.08] = 0.0
    inside = np.hypot(x, y) <= 1
    corner[inside] = colour_wheel(np.stack([x, y], -1))[inside]
    return torch.from_numpy(canvas).permute(2, 0, 1).contiguous().to(picture)


def _relative(vectors: NDArray[np.floating], where: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Vectors in units of their 95th percentile's length; 0 outside `where`."""
    if not where.any():
        return np.zeros_like(vectors)
    fast = max(float(np.percentile(np.linalg.norm(vectors, axis=-1)[where], 95)), 1e-6)
    return vectors * where[..., None] / fast


def colour_wheel(velocity: NDArray[np.floating]) -> NDArray[np.float32]:  # [H, W, 3] sRGB
    """Hue is the direction of [H, W, 2] vectors, saturation their length up to 1."""
    angle = np.degrees(np.arctan2(velocity[..., 1], velocity[..., 0])) % 360
    length = np.minimum(np.linalg.norm(velocity, axis=-1), 1)
    hsv = np.stack([angle, length, np.ones_like(length)], -1).astype(np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)


def _draw_outline(canvas: NDArray[np.uint8], moving: NDArray[np.bool_]) -> None:
    """A thin white line along the inside of the mask's border, a black one beside it."""
    padded = np.pad(moving.astype(np.uint8), 4)  # the frame is a border too
    thick = max(1, max(moving.shape) // 800)
    for colour, width in ((255, 1), (0, 1 + thick)):
        for _ in range(width):
            inner = cv2.erode(padded, np.ones((3, 3), np.uint8))
            canvas[(padded > inner)[4:-4, 4:-4]] = colour
            padded = inner


def _draw_arrows(
    canvas: NDArray[np.uint8],
    velocity: NDArray[np.floating],
    flowing: NDArray[np.bool_],
    moving: NDArray[np.bool_],
) -> None:
    """Draws an arrow at each grid place that moves; on 8 bits, as OpenCV smooths no other lines."""
    step = max(8, max(moving.shape) // ARROWS_ACROSS)
    for y in range(step // 2, moving.shape[0], step):
        for x in range(step // 2, moving.shape[1], step):
            if not moving[y, x]:
                continue
            way = np.clip(velocity[y, x], -2, 2) * 0.9 * step
            if flowing[y, x]:
                _draw_arrow(canvas, (x, y), way)
            else:
                _draw_arrow(canvas, (x, y), way / 2)
                _draw_arrow(canvas, (x, y), -way / 2)


def _draw_arrow(
    canvas: NDArray[np.uint8], foot: tuple[int, int], way: NDArray[np.floating]
) -> None:
    thick = max(1, max(canvas.shape) // 800)
    tip = (round(foot[0] + float(way[0])), round(foot[1] + float(way[1])))
    for colour, width in (((0, 0, 0), thick + 2), ((255, 255, 255), thick)):
        cv2.arrowedLine(canvas, foot, tip, colour, width, cv2.LINE_AA, tipLength=0.35)
