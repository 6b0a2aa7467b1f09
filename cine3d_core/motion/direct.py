"""The motion of a photo from what a person drew on it, and from guesses where nothing was drawn.

mask + arrows + scribbles -> base -+
regions, each with its mask -------+-> parts, later over earlier, without freeze strokes
                                   +-> flow (arrows -> solver -> refined -> finished)
                                   +-> or a field in place (`in_place`)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.imaging.nearest import nearest_pixel
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.imaging.regions import connected_regions
from cine3d_core.motion.directions import guess_directions
from cine3d_core.motion.flow import MotionParams, finish_flow, motion_from_hints
from cine3d_core.motion.guess import KINDS, SKY, MaskGuess, guess_mask
from cine3d_core.motion.in_place import IN_PLACE
from cine3d_core.motion.perspective import perspective_factor
from cine3d_core.motion.scribbles import paint_strokes, refine_mask
from cine3d_core.scene import DepthMap, Drawing, MotionField, MotionHint, MotionRegion


@dataclass(frozen=True)
class FlowTask:
    """What a refiner of one part's flow may look at."""

    rgb: Tensor  # [3, H, W]
    depth: DepthMap
    moving: Tensor  # [1, H, W] bool
    behind: Tensor  # [1, H, W] bool, sky
    hints: tuple[MotionHint, ...]  # drawn by a person; empty when guessed
    base: Tensor  # [2, H, W] px/frame, analytic
    guessed: tuple[MotionHint, ...] = ()  # the arrows of the analytic flow when nobody drew any


# Gives what is known under a key, else what a function makes.
Keep = Callable[[Hashable, Callable[[], Any]], Any]
MOST_REGIONS = 255  # that are told apart afterwards; more of them share the last number
SHIMMER = "shimmer"  # what calm water does where nobody says otherwise
Refine = Callable[[FlowTask], Tensor]  # [2, H, W] px/frame; may leak, `finish_flow` sees to it


@dataclass(frozen=True)
class _Part:
    """A region and the pixels that it directs."""

    region: MotionRegion
    guess: MaskGuess


def anew(_key: Hashable, make: Callable[[], Any]) -> Any:
    """Nothing is known from before."""
    return make()


def bits_of(plane: Tensor) -> bytes:
    """What stands for a plane in a key."""
    return hashlib.sha256(plane.cpu().numpy().tobytes()).digest()


@dataclass(frozen=True)
class Directed:
    """What a drawing makes of a photo."""

    motion: MotionField
    # [1, H, W] int16: the region of each pixel, counted from 1, regions that rest among them; -1
    # where something moves that none directs; 0 where nobody moves anything
    owner: Tensor
    assumed: tuple[str, ...]  # in words, what nobody said


def direct_motion(
    rgb: Tensor,  # [3, H, W]
    depth: DepthMap,
    drawing: Drawing,
    params: MotionParams,
    *,
    refine: Refine | None = None,
) -> tuple[MotionField, tuple[str, ...]]:
    """The motion of `direct_regions`, and in words what had to be assumed."""
    directed = direct_regions(rgb, depth, drawing, params, refine=refine)
    return directed.motion, directed.assumed


def direct_regions(
    rgb: Tensor,  # [3, H, W]
    depth: DepthMap,
    drawing: Drawing,
    params: MotionParams,
    *,
    refine: Refine | None = None,
    keep: Keep = anew,
) -> Directed:
    """The motion of a photo and the region that each pixel belongs to.

    With regions that move but neither a mask, arrows nor strokes of what moves beside them,
    nothing else moves. The same input gives the same bits.

    Args:
        rgb: the photo.
        depth: of the photo, with what flows where that was asked.
        drawing: what a person drew on it.
        params: of the flow.
        refine: what a network makes of a part's flow.
        keep: knows what was worked out before for the same photo, depth, parameters and refiner.

    Raises:
        InputError: an arrow, a mask or a region that cannot be used.
    """
    parts, assumed = _parts(rgb, depth, drawing, keep)
    first = 1 - (len(parts) - len(drawing.regions))  # 0 with a base before the regions
    parts = _apart(parts, paint_strokes(drawing.freeze, *rgb.shape[1:]))
    motion, owner = still_motion(rgb), torch.zeros_like(rgb[:1], dtype=torch.int16)
    for number, part in enumerate(parts, first):
        mask = part.guess.mask
        owner = torch.where(mask, number or -1, owner).to(torch.int16)
        if not part.region.rests and bool(mask.any()):
            field, sentence = _kept_motion(rgb, depth, part, params, refine, keep)
            motion = _laid_over(motion, field, mask)
            assumed.append(sentence)
    if not _moves(motion):
        assumed = ["nothing that flows was found, so only the camera will move; give a mask"]
    if drawing.regions:
        motion = replace(motion, region=owner.clamp(0, MOST_REGIONS).to(torch.uint8))
    return Directed(motion, owner, tuple(dict.fromkeys(word for word in assumed if word)))


def _kept_motion(
    rgb: Tensor,
    depth: DepthMap,
    part: _Part,
    params: MotionParams,
    refine: Refine | None,
    keep: Keep,
) -> tuple[MotionField, str]:
    """The motion of a part; another stroke elsewhere does not change it."""
    said = replace(part.region, polygons=(), picture=None, name="")  # what says only where
    key = "motion", said, bits_of(part.guess.mask), bits_of(part.guess.kind)
    return keep(key, lambda: _motion_of_part(rgb, depth, part, params, refine))


def still_motion(rgb: Tensor) -> MotionField:
    """Nothing moves on a photo [3, H, W]."""
    plane = torch.zeros_like(rgb[:1])
    return MotionField(torch.zeros_like(rgb[:2]), plane.bool(), plane.to(torch.int16) + 1)


def _moves(motion: MotionField) -> bool:
    return bool(motion.moving.any()) or bool(motion.swinging.any())


def asks_what_flows(drawing: Drawing) -> bool:
    """Whether `DepthMap.fluid` can matter: not where a person drew all that moves."""
    return drawing.mask is None or any(region.fluid is not None for region in drawing.regions)


def _parts(
    rgb: Tensor, depth: DepthMap, drawing: Drawing, keep: Keep
) -> tuple[list[_Part], list[str]]:
    """The base first, then the regions as drawn; and what was assumed about their places."""
    mask = drawing.mask
    loose = [region for region in drawing.regions if not _has_place(region)]
    directed = any(not region.rests for region in drawing.regions)
    hints = drawing.hints + tuple(hint for region in loose for hint in region.hints)
    parts, assumed, base = [], [], None
    if mask is not None or hints or drawing.moves or not directed:
        place = None if mask is None else bits_of(mask)
        feet = tuple(hint.start for hint in hints)  # what moves is what arrows stand on
        base = keep(("base", place, feet), lambda: guess_mask(rgb, depth, mask=mask, hints=hints))
        assumed += [] if mask is not None else [base.description]
        if drawing.moves or drawing.rests:
            key = "corrected", place, feet, drawing.moves, drawing.rests
            base = keep(key, partial(_corrected, rgb, depth, base, drawing))
        parts.append(_Part(MotionRegion(hints=drawing.hints), base))
    for number, region in enumerate(drawing.regions, 1):
        guess = _guess_of_region(rgb, depth, region, base, number)
        if region.fluid is not None and not bool(guess.mask.any()):
            assumed.append(f"no {region.fluid} was found, so region {number} does not move")
        parts.append(_Part(region, guess))
    return parts, assumed


def _corrected(rgb: Tensor, depth: DepthMap, base: MaskGuess, drawing: Drawing) -> MaskGuess:
    """The base by the scribbles of what moves and what rests."""
    likely = _likely(depth, base, drawn=drawing.mask is not None)
    refined = refine_mask(rgb, likely, drawing.moves, drawing.rests)
    return guess_mask(rgb, depth, mask=refined)


def _likely(depth: DepthMap, base: MaskGuess, *, drawn: bool) -> Tensor:  # [1, H, W]
    """Probability that something moves, on the side of a half that the base has chosen."""
    sure = base.mask.float()
    if drawn or depth.fluid is None:
        return sure
    found = depth.fluid.sum(dim=0, keepdim=True).to(sure).clamp(0, 1)
    return torch.where(base.mask, found.clamp(min=0.51), found.clamp(max=0.49))


def _has_place(region: MotionRegion) -> bool:
    return bool(region.polygons) or region.picture is not None or region.fluid is not None


def _guess_of_region(
    rgb: Tensor, depth: DepthMap, region: MotionRegion, base: MaskGuess | None, number: int
) -> MaskGuess:
    height, width = rgb.shape[1:]
    if region.fluid is not None:
        found = guess_mask(rgb, depth)
        index = KINDS.index(region.fluid) if region.fluid in KINDS else -1
        return replace(found, mask=found.kind == index)
    if region.polygons:
        place = rasterize_polygons(region.polygons, height, width).to(rgb.device)
    elif region.picture is not None:
        place = region.picture
    elif region.hints and base is not None:
        return _under(base, region.hints)
    else:
        raise InputError(f"region {number} has neither a mask nor an arrow; give it one of them")
    if not bool(place.any()):
        raise InputError(
            f"the mask of region {number} encloses no pixel of the photo at {width}x{height}",
            "draw it larger",
            "raise {size}",
        )
    return guess_mask(rgb, depth, mask=place)


def _under(base: MaskGuess, hints: Sequence[MotionHint]) -> MaskGuess:
    """The connected regions of one kind that arrows stand on, or are nearest to."""
    kind = base.kind[0].cpu().numpy()
    label = np.zeros(kind.shape, np.int32)
    for value in np.unique(kind[kind > 0]):
        _, own = connected_regions(kind == value)
        label = np.where(own > 0, own + label.max(), label)
    if not label.any():
        return base
    _, nearest = nearest_pixel(label > 0)
    feet = np.clip([hint.start for hint in hints], 0, [kind.shape[1] - 1, kind.shape[0] - 1])
    x, y = feet.astype(int).T
    chosen = np.unique(label.ravel()[np.asarray(nearest)[y, x]])
    inside = torch.from_numpy(np.isin(label, chosen))[None].to(base.mask.device)
    return replace(base, mask=inside)


def _apart(parts: list[_Part], frozen: np.ndarray) -> list[_Part]:
    """Every pixel in the last part that claims it, frozen ones in none."""
    free = ~torch.from_numpy(frozen)[None]
    apart = []
    for part in reversed(parts):
        mask = part.guess.mask & free.to(part.guess.mask.device)
        kind = torch.where(mask, part.guess.kind, 0)
        apart.append(_Part(part.region, replace(part.guess, mask=mask, kind=kind)))
        free = free & ~mask.cpu()
    return apart[::-1]


def _motion_of_part(
    rgb: Tensor, depth: DepthMap, part: _Part, params: MotionParams, refine: Refine | None
) -> tuple[MotionField, str]:
    cycles = part.region.cycles
    if cycles is not None and cycles > max(1, params.num_frames // 2):
        raise InputError(
            f"{cycles} cycles were asked for in a loop of {params.num_frames} frames; choose at "
            f"most {max(1, params.num_frames // 2)}"
        )
    if part.region.mode in IN_PLACE:
        return _swinging(rgb, depth, part, params.num_frames), ""
    if part.region.hints:
        field, sentence = _flowing(rgb, depth, part, params, refine, part.region.hints), ""
    else:
        field, sentence = _guided(rgb, depth, part, params, refine)
    if cycles is not None:
        field = replace(field, cycles=torch.where(field.moving, cycles, field.cycles))
    return field, sentence


def _swinging(rgb: Tensor, depth: DepthMap, part: _Part, num_frames: int) -> MotionField:
    mode, mask = part.region.mode, part.guess.mask
    planes = IN_PLACE[mode].field(mask, 1 / depth.depth, part.region)
    still = still_motion(rgb)
    cycles = part.region.cycles or IN_PLACE[mode].cycles(num_frames)
    many = torch.where(mask, cycles, still.cycles).to(torch.int16)
    return replace(still, cycles=many, in_place={mode: planes})


def _guided(
    rgb: Tensor, depth: DepthMap, part: _Part, params: MotionParams, refine: Refine | None
) -> tuple[MotionField, str]:
    """A part without arrows: what runs flows by guessed ones, calm water shimmers."""
    guessed = guess_directions(rgb, depth, part.guess)
    calm = guessed.calm & part.guess.mask
    motion = still_motion(rgb)
    if guessed.hints:
        runs = part.guess.mask & ~calm
        kind = torch.where(runs, part.guess.kind, 0)
        running = replace(part, guess=replace(part.guess, mask=runs, kind=kind))
        motion = _flowing(rgb, depth, running, params, refine, guessed.hints)
    if bool(calm.any()):
        region = replace(part.region, mode=SHIMMER)
        still = _Part(region, replace(part.guess, mask=calm))
        motion = _laid_over(motion, _swinging(rgb, depth, still, params.num_frames), calm)
    return motion, guessed.description


def _flowing(
    rgb: Tensor,
    depth: DepthMap,
    part: _Part,
    params: MotionParams,
    refine: Refine | None,
    hints: tuple[MotionHint, ...],
) -> MotionField:
    behind = part.guess.kind == SKY
    hints = tuple(_sped_up(hint, part.region.speed) for hint in hints)
    pace = None
    if part.region.perspective is not False and params.perspective:
        ground, always = part.guess.mask & ~behind, part.region.perspective is True
        pace = perspective_factor(1 / depth.depth, ground, always=always)
    field = motion_from_hints(part.guess.mask, hints, params=params, behind=behind, pace=pace)
    if refine is not None and part.region.perspective is None:  # a refiner has its own perspective
        drawn = hints if part.region.hints else ()
        guesses = () if drawn else hints
        task = FlowTask(rgb, depth, field.moving, behind, drawn, field.velocity, guesses)
        field = finish_flow(refine(task), field.moving, drawn, params=params, behind=behind)
    return field


def _sped_up(hint: MotionHint, speed: float) -> MotionHint:
    (x, y), (end_x, end_y) = hint.start, hint.end
    return MotionHint((x, y), (x + (end_x - x) * speed, y + (end_y - y) * speed))


def _laid_over(below: MotionField, above: MotionField, mask: Tensor) -> MotionField:
    """`above` where `mask` is, `below` elsewhere."""
    in_place = {}
    for kind, planes in {**above.in_place, **below.in_place}.items():
        still = torch.zeros_like(planes)
        inside, outside = above.in_place.get(kind, still), below.in_place.get(kind, still)
        in_place[kind] = torch.where(mask, inside, outside)
    return MotionField(
        velocity=torch.where(mask, above.velocity, below.velocity),
        moving=torch.where(mask, above.moving, below.moving),
        cycles=torch.where(mask, above.cycles, below.cycles),
        in_place=in_place,
    )
