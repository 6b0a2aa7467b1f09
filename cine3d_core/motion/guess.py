"""What moves, assumed from the picture when a person drew no mask.

It is what the see network says (`DepthMap.fluid`); where it was not asked, sky by its probability
and water by its looks (`segment_classical`). Everything assumed is said in a sentence, so that it
can be corrected by drawing. `motion.directions` says which way it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.regions import connected_regions
from cine3d_core.motion.segment_classical import (
    WORK_SIZE,
    PhotoEvidence,
    enlarge,
    find_sky,
    find_water,
)
from cine3d_core.scene import FLUIDS, DepthMap, MotionHint
from cine3d_core.see.click import grow_click
from cine3d_core.see.regions import Doubtful, doubtful_regions, kinds_of

KINDS = ("still", *FLUIDS)
SKY, WATER, FALLS, SMOKE, FIRE = range(1, len(KINDS))

OFFERS = 3  # regions that may flow and are named; more would be noise
# Chosen on the check photographs, of which they cost little sky, and by eye on hills at dusk.
AS_FAR = 0.375  # of the farthest depth: what is nearer does not drift with the sky,
AS_FAR_UNSURE = 0.6  # nor what is nearer than this where the network is less sure of the sky than
SURE_SKY = 0.6
SMALLEST = 0.0005  # share of the picture; smaller finds are dropped

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskGuess:
    """What moves, and what it is taken for."""

    mask: Tensor  # [1, H, W] bool
    kind: Tensor  # [1, H, W] uint8, index into KINDS; 0 outside the mask
    description: str  # in words, for the person


def guess_mask(
    rgb: Tensor,  # [3, H, W]
    depth: DepthMap,
    *,
    mask: Tensor | None = None,  # [1, H, W] bool, when a person drew one
    hints: Sequence[MotionHint] = (),
) -> MaskGuess:
    """What moves in a photo; empty where nothing is found for sure.

    With a `mask`, only what its regions are is guessed. With arrows but no mask, it is what they
    stand on: sky or water found as usual, else the thing that the arrow starts on, up to the
    picture's edges.
    """
    if mask is not None:
        kind = _kinds(mask[0].cpu().numpy().astype(bool), _planes(depth))
        return _described(kind, "the mask is as drawn", rgb)
    if depth.fluid is None:
        evidence = _evidence(rgb, depth)
        sky = find_sky(evidence)
        small = np.where(sky, SKY, np.where(find_water(evidence, sky), WATER, 0)).astype(np.uint8)
        found = _enlarged(small, _image(rgb)) if not hints else small
    else:
        found = np.where(_before_sky(depth), 0, kinds_of(_planes(depth))).astype(np.uint8)
    if hints:
        found = _under_arrows(rgb, depth, found, hints)
        return _described(found, _found(found), rgb)
    offered = [_offer(region) for region in offered_regions(depth, found)]
    return _described(found, "; ".join([_found(found), *offered]), rgb)


def _before_sky(depth: DepthMap) -> Mask:  # [H, W]
    """What the network takes for sky although it stands before it, as hills in the haze do.

    Drifting, it would be torn from the ground that it belongs to. The less the network is sure,
    the farther it must be to drift.
    """
    assert depth.fluid is not None
    far = depth.depth[0] / depth.depth.max()
    sky = depth.fluid[SKY - 1]
    near = (far < AS_FAR) | ((far < AS_FAR_UNSURE) & (sky < SURE_SKY))
    return ((depth.fluid.argmax(0) == SKY - 1) & near).cpu().numpy()


def offered_regions(
    depth: DepthMap,
    kind: NDArray[np.uint8],  # [H, W] index into KINDS
) -> list[Doubtful]:
    """At most `OFFERS` regions that may flow but are left still; none without the see network.

    Not of the sky: scraps of it between branches would crowd out the water.
    """
    if depth.fluid is None:
        return []
    found = doubtful_regions(_planes(depth), kind)
    return [region for region in found if region.kind != "sky"][:OFFERS]


def _offer(region: Doubtful) -> str:
    across = "left" if region.x < 1 / 3 else "right" if region.x > 2 / 3 else ""
    down = "top" if region.y < 1 / 3 else "bottom" if region.y > 2 / 3 else ""
    place = f"at the {down} {across}".rstrip() if down else f"on the {across}" if across else ""
    return (
        f"maybe {region.kind} {place or 'in the middle'} ({region.share:.0%} of the picture): "
        "draw an arrow there to let it flow"
    )


def _evidence(rgb: Tensor, depth: DepthMap) -> PhotoEvidence:
    height, width = rgb.shape[1:]
    scale = min(1.0, WORK_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return PhotoEvidence(
        colour=cv2.resize(_image(rgb), size, interpolation=cv2.INTER_AREA),
        sky=cv2.resize(_plane(depth.sky), size, interpolation=cv2.INTER_AREA),
        disparity=cv2.resize(_nearness(depth), size, interpolation=cv2.INTER_AREA),
    )


def _image(rgb: Tensor) -> Array:  # [H, W, 3] float32
    return np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy().astype(np.float32))


def _plane(map_: Tensor) -> Array:  # [1, H, W] -> [H, W] float32
    return np.ascontiguousarray(map_.detach().cpu()[0].numpy().astype(np.float32))


def _nearness(depth: DepthMap) -> Array:  # [H, W] in [0, 1]
    """Disparity between its 1st and 99th percentile."""
    disparity = 1 / _plane(depth.depth)
    low, high = np.percentile(disparity, [1, 99])
    return np.clip((disparity - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)


def _under_arrows(
    rgb: Tensor, depth: DepthMap, found: NDArray[np.uint8], hints: Sequence[MotionHint]
) -> NDArray[np.uint8]:  # [H, W]
    """The found regions (at any size) that arrows stand on, and regions grown from the others."""
    _, label = connected_regions(found > 0)
    chosen = np.zeros_like(found)
    others = []
    for hint in hints:
        line = _on(found, hint, rgb)
        number = label[line[0, 1], line[0, 0]]
        if number > 0:
            chosen = np.where(label == number, found, chosen)
        else:
            others.append(hint)
    small = found.shape != tuple(rgb.shape[1:])
    kind = _enlarged(chosen, _image(rgb)) if small else chosen
    return np.where(kind > 0, kind, _grown(rgb, depth, others)).astype(np.uint8)


def _on(plane: NDArray[np.uint8], hint: MotionHint, rgb: Tensor) -> NDArray[np.int64]:  # [2, 2]
    """The pixels of a plane of any size on which an arrow starts and ends, as x and y."""
    scale = max(plane.shape) / max(rgb.shape[1:])
    line = (np.array([hint.start, hint.end]) * scale).astype(np.int64)
    return np.clip(line, 0, [plane.shape[1] - 1, plane.shape[0] - 1])


def _grown(
    rgb: Tensor, depth: DepthMap, hints: Sequence[MotionHint]
) -> NDArray[np.uint8]:  # [H, W]
    """Kinds of what arrows start on: each the thing that a click there is on."""
    colour, planes = _image(rgb), _planes(depth)
    inside = np.zeros(colour.shape[:2], bool)
    seen = (
        planes
        if depth.fluid is not None
        else planes * (np.arange(len(planes)) == SKY - 1)[:, None, None]
    )
    for hint in hints:
        x, y = _on(planes[0], hint, rgb)[0].tolist()
        if not inside[y, x]:
            inside |= grow_click(seen, colour, [(x, y, True)])
    return _kinds(inside, planes)


def _enlarged(small: NDArray[np.uint8], colour: Array) -> NDArray[np.uint8]:  # [H, W]
    """Kinds at the photo's size, along its edges, without specks."""
    kind = np.zeros(colour.shape[:2], np.uint8)
    for value in range(len(KINDS) - 1, 0, -1):
        if (small == value).any():
            kind[enlarge(small == value, colour)] = value
    count, label = connected_regions(kind > 0)
    area = np.bincount(label.ravel(), minlength=count)
    return np.where((area > SMALLEST * kind.size)[label], kind, 0).astype(np.uint8)


def _planes(depth: DepthMap) -> Array:  # [K, H, W]
    """Probability of every fluid; without the see network, what is not sky is water."""
    if depth.fluid is not None:
        return np.ascontiguousarray(depth.fluid.detach().cpu().numpy().astype(np.float32))
    sky = _plane(depth.sky)
    none = np.zeros_like(sky)
    return np.stack([sky, 1 - sky, none, none, none])


def _kinds(inside: Mask, planes: Array) -> NDArray[np.uint8]:  # [H, W], [K, H, W] -> [H, W]
    """Every connected region is what most of it probably is; water when nothing is known."""
    count, label = connected_regions(inside)
    totals = np.stack([np.bincount(label.ravel(), plane.ravel(), count) for plane in planes])
    totals[WATER - 1] += 1e-3 * np.bincount(label.ravel(), minlength=count)
    table = (totals.argmax(0) + 1).astype(np.uint8)
    table[0] = 0
    return table[label]


def _found(kind: NDArray[np.uint8]) -> str:
    shares = [(name, (kind == i).mean()) for i, name in enumerate(KINDS) if i > 0]
    parts = [f"{name} ({share:.0%} of the picture)" for name, share in shares if share > 0]
    return "found " + " and ".join(parts) if parts else "found neither sky nor water"


def _described(kind: NDArray[np.uint8], text: str, rgb: Tensor) -> MaskGuess:
    values = torch.from_numpy(kind)[None].to(rgb.device)
    return MaskGuess(mask=values > 0, kind=values, description=text)
