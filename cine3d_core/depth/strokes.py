"""Mending the depth of a photo by hand: strokes on the depth as it was estimated.

A stroke says what is wrong with the thing under it: `nearer`, `farther`, `as-far-as` a place,
`flatten` (a plane), `stand` (upright: one depth, that of its foot). What it changes is what lies
under the stroke and what is joined to it at nearly the same depth, within `reach` of it, so that a
thing is mended up to its edges. Nothing is estimated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.imaging.plane import robust_plane
from cine3d_core.imaging.regions import connected_regions
from cine3d_core.scene import DepthMap, DepthStroke, Stroke

Array = NDArray[Any]  # float64
Mask = NDArray[np.bool_]

ALIKE = 0.18  # share of disparity by which a thing's own pixels differ from those under the stroke
FOOT = 0.1  # share of a thing's height, at its lower end, where it touches the ground


def mend_depth(depth: DepthMap, strokes: Sequence[DepthStroke]) -> DepthMap:
    """The depth with every stroke applied in turn; the same input gives the same bits.

    Raises:
        InputError: a stroke outside the photo, or without what its mending needs.
    """
    if not strokes:
        return depth
    disparity = 1 / depth.depth[0].cpu().numpy().astype(np.float64)
    sky = depth.sky.clone()
    for number, stroke in enumerate(strokes, 1):
        thing = _thing(disparity, stroke, number)
        disparity = np.where(thing, _mended(disparity, thing, stroke, number), disparity)
        # what a person has given a depth is no sky
        sky = torch.where(torch.from_numpy(thing)[None].to(sky.device), torch.zeros_like(sky), sky)
    mended = torch.from_numpy((1 / disparity).astype(np.float32))[None]
    return replace(depth, depth=mended.to(depth.depth), sky=sky)


def _thing(disparity: Array, stroke: DepthStroke, number: int) -> Mask:
    """What is painted, and what is joined to it at nearly its depth within reach."""
    painted = _painted(stroke.stroke, disparity.shape)
    if not painted.any():
        height, width = disparity.shape
        raise InputError(
            f"depth stroke {number} lies outside the {width}x{height} photo; draw it on the photo"
        )
    if stroke.reach <= 0:
        return painted
    own = disparity[painted]
    low, high = np.percentile(own, [5, 95])
    alike = (disparity > low * (1 - ALIKE)) & (disparity < high * (1 + ALIKE))
    away = cv2.distanceTransform((~painted).astype(np.uint8), cv2.DIST_L2, 5)
    _, label = connected_regions(painted | (alike & (away <= stroke.reach)))
    return np.isin(label, np.unique(label[painted]))


def _painted(stroke: Stroke, shape: tuple[int, ...]) -> Mask:
    canvas = np.zeros(shape, np.uint8)
    pixels = np.floor(np.array(stroke.points, np.float64)).clip(-1e6, 1e6).astype(np.int32)
    if len(pixels) == 1:
        pixels = np.repeat(pixels, 2, axis=0)
    cv2.polylines(canvas, [pixels[:, None]], False, 1, max(1, round(stroke.width)))
    return canvas > 0


def _mended(disparity: Array, thing: Mask, stroke: DepthStroke, number: int) -> Array:
    """Disparity of the thing; meaningless elsewhere."""
    if stroke.mending in ("nearer", "farther"):
        factor = stroke.amount if stroke.mending == "nearer" else 1 / stroke.amount
        return np.minimum(disparity * factor, _nearest(disparity))
    if stroke.mending == "as-far-as":
        return disparity * (_at(disparity, stroke, number) / np.median(disparity[thing]))
    if stroke.mending == "flatten":
        return _plane(disparity, thing)
    rows = np.nonzero(thing.any(1))[0]
    foot = thing.copy()
    foot[: int(rows[-1] - FOOT * (rows[-1] - rows[0]))] = False
    return np.full_like(disparity, np.median(disparity[foot]))


def _nearest(disparity: Array) -> float:
    """Nothing comes nearer than what is nearest by now, or than 1, where the nearest thing lies."""
    return max(1.0, float(disparity.max()))


def _at(disparity: Array, stroke: DepthStroke, number: int) -> float:
    """Disparity of the place that a stroke names."""
    height, width = disparity.shape
    if stroke.like is None:
        raise InputError(f'depth stroke {number} is "as-far-as" without "like"; give it a place')
    x, y = stroke.like
    if not (0 <= x <= width and 0 <= y <= height):
        raise InputError(
            f"depth stroke {number} is as far as ({x:g}, {y:g}), outside the {width}x{height} "
            "photo; name a place on it"
        )
    return float(disparity[min(int(y), height - 1), min(int(x), width - 1)])


def _plane(disparity: Array, thing: Mask) -> Array:
    """The plane fitted to the thing: its disparity is linear in the picture; never behind all."""
    rows, columns = np.indices(disparity.shape, dtype=np.float64)
    places = np.stack([columns, rows, np.ones_like(rows)], -1)
    if thing.sum() < 3:
        return disparity
    plane, _ = robust_plane(places[thing], disparity[thing])
    return np.clip(places @ plane, float(disparity.min()), _nearest(disparity))
