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
    """The photo, tinted where it moves (hue: direction, strength: speed), with arrows.

    An arrow shows the way of the distance between two arrows at the speed of the 95th percentile.
    """
    picture = rgb.cpu().permute(1, 2, 0).numpy().astype(np.float32)
    velocity = field.velocity.cpu().permute(1, 2, 0).numpy()
    moving = field.moving[0].cpu().numpy()
    if not moving.any():
        return rgb.clone()
    fast = max(float(np.percentile(np.linalg.norm(velocity, axis=-1)[moving], 95)), 1e-6)
    wheel = colour_wheel(velocity / fast)
    share = 0.5 * moving[..., None]
    tinted = np.clip(picture * (1 - share) + wheel * share, 0, 1)
    canvas = np.ascontiguousarray(np.round(tinted * 255).astype(np.uint8))
    _draw_arrows(canvas, velocity / fast, moving)
    return torch.from_numpy(canvas).permute(2, 0, 1).contiguous().to(rgb) / 255


def colour_wheel(velocity: NDArray[np.floating]) -> NDArray[np.float32]:  # [H, W, 3] sRGB
    """Hue is the direction of [H, W, 2] vectors, saturation their length up to 1."""
    angle = np.degrees(np.arctan2(velocity[..., 1], velocity[..., 0])) % 360
    length = np.minimum(np.linalg.norm(velocity, axis=-1), 1)
    hsv = np.stack([angle, length, np.ones_like(length)], -1).astype(np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)


def _draw_arrows(
    canvas: NDArray[np.uint8], velocity: NDArray[np.floating], moving: NDArray[np.bool_]
) -> None:
    """Draws an arrow at each grid place that moves; on 8 bits, as OpenCV smooths no other lines."""
    step = max(8, max(moving.shape) // ARROWS_ACROSS)
    thick = max(1, max(moving.shape) // 800)
    for y in range(step // 2, moving.shape[0], step):
        for x in range(step // 2, moving.shape[1], step):
            if not moving[y, x]:
                continue
            end = np.clip(velocity[y, x], -2, 2) * 0.9 * step + (x, y)
            tip = (round(float(end[0])), round(float(end[1])))
            for colour, width in (((0, 0, 0), thick + 2), ((255, 255, 255), thick)):
                cv2.arrowedLine(canvas, (x, y), tip, colour, width, cv2.LINE_AA, tipLength=0.35)
