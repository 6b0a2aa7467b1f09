"""From a network's rough probabilities of what flows to regions along the photo's edges.

The network answers at a quarter of a photo's size. A guided filter (He, Sun and Tang, TPAMI 2013)
moves the borders to the photo's edges, and at the sky's border colour decides every pixel
(`outline`): masts, ropes, branches and railings are cut out. Nothing solid may be in what moves,
so regions that are small, or nowhere sure, are dropped: still water is a smaller fault than a post
that flows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.guided_filter import predict_from_colour, regress_on_colour, resized
from cine3d_core.imaging.regions import connected_regions
from cine3d_core.imaging.windows import box_mean, enlarged, shrunk
from cine3d_core.scene import FLUIDS
from cine3d_core.see.outline import CLEAR, THING, held, is_sure, outlined

Array = NDArray[Any]  # float32; cv2's annotations know no dtype
Mask = NDArray[np.bool_]

CPU = torch.device("cpu")
GUIDE_SIDE = 640  # px, long side at which the filter's regressions are made
GUIDE_RADIUS = 6  # px there
GUIDE_EPSILON = 1e-3  # variance of colour that counts as texture
WAVERS = 0.1  # probability of sky from which, and up to 1 minus which, the network is not sure
SURELY = 0.97  # along the photo's edges: the filter draws in what is sure, too
TOLD_RADIUS = 24  # px of the guide: how far round a place its colours are learned
TOLD = 0.75  # share of what is sure that colour has to explain; chosen on the check photographs
FULLY = 0.15  # and this much more until colour alone decides
TOLD_SHARE = 0.02  # of a window: so much of sky and of ground it must hold to say anything
NOWHERE = 0.05  # a plane that stays below it names nothing, so its borders do not matter

SKY, WATER, FALLS, SMOKE, FIRE = range(len(FLUIDS))
# water and falls are one body: they are decided together, and told apart afterwards
GROUPS = ((SKY,), (WATER, FALLS), (SMOKE,), (FIRE,))
LEAST = (0.35, 0.3, 0.3, 0.5)  # probability from which a pixel is of a group
SURE = (0.6, 0.62, 0.4, 0.65)  # mean probability of a region that is kept
SURE_FALL = 0.55  # the same where most of it falls: little else looks like a fall
MIN_AREA = (0.004, 0.008, 0.01, 0.003)  # share of the picture; smaller regions are dropped

DOUBTFUL = 0.25  # mean probability of a region that is left still but offered

FALL_LIGHT = 1.15  # falling water is this many times as light as what rests: it is white with air

THIN = 0.006  # of the long side: half the width of what counts as thin
THIN_DARK = 0.10  # luminance below what is round it
THIN_BRIGHT = 0.22  # the same above it: clouds have bright wisps
SHARP = 0.05  # luminance per pixel at a thin thing's edge; clouds are softer
GROUND = 0.1  # probability of sky below which the network is sure of ground
NO_GROUND = 0.002  # share of the picture: with less, there is nothing but sky

ROUND = 0.08  # of the long side: how far round a place its sky is looked at
UNLIKE = 0.2  # distance in RGB that no sky spans
SPREADS = 2.5  # and this many times the spread of the sky there
BLUE = 0.05  # by which blue exceeds red where the sky shows between clouds


def sharpen(
    probability: Array,  # [K, h, w]
    colour: Array,  # [H, W, 3]
    device: torch.device = CPU,
) -> Array:  # [K, H, W]
    """Probabilities at the photo's size, their borders on the photo's edges.

    Only the filter, which takes nearly all of the time, is the device's work.
    """
    there = (torch.from_numpy(array).to(device) for array in (probability, colour))
    rough, picture = there
    sharp = _along_edges(rough, picture)
    sharp[SKY] = sky_by_colour(rough[SKY], sharp[SKY], picture)
    planes = sharp.cpu().numpy()
    if planes[SKY].max() > 0.5:
        if is_sure(planes[SKY]):
            planes[SKY] = outlined(planes[SKY], colour)
        else:
            planes[SKY] *= ~thin_things(planes[SKY] > 0.5, colour)
        unlike = unlike_sky(planes[SKY] > 0.5, colour)
        planes[SKY] = np.where(unlike, np.minimum(planes[SKY], THING), planes[SKY])
        if (probability[SKY] < GROUND).mean() < NO_GROUND:  # then clouds are no things
            planes[SKY] = np.maximum(planes[SKY], CLEAR)
    planes[[WATER, FALLS]] *= np.where(dark_falls(planes, colour), 0.5, 1.0)
    return planes.astype(np.float32)


def _along_edges(probability: Tensor, colour: Tensor) -> Tensor:  # [H, W, 3] -> [K, H, W]
    """The guided filter, plane by plane."""
    height, width = colour.shape[:2]
    scale = min(1.0, GUIDE_SIDE / max(height, width))
    small = max(1, round(height * scale)), max(1, round(width * scale))
    guide = shrunk(colour, *small)
    weights = torch.ones_like(guide[..., 0])
    sharp = []
    for plane in probability:
        if float(plane.max()) < NOWHERE:
            sharp.append(enlarged(plane, height, width))
            continue
        soft = enlarged(plane, *small)
        regression = regress_on_colour(
            guide, soft, weights, radius=GUIDE_RADIUS, epsilon=GUIDE_EPSILON
        )
        sharp.append(predict_from_colour(resized(regression, height, width), colour))
    return torch.stack(sharp).clamp(0, 1)


def sky_by_colour(rough: Tensor, sharp: Tensor, colour: Tensor) -> Tensor:  # [H, W]
    """The probability of sky where the network wavers, by the colours that it is sure of nearby.

    It sees the tops of dark hills as half sky, several cells deep. Where the colours of
    what is surely sky and surely ground tell the two apart, they decide.

    Args:
        rough: [h, w] as the network says.
        sharp: [H, W] the same along the photo's edges.
        colour: [H, W, 3].
    """
    height, width = sharp.shape
    scale = min(1.0, GUIDE_SIDE / max(height, width))
    small = max(1, round(height * scale)), max(1, round(width * scale))
    soft = enlarged(rough, *small)
    sky, ground = (soft > 1 - WAVERS).to(soft), (soft < WAVERS).to(soft)
    seen = [box_mean(side, TOLD_RADIUS) > TOLD_SHARE for side in (sky, ground)]
    both = (seen[0] & seen[1]).to(soft)
    if not bool(both.any()):
        return sharp
    regression = regress_on_colour(
        shrunk(colour, *small),
        sky,
        sky + ground,
        radius=TOLD_RADIUS,
        epsilon=GUIDE_EPSILON,
        windows=both,
    )
    told = ((regression.explained - TOLD) / FULLY).clamp(0, 1)
    told = enlarged(told, height, width)
    said = predict_from_colour(resized(regression, height, width), colour).clamp(0, 1)
    wavers = (sharp > WAVERS) & (sharp < SURELY)
    return torch.where(wavers, torch.lerp(sharp, said, told), sharp)


def dark_falls(planes: Array, colour: Array) -> Mask:  # [K, H, W], [H, W, 3] -> [H, W]
    """What is likely to fall but no lighter than the static area: the trunks of a forest.

    Of the 15 outlined falls of the training photographs all are lighter by this and more.
    """
    falls = (planes[FALLS] > planes[WATER]) & (planes[FALLS] > LEAST[1])
    rests = planes.max(0) < LEAST[1]
    if not falls.any() or not rests.any():
        return np.zeros(falls.shape, bool)
    light = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    least = FALL_LIGHT * float(np.median(light[rests]))
    count, label = connected_regions(falls)
    dark = [i for i in range(1, count) if np.median(light[label == i]) < least]
    return np.isin(label, dark)


def unlike_sky(sky: Mask, colour: Array) -> Mask:  # [H, W], [H, W, 3] -> [H, W]
    """What has another colour than the sky round it: domes and lamps, the sun, the moon, stars.

    The sky round it is known by mean and spread of its colours, so that clouds belong to it; where
    it is blue the sky shows between them.
    """
    sigma = ROUND * max(sky.shape) / 4
    size = (max(1, sky.shape[1] // 4), max(1, sky.shape[0] // 4))
    weight = sky.astype(np.float32)[..., None]
    planes = np.concatenate([colour * weight, np.square(colour) * weight, weight], -1)
    small = np.dstack(
        [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in cv2.split(planes)]
    )
    soft = cv2.GaussianBlur(small, (0, 0), sigma)
    soft = np.dstack([cv2.resize(p, sky.shape[::-1]) for p in cv2.split(soft)])
    mean = soft[..., :3] / np.maximum(soft[..., 6:], 1e-3)
    spread = np.maximum(soft[..., 3:6] / np.maximum(soft[..., 6:], 1e-3) - np.square(mean), 0)
    distance = np.square(colour - mean).sum(-1)
    red, green, blue = (colour[..., i] for i in range(3))
    blue_sky = (blue > red + BLUE) & (blue >= green)
    return sky & ~blue_sky & (distance > UNLIKE**2 + SPREADS**2 * spread.sum(-1))


def thin_things(sky: Mask, colour: Array) -> Mask:  # [H, W], [H, W, 3] -> [H, W]
    """What is narrow, unlike the sky on both sides, sharply bounded, and held by what is solid.

    For a sky that is too unsure for its colours to be continued behind things, as `outline` does.
    """
    light = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    radius = max(1, round(THIN * max(light.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    dark = cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, disc) > THIN_DARK
    # bright ground beyond the sky's border is no thing in the sky
    inside = np.where(sky, light, 0.0).astype(np.float32)
    bright = cv2.morphologyEx(inside, cv2.MORPH_TOPHAT, disc) > THIN_BRIGHT
    step = cv2.morphologyEx(light, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) / 2
    edge = cv2.dilate((step > SHARP).astype(np.uint8), disc) > 0
    found = held((dark | bright) & sky & edge, sky).astype(np.uint8)
    return cv2.dilate(found, np.ones((3, 3), np.uint8)) > 0


def kinds_of(probability: Array) -> NDArray[np.uint8]:  # [K, H, W] -> [H, W]
    """1 + index into FLUIDS where a region is likely, large and sure, else 0."""
    grouped = np.stack([probability[list(group)].sum(0) for group in GROUPS])
    best = grouped.argmax(0)
    likely = grouped.max(0) > np.take(LEAST, best)
    kind = np.zeros(best.shape, np.uint8)
    for number, (group, sure, area) in enumerate(zip(GROUPS, SURE, MIN_AREA, strict=True)):
        count, label = connected_regions(likely & (best == number))
        size = np.bincount(label.ravel(), minlength=count)
        total = np.bincount(label.ravel(), grouped[number].ravel(), count)
        inner = np.array(group)[probability[list(group)].argmax(0)]
        falling = np.bincount(label.ravel(), (inner == FALLS).ravel(), count) > 0.5 * size
        kept = total >= np.where(falling, SURE_FALL, sure) * size
        kept &= size >= area * kind.size
        kept[0] = False
        kind = np.where(kept[label], inner + 1, kind).astype(np.uint8)
    return kind


@dataclass(frozen=True)
class Doubtful:
    """A region that may flow: it is left still, and offered."""

    kind: str  # of FLUIDS
    probability: float  # mean over the region
    share: float  # of the picture
    x: float  # of its innermost place, share of the width from the left
    y: float  # share of the height from the top


def doubtful_regions(
    probability: Array,  # [K, H, W]
    kinds: NDArray[np.uint8],  # [H, W] what `kinds_of` makes of it
) -> list[Doubtful]:
    """What `kinds_of` leaves still although it may well flow; the largest first."""
    rests = kinds == 0
    grouped = np.stack([probability[list(group)].sum(0) for group in GROUPS])
    best = grouped.argmax(0)
    found = []
    for number, (group, area) in enumerate(zip(GROUPS, MIN_AREA, strict=True)):
        likely = rests & (best == number) & (grouped[number] > DOUBTFUL)
        count, label = connected_regions(likely)
        sizes = np.bincount(label.ravel(), minlength=count)
        for i in np.flatnonzero(sizes >= area * label.size):
            if i > 0:
                inside = label == i
                kind = FLUIDS[group[int(probability[list(group)][:, inside].sum(1).argmax())]]
                found.append(_doubtful(kind, inside, float(grouped[number][inside].mean())))
    return sorted(found, key=lambda region: -region.share)


def _doubtful(kind: str, inside: Mask, probability: float) -> Doubtful:
    depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    height, width = inside.shape
    x, y = (int(column) - 0.5) / width, (int(row) - 0.5) / height
    return Doubtful(kind, probability, float(inside.mean()), x, y)
