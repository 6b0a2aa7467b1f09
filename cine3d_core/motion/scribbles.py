"""Strokes over moving and static areas correct a mask along the picture's edges.

GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004) between what is painted, started from the
probability at hand. A stroke changes the region it lies in and nothing that is not joined to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.imaging.regions import connected_regions
from cine3d_core.motion.segment_classical import WORK_SIZE, enlarge, grab_cut
from cine3d_core.scene import Stroke

Array = NDArray[Any]  # float32
Mask = NDArray[np.bool_]

NEAR = 0.1  # of the long side: so near to a stroke the same is likely
FAR = 0.5  # of the long side: so far from any stroke nothing changes
CORE = 0.35  # a probability this far from a half is not doubted, unless a stroke is near


def refine_mask(
    rgb: Tensor,  # [3, H, W]
    probability: Tensor,  # [1, H, W] that something moves; a drawn mask is 0 and 1
    foreground_strokes: Sequence[Stroke],  # this moves
    background_strokes: Sequence[Stroke],  # this rests; wins where both lie
) -> Tensor:  # [1, H, W] bool
    """The mask `probability > 0.5`, corrected by strokes; unchanged without them.

    What lies under a stroke is as the stroke says. The same input gives the same bits.

    Raises:
        InputError: a stroke without points, without width or not finite.
    """
    height, width = rgb.shape[1:]
    likely = probability[0].detach().cpu().numpy().astype(np.float32)
    mask = likely > 0.5
    if not foreground_strokes and not background_strokes:
        return torch.from_numpy(mask)[None].to(rgb.device)
    moves = paint_strokes(foreground_strokes, height, width)
    rests = paint_strokes(background_strokes, height, width)
    moves &= ~rests
    colour = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy(), np.float32)
    before, after = _small_masks(colour, likely, moves, rests)
    for part, value in ((after & ~before, True), (before & ~after, False)):
        if part.any():
            mask = np.where(enlarge(part, colour), value, mask)
    mask = (mask | moves) & ~rests
    return torch.from_numpy(mask)[None].to(rgb.device)


def paint_strokes(strokes: Sequence[Stroke], height: int, width: int) -> Mask:  # [H, W]
    """Where the strokes lie; what leaves the picture is cut off."""
    canvas = np.zeros((height, width), np.uint8)
    for stroke in strokes:
        points = np.array(stroke.points, np.float64)
        if not points.size or not np.isfinite(points).all() or not 0 < stroke.width < 1e5:
            raise InputError(
                f"a stroke has {len(stroke.points)} points and a width of {stroke.width} pixels; "
                "give at least one point with finite coordinates and a width above 0"
            )
        # whole pixels: a point of the photo at +0.5 is the centre of its pixel
        pixels = np.clip(np.floor(points), -1e6, 1e6).astype(np.int32)
        thickness = max(1, round(stroke.width))
        if len(pixels) == 1:
            pixels = np.repeat(pixels, 2, axis=0)
        cv2.polylines(canvas, [pixels[:, None]], False, 1, thickness)
    return canvas > 0


def _small_masks(
    colour: Array,  # [H, W, 3]
    likely: Array,  # [H, W]
    moves: Mask,  # [H, W]
    rests: Mask,
) -> tuple[Mask, Mask]:  # [h, w] each
    """The mask before and after the strokes at the small size at which GrabCut works."""
    height, width = likely.shape
    scale = min(1.0, WORK_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small, probable = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (colour, likely))
    # thin strokes must not vanish between the small pixels
    wanted, unwanted = (
        cv2.resize(x.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.1
        for x in (moves, rests)
    )
    wanted &= ~unwanted
    before = probable > 0.5
    cut = grab_cut(small, _labels(probable, wanted, unwanted))
    return before, _only_joined(before, cut, wanted | unwanted)


def _labels(probable: Array, wanted: Mask, unwanted: Mask) -> NDArray[np.uint8]:  # [h, w]
    """GrabCut's four labels: strokes and what lies far from them are certain."""
    near = NEAR * max(probable.shape)
    to_wanted, to_unwanted = (_distance(mask) for mask in (wanted, unwanted))
    label = np.where(probable > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    label[(to_wanted < near) & (to_wanted < to_unwanted)] = cv2.GC_PR_FGD
    label[(to_unwanted < near) & (to_unwanted <= to_wanted)] = cv2.GC_PR_BGD
    far = np.minimum(to_wanted, to_unwanted) > FAR * max(probable.shape)
    certain = np.abs(probable - 0.5) > CORE
    # only a stroke of the other kind can put a certain pixel in doubt
    doubt = np.where(probable > 0.5, to_unwanted, to_wanted) < FAR * max(probable.shape)
    fixed = far | (certain & ~doubt)
    label[fixed] = np.where(probable > 0.5, cv2.GC_FGD, cv2.GC_BGD)[fixed]
    label[wanted] = cv2.GC_FGD
    label[unwanted] = cv2.GC_BGD
    return label.astype(np.uint8)


def _distance(mask: Mask) -> Array:
    """Pixels to the nearest pixel of the mask; beyond everything when it is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)


def _only_joined(before: Mask, after: Mask, strokes: Mask) -> Mask:
    """Of the differences only those whose region a stroke touches."""
    result = before.copy()
    for part, value in ((after & ~before, True), (before & ~after, False)):
        _, label = connected_regions(part)
        touched = np.unique(label[strokes])
        result[np.isin(label, touched[touched > 0])] = value
    return result
