"""How well a clip loops and holds still, seen by the photo's fixed camera.

A few pairs of neighbouring frames and a few moments of the loop say all: rendering every frame of
every row would take hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cine3d_core.evaluation.metrics import luminance, masked_mean
from cine3d_core.geometry import pixel_centres
from cine3d_core.scene import MotionField

TEXTURE_WINDOW = 1 / 60  # of the long side: what counts as texture
BORDER_PX = 3  # beside the edge of what moves, pixels are mixed by the photo itself


@dataclass(frozen=True)
class LoopScores:
    """Scores of one loop."""

    seam: float  # largest difference of frame N from frame 0, in [0, 1]; 0 is exact
    seam_step: float  # step from frame N - 1 to N by the median step; 1 is smooth
    pulsing: float  # smallest by largest texture contrast of the fluid over the loop; 1 is steady
    static_error: float  # mean absolute change between neighbouring frames where nothing moves
    static_worst: float  # the largest such change
    fluid_error: float  # the same along the true flow where it flows


def loop_frames(num_frames: int) -> tuple[list[int], list[int]]:
    """Moments for the contrast, and firsts of pairs (k, k + 1); N - 1 is one, N stands for 0."""
    moments = [round(num_frames * share / 6) for share in range(6)]
    return moments, sorted({0, moments[3], num_frames - 1})


def score_loop(frames: Mapping[int, Tensor], motion: MotionField, num_frames: int) -> LoopScores:
    """Scores of frames [3, H, W] by index, with those that `loop_frames` asks for and frame N."""
    moments, pairs = loop_frames(num_frames)
    still, fluid = inside(~motion.moving), inside(motion.moving)
    contrasts = [texture_contrast(frames[moment], fluid) for moment in moments]
    steps = {k: (frames[k + 1] - frames[k]).abs().mean(dim=0, keepdim=True) for k in pairs}
    means = {k: float(step.mean()) for k, step in steps.items()}
    changes = [masked_mean(step, still) for step in steps.values()]
    flowing = [
        masked_mean(along_flow(frames[k + 1], frames[k], motion), fluid & stays(fluid, motion))
        for k in pairs
    ]
    return LoopScores(
        seam=float((frames[num_frames] - frames[0]).abs().max()),
        seam_step=means[num_frames - 1] / max(median(means.values()), 1e-9),
        pulsing=min(contrasts) / max(*contrasts, 1e-9),
        static_error=sum(changes) / len(changes),
        static_worst=max(float((step * still).max()) for step in steps.values()),
        fluid_error=sum(flowing) / len(flowing),
    )


def texture_contrast(rgb: Tensor, region: Tensor) -> float:
    """Mean over a region [1, H, W] of the local standard deviation of brightness."""
    brightness = luminance(rgb)[0].numpy()
    size = max(3, round(max(brightness.shape) * TEXTURE_WINDOW))
    weight = region[0].numpy().astype(np.float32)

    def mean(values: np.ndarray) -> np.ndarray:
        kept = cv2.blur(values * weight, (size, size), borderType=cv2.BORDER_CONSTANT)
        share = cv2.blur(weight, (size, size), borderType=cv2.BORDER_CONSTANT)
        return kept / np.maximum(share, 1e-6)

    # outside the region nothing counts, and blurring may round below zero there
    variance = np.maximum(mean((brightness - mean(brightness)) ** 2), 0)
    return masked_mean(torch.from_numpy(np.sqrt(variance))[None], region)


def along_flow(later: Tensor, earlier: Tensor, motion: MotionField) -> Tensor:
    """|later(p + flow) - earlier(p)|, mean over the channels: [1, H, W]."""
    _, height, width = earlier.shape
    target = pixel_centres(height, width, like=earlier) + motion.velocity.flatten(1).T
    scale = target.new_tensor([2 / width, 2 / height])
    grid = (target * scale - 1).view(1, height, width, 2)
    moved = functional.grid_sample(
        later[None], grid, mode="bicubic", padding_mode="border", align_corners=False
    )[0]
    return (moved - earlier).abs().mean(dim=0, keepdim=True)


def stays(region: Tensor, motion: MotionField) -> Tensor:
    """Where one step of the flow ends inside the region, too: [1, H, W] bool."""
    _, height, width = region.shape
    target = pixel_centres(height, width, like=motion.velocity) + motion.velocity.flatten(1).T
    x, y = target.floor().long().unbind(dim=1)
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return (region.flatten()[flat] & within).view(1, height, width)


def inside(region: Tensor) -> Tensor:
    """The region [1, H, W] bool without a seam along its edges; the picture's border is no edge."""
    kernel = np.ones((2 * BORDER_PX + 1,) * 2, np.uint8)
    eroded = cv2.erode(region[0].numpy().astype(np.uint8), kernel, borderValue=1)
    return torch.from_numpy(eroded.astype(bool))[None]
