"""Motion of a photo from a mask and arrows: a smooth Eulerian flow (paper, sections 3.2 and 4.3).

The paper spreads the arrows by Gaussians and lets a network refine them; here a small linear solve
per connected region (`solver`) makes water follow its banks and go round rocks. Same input,
same flow, bit for bit.

What an arrow says counts in the region that it stands in. A region without an arrow follows all
arrows of the picture, near ones more (1 / distance^2). An arrow that stands outside the mask is
taken as standing at the nearest place inside it; there it is followed softly, not exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.imaging.regions import connected_regions, each_region
from cine3d_core.motion.solver import guide_vectors, solve_region
from cine3d_core.scene import MotionField, MotionHint

SPECK = 2e-4  # share of the picture
HINT_FRAMES = 50  # an arrow shows the way of 50 frames, as in the published code

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MotionParams:
    """How arrows become a flow. Lengths are shares of the photo's long side."""

    grid_cells: int = 128  # of the solver's grid along a region's long side; finer is slower
    finest_cell: float = 1 / 320  # small regions get no finer cells than this
    bank_fade: float = 0.01  # width over which flow across a bank fades to nothing
    arrow_reach: float = 0.02  # how far the last exact correction around an arrow reaches
    max_speed: float = 0.05  # per frame; faster is slowed to this, direction kept
    max_displacement: float = 0.05  # how far texture is carried before it starts anew
    num_frames: int = 60  # of the loop, for `cycles`
    perspective: bool = True  # what is far on a receding plane flows slower


def motion_from_hints(
    mask: Tensor,  # [1, H, W] bool, what moves
    hints: Sequence[MotionHint],
    *,
    params: MotionParams | None = None,
    behind: Tensor | None = None,  # [1, H, W] bool, sky: its borders only hide how it goes on
    pace: Tensor | None = None,  # [1, H, W] > 0, factor of the speed (`perspective`)
) -> MotionField:
    """Flow inside `mask` that honours every arrow within 10 % at its foot.

    Nothing flows across the border of the mask (it fades over `bank_fade`; flow along the border
    stays) except at the picture's own frame. Where an arrow itself points across a bank, the arrow
    wins in its close neighbourhood. Arrows within one pixel of each other count as their mean.
    What lies in `behind` knows no banks: it drifts on behind what stands before it.

    Raises:
        InputError: an empty mask, no arrows, an arrow outside the picture or without length.
    """
    params = params or MotionParams()
    inside = mask[0].cpu().numpy().astype(bool)
    _check(inside, hints)
    anchors, vectors = _merged(hints)
    regions = _labelled(inside, behind)
    factor = np.ones(inside.shape) if pace is None else pace[0].cpu().numpy().astype(np.float64)
    velocity = _solve_regions(regions, anchors, vectors, factor, params)
    return _as_field(velocity, mask.bool(), params)


def finish_flow(
    velocity: Tensor,  # [2, H, W] px/frame, any flow
    mask: Tensor,  # [1, H, W] bool, what moves
    hints: Sequence[MotionHint],
    *,
    params: MotionParams | None = None,
    behind: Tensor | None = None,  # [1, H, W] bool, sky
) -> MotionField:
    """A flow made to keep what `motion_from_hints` promises, however it was estimated.

    Nothing moves outside `mask`, and every arrow that stands inside it is followed to the number at
    its foot, unless it is faster than `max_speed`.
    """
    params = params or MotionParams()
    inside = mask[0].cpu().numpy().astype(bool)
    flow = velocity.detach().cpu().permute(1, 2, 0).numpy().astype(np.float64)
    flow = flow * inside[..., None]
    if hints:
        _check(inside, hints)
        regions = _labelled(inside, behind)
        arrows = _placed(*_merged(hints), regions.label)
        reach_px = params.arrow_reach * max(inside.shape)
        for number, window, region in each_region(regions.count, regions.label):
            fixed = (arrows.region == number) & arrows.exact
            pixels = arrows.pixels[fixed] - (window[1].start, window[0].start)
            honoured = _honoured(flow[window], pixels, arrows.vectors[fixed], reach_px)
            flow[window][region] = honoured[region]
    return _as_field(flow, mask.bool(), params)


def _as_field(velocity: Array, moving: Tensor, params: MotionParams) -> MotionField:
    """Slowed to the greatest speed, with cycles."""
    side = max(velocity.shape[:2])
    slowed = _slowed(velocity, params.max_speed * side).astype(np.float32)
    field = torch.from_numpy(slowed).permute(2, 0, 1).contiguous().to(moving.device)
    limit = params.max_displacement * side
    cycles = choose_cycles(field, moving, params.num_frames, max_displacement_px=limit)
    return MotionField(velocity=field, moving=moving, cycles=cycles)


def choose_cycles(
    velocity: Tensor,  # [2, H, W] px/frame
    moving: Tensor,  # [1, H, W] bool
    num_frames: int,
    *,
    max_displacement_px: float,
) -> Tensor:  # [1, H, W] int16, 1 outside `moving`
    """How often the texture of each connected region repeats within one loop.

    The smallest whole number that keeps a cycle's displacement of 95 % of the region within
    `max_displacement_px`, but at most one cycle every other frame.
    """
    count, label = connected_regions(moving[0].cpu().numpy())
    if count == 1:
        return moving.to(torch.int16) + 1
    inside = label > 0
    speed, home = torch.hypot(velocity[0], velocity[1]).cpu().numpy()[inside], label[inside]
    # sorted by region, then by speed: the percentile of every region without a loop over them
    order = np.lexsort((speed, home))
    area = np.bincount(home, minlength=count)
    fast = np.cumsum(area) - area + (0.95 * (area - 1)).clip(min=0).astype(np.int64)
    travel = speed[order][fast.clip(max=speed.size - 1)] * num_frames
    cycles = np.ceil(travel / max_displacement_px - 1e-6).clip(1, max(1, num_frames // 2))
    cycles[0] = 1
    return torch.from_numpy(cycles.astype(np.int16)[label])[None].to(velocity.device)


def _check(inside: Mask, hints: Sequence[MotionHint]) -> None:
    height, width = inside.shape
    if not inside.any():
        raise InputError("the mask is empty, so nothing would move; paint what flows")
    if not hints:
        raise InputError("there is no arrow, so no direction is known; draw at least one")
    for hint in hints:
        (x, y), end = hint.start, hint.end
        if not np.isfinite([x, y, *end]).all() or not (0 <= x <= width and 0 <= y <= height):
            raise InputError(
                f"an arrow starts at ({x:g}, {y:g}) but the picture is {width}x{height} pixels; "
                "start it inside the picture"
            )
        if hint.start == end:
            raise InputError(
                f"the arrow at ({x:g}, {y:g}) has no length and so no direction; draw it longer"
            )


def _merged(hints: Sequence[MotionHint]) -> tuple[Array, Array]:  # anchors, vectors [A, 2]
    """Feet and vectors; arrows within a pixel of an earlier one are averaged with it."""
    feet = np.array([hint.start for hint in hints], np.float64)
    vectors = (np.array([hint.end for hint in hints], np.float64) - feet) / HINT_FRAMES
    close = np.linalg.norm(feet[:, None] - feet[None], axis=-1) <= 1
    first = close.argmax(1)  # the earliest neighbour
    groups = [first == i for i in np.unique(first)]
    return (
        np.array([feet[group].mean(0) for group in groups]),
        np.array([vectors[group].mean(0) for group in groups]),
    )


@dataclass(frozen=True)
class _Arrows:
    """Arrows on a mask."""

    feet: Array  # [A, 2] x, y, each inside the mask
    vectors: Array  # [A, 2] px/frame
    pixels: NDArray[np.int64]  # [A, 2] x, y of the feet's pixels
    exact: Mask  # [A] whether the foot stands where it was drawn
    region: NDArray[np.int32]  # [A] label of the region that it stands in


def _placed(feet: Array, vectors: Array, label: NDArray[np.int32]) -> _Arrows:
    """Arrows with feet outside the mask moved to the nearest pixel inside."""
    drawn = np.clip(feet.astype(np.int64), 0, [label.shape[1] - 1, label.shape[0] - 1])
    pixels = drawn
    if not label[drawn[:, 1], drawn[:, 0]].all():
        nearest = ndimage.distance_transform_edt(
            label == 0, return_distances=False, return_indices=True
        )
        pixels = np.asarray(nearest)[::-1, drawn[:, 1], drawn[:, 0]].T
    exact = (pixels == drawn).all(1)
    feet = np.where(exact[:, None], feet, pixels + 0.5)
    return _Arrows(feet, vectors, pixels, exact, label[pixels[:, 1], pixels[:, 0]])


@dataclass(frozen=True)
class _Regions:
    """Connected regions of what moves, sky apart from the rest."""

    count: int
    hidden: int  # labels below this one are sky
    label: NDArray[np.int32]  # [H, W], 0 outside


def _labelled(inside: Mask, behind: Tensor | None) -> _Regions:
    free = np.zeros_like(inside) if behind is None else behind[0].cpu().numpy().astype(bool)
    hidden, label = connected_regions(inside & free)
    count, banked = connected_regions(inside & ~free)
    label = np.where(banked > 0, banked + hidden - 1, label).astype(np.int32)
    return _Regions(count + hidden - 1, hidden, label)


def _solve_regions(
    regions: _Regions, feet: Array, vectors: Array, pace: Array, params: MotionParams
) -> Array:
    """[H, W, 2] float64, zero outside."""
    label = regions.label
    arrows = _placed(feet, vectors, label)
    velocity = np.zeros((*label.shape, 2))
    specks = _specks(regions.count, label, arrows.region)
    y, x = np.nonzero(specks[label])
    centres = np.array([x, y], np.float64).T + 0.5
    velocity[y, x] = guide_vectors(centres, arrows.feet, vectors)
    side = max(label.shape)
    margin = int(params.bank_fade * side) + 3
    for number, window, region in each_region(regions.count, label, margin=margin):
        if not specks[number]:
            banks = number >= regions.hidden
            flow = _region_flow(arrows, number, window, region, pace, params, banks=banks)
            velocity[window][region] = flow[region]
    return velocity


def _region_flow(
    arrows: _Arrows,
    number: int,
    window: tuple[slice, slice],
    region: Mask,  # [h, w] of the window
    pace: Array,  # [H, W]
    params: MotionParams,
    *,
    banks: bool,
) -> Array:  # [h, w, 2]
    own = arrows.region == number
    heard = own if own.any() else np.ones_like(own)
    origin = np.array([window[1].start, window[0].start])
    side = max(pace.shape)
    finest_px = max(1, round(params.finest_cell * side))
    there = pace[arrows.pixels[heard, 1], arrows.pixels[heard, 0]]
    flow = solve_region(
        region,
        arrows.feet[heard] - origin,
        arrows.vectors[heard] / there[:, None],
        own=bool(own.any()),
        block_px=max(finest_px, -(-max(region.shape) // params.grid_cells)),
        banks=banks,
    )
    flow = flow * pace[window][..., None]
    if banks:
        flow = _along_banks(flow, region, params.bank_fade * side)
    fixed = own & arrows.exact
    reach_px = params.arrow_reach * side
    return _honoured(flow, arrows.pixels[fixed] - origin, arrows.vectors[fixed], reach_px)


def _specks(count: int, label: NDArray[np.int32], home: NDArray[np.int32]) -> Mask:  # [count]
    """Regions too small for a separate flow; a noisy mask has thousands of them."""
    specks = np.bincount(label.ravel(), minlength=count) < SPECK * label.size
    specks[0] = False
    specks[home] = False  # an arrow stands there
    return specks


def _along_banks(flow: Array, region: Mask, fade_px: float) -> Array:
    """Takes the part across the border away, fully at the border, not at all beyond `fade_px`."""
    distance = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = np.minimum(distance, 4 * fade_px + 4)  # without any bank it is huge
    soft = cv2.GaussianBlur(distance, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    # unit length near a straight bank; shorter in the middle of a narrow channel, as is right there
    normal = np.stack(
        [
            cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE),
            cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE),
        ],
        -1,
    )
    ramp = np.clip((distance - 0.5) / max(fade_px, 1.0), 0, 1)
    taken = 1 - ramp * ramp * (3 - 2 * ramp)
    across = (flow * normal).sum(-1) * taken
    return flow - across[..., None] * normal


def _honoured(flow: Array, pixels: NDArray[np.int64], vectors: Array, reach: float) -> Array:
    """Adds smooth bumps so that the flow at the arrows' feet is exactly what they say."""
    if len(pixels) == 0:
        return flow
    gap = np.linalg.norm(pixels[:, None] - pixels[None] + 0.0, axis=-1)
    gap[np.diag_indices(len(gap))] = np.inf
    # half the way to the next arrow keeps the small system below well conditioned
    radius = np.clip(gap.min(1) / 2, 0.5, reach)  # [A]
    gap[np.diag_indices(len(gap))] = 0
    overlap = np.exp(-((gap / radius[None]) ** 2))
    missing = vectors - flow[pixels[:, 1], pixels[:, 0]]
    heights = np.linalg.solve(overlap, missing)
    out = flow.copy()
    for (x, y), height, r in zip(pixels, heights, radius, strict=True):
        span = int(3.5 * r) + 1
        rows, columns = slice(max(y - span, 0), y + span + 1), slice(max(x - span, 0), x + span + 1)
        v, u = np.mgrid[rows, columns][
            :, : out.shape[0] - rows.start, : out.shape[1] - columns.start
        ]
        bump = np.exp(-((u - x) ** 2 + (v - y) ** 2) / r**2)
        out[rows, columns] += bump[..., None] * height
    return out


def _slowed(velocity: Array, max_speed: float) -> Array:
    fast = (velocity * velocity).sum(-1) > max_speed * max_speed
    if not fast.any():
        return velocity
    slowed = velocity.copy()
    slowed[fast] *= max_speed / np.linalg.norm(velocity[fast], axis=-1, keepdims=True)
    return slowed
