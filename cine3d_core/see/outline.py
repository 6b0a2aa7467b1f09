"""What is sky and what stands before it, pixel by pixel along the sky's border.

The network and the guided filter know the border to a few pixels: masts, twigs and the gaps
between leaves are thinner. There the colour decides. The sky behind is the sure sky continued
smoothly; what stands before it differs from that by a share of the way to the ground's colour (the
alpha of matting), or by a thin sharp line that hangs on the ground. The numbers were chosen on
photographs of `train`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.imaging.regions import connected_regions

Array = NDArray[Any]  # float32; cv2's annotations know no dtype
Mask = NDArray[np.bool_]

SIDE = 640  # px, long side at which the colours of sky and ground are continued: they are smooth
ROUNDS = 3  # each continues the sky farther in between the things
SURE_SKY, SURE_GROUND = 0.95, 0.05
SURE_SHARE = 0.3  # of what is likely sky: so much must be sure
THIN = 0.005  # of the long side: half the width of what counts as thin
SPARSE = 0.012  # of the long side: half the width of what the sky's colours forget
BAND = 0.024  # of the long side: how far from the border the colour decides
BESIDE = 0.006  # of the long side: what counts as beside a pixel
WINDOW = 0.04  # of the long side: how far round a place its texture is looked at
DIFFERS = 0.05  # distance in RGB that tells a thing from the sky
TEXTURES = 3.5  # and this many times the mean texture of the sky there
ALPHA = 0.35  # share of the way to the ground's colour from which a pixel is mixed with it
FIRM = 0.6  # the same for what is wide: the sky itself grows dark over the hills of an evening
SEEN = 0.12  # distance of the two colours from which that share means something
MISTAKEN = 0.25  # share of sure ground that looks like sky: there colour tells nothing
SHARP = 0.035  # RGB per pixel at a thin thing's edge; clouds are softer
UNUSUAL = 2.0  # how much more a line must differ that is unlike sky and ground
GOES_ON = 3  # times 2 px
SPECK = 0.004  # of the long side: the side of the smallest scrap of sky
RIM = 2  # px of mixed colour that go with what they are mixed with
BEYOND = 1.8  # share of that way that is neither
CRISP = 0.17  # of a thing's contrast, in one pixel of its outline
FADES = 0.008  # of the long side: within this, an outline must end in clear sky,
CLEAN = 0.1  # of the thing's contrast: dusk and haze over hills are no outline
SOLID, THING, CLEAR = 0.2, 0.3, 0.9  # probability of sky where the colour has decided
HOLDS = 0.0005  # share of the picture: what is smaller holds nothing


@dataclass(frozen=True)
class _Behind:
    """The picture against the sky behind it; [H, W] each."""

    differs: Array  # distance of the colour from the sky's
    alpha: Array  # share of the way from the sky's colour to the ground's
    apart: Array  # distance of these two
    least: Array  # distance that is no texture of the sky


def is_sure(sky: Array) -> bool:
    """Whether enough of what is likely sky [H, W] is sure for its colours to tell anything.

    Those of an illuminated roof, or of fog in a forest, do not.
    """
    return bool((sky > SURE_SKY).sum() > SURE_SHARE * (sky > 0.5).sum())


def outlined(sky: Array, colour: Array) -> Array:  # [H, W], [H, W, 3] -> [H, W]
    """The probability of sky with its border decided by colour; the rest as it was."""
    likely = sky > 0.5
    if likely.all() or not is_sure(sky):
        return sky
    behind = _behind(sky, colour)
    solid = _solid(behind)
    step = cv2.morphologyEx(colour, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(2) / 2
    # a border that fades stays as soft as it was
    border = _near(likely, sky) & _near(~likely, sky) & _near(_edge(behind, step), sky)
    alike = _like_sky(sky, behind)
    thing = likely & (_thin(likely, behind, step) | (solid & border & (sky < SURE_SKY)))
    thing = _crisp(held(thing, likely | alike), behind, step)
    ground = ~likely & ((sky < SURE_GROUND) | (solid & border))
    for _ in range(RIM):
        thing |= _rim(thing | (ground & ~alike), behind) & likely
    clear = alike & (border | _near(thing, sky)) & _near(thing | (ground & ~alike), sky) & ~thing
    specks = _specks((likely & ~thing) | clear)
    clear, thing = clear & ~specks, thing | (specks & likely)
    told = np.where(clear, np.maximum(sky, CLEAR), np.where(ground, np.minimum(sky, SOLID), sky))
    return np.where(thing, np.minimum(sky, THING), told).astype(np.float32)


def _behind(sky: Array, colour: Array) -> _Behind:
    height, width = sky.shape
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(sky, size, interpolation=cv2.INTER_AREA)
    ground = _continued(small, soft < SURE_GROUND)
    known = cv2.erode((soft > SURE_SKY).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    radius = _pixels(SPARSE, soft)
    back, apart = small, small
    for _ in range(ROUNDS):
        # the median forgets what is thin and keeps the borders of clouds
        back = _continued(small, known)
        back = cv2.medianBlur((back * 255).round().astype(np.uint8), 2 * radius + 1) / 255.0
        back = cv2.GaussianBlur(back.astype(np.float32), (0, 0), max(0.6, radius / 3))
        apart = np.linalg.norm(ground - back, axis=2)
        off = np.linalg.norm(small - back, axis=2)
        known = (soft > SURE_SKY) | ((soft > SURE_GROUND) & (off < DIFFERS))
        known &= off < 0.5 * np.maximum(apart, 2 * DIFFERS)
    there = (width, height)
    back, ground = (cv2.resize(plane, there) for plane in (back, ground))
    way, step = colour - back, ground - back
    apart = np.linalg.norm(step, axis=2)
    alpha = (way * step).sum(2) / np.maximum(apart * apart, 1e-4)
    differs = np.linalg.norm(way, axis=2)
    return _Behind(differs, alpha, apart, _texture(sky, differs))


def _continued(colour: Array, known: Mask) -> Array:  # [h, w, 3]
    planes = torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1)))
    filled = push_pull(planes, torch.from_numpy(known.astype(np.float32))[None])
    return np.ascontiguousarray(filled.numpy().transpose(1, 2, 0))


def _texture(sky: Array, differs: Array) -> Array:  # [H, W]
    """How far the sky's own colours stray round every place, times what makes it unusual."""
    sure = (sky > SURE_SKY).astype(np.float32)
    total = _window_sum(sure * np.minimum(differs, 0.3))
    return np.maximum(DIFFERS, TEXTURES * total / np.maximum(_window_sum(sure), 1e-3))


def _solid(behind: _Behind) -> Mask:
    """What has the ground's colour rather than the sky's, and no less of it than what is beside."""
    between = (behind.alpha > FIRM) & (behind.alpha < BEYOND) & (behind.apart > SEEN)
    size = 2 * _pixels(BESIDE, behind.differs) + 1
    top = cv2.dilate(behind.differs, np.ones((size, size), np.uint8))
    return between & (behind.differs > np.maximum(behind.least, top / 2))


def _edge(behind: _Behind, step: Array) -> Mask:
    """Where the picture goes from the sky to the ground within some pixels."""
    sharp = (step > SHARP) & (step > CRISP * behind.apart) & (behind.apart > SEEN)
    return sharp & _beside_clear_sky(behind)


def _beside_clear_sky(behind: _Behind) -> Mask:
    """Where the sky beside a thing has its own colour, not one that fades into the thing's."""
    size = 2 * _pixels(FADES, behind.differs) + 1
    window = np.ones((size, size), np.uint8)
    least, most = cv2.erode(behind.differs, window), cv2.dilate(behind.differs, window)
    return least < CLEAN * most


def _thin(likely: Mask, behind: _Behind, step: Array) -> Mask:
    """Lines sharper and narrower than clouds have them, unlike the sky on both sides."""
    radius = _pixels(THIN, likely)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # what is wide, or the sky continued wrongly, stays when it is opened
    lines = cv2.morphologyEx(behind.differs, cv2.MORPH_TOPHAT, disc)
    sharp = cv2.dilate((step > SHARP).astype(np.uint8), disc) > 0
    top = cv2.dilate(lines, np.ones((5, 5), np.uint8))
    # what is lighter than the sky before dark ground, or darker than both, is rather cloud
    unlike = (behind.alpha < 0) | (behind.alpha > BEYOND)
    lines = np.where(unlike, lines / UNUSUAL, lines)
    may = likely & sharp & (lines > ALPHA * top)
    found = may & (lines > behind.least)
    for _ in range(GOES_ON):  # a line goes on where it fades
        beside = cv2.dilate(found.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        found |= may & beside & (lines > behind.least / 2)
    return found


def _crisp(found: Mask, behind: _Behind, step: Array) -> Mask:
    """Finds of which half the outline takes its contrast within some pixels; steam does not."""
    outline = found & (cv2.erode(found.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    contrast = cv2.dilate(behind.differs, np.ones((5, 5), np.uint8))
    crisp = outline & (step > CRISP * contrast) & _beside_clear_sky(behind)
    count, label = connected_regions(cv2.dilate(found.astype(np.uint8), np.ones((3, 3))) > 0)
    sharp = np.bincount(label[crisp], minlength=count)
    return found & (2 * sharp >= np.bincount(label[outline], minlength=count))[label]


def _rim(found: Mask, behind: _Behind) -> Mask:
    """The mixed pixels beside what was found, of which enough is its colour."""
    nearby = np.ones((3, 3), np.uint8)
    top = cv2.dilate(np.where(found, behind.differs, 0), nearby)
    share = behind.differs / np.maximum(top, 1e-3)
    beside = cv2.dilate(found.astype(np.uint8), nearby) > 0
    mixed = beside & (share > ALPHA) & (behind.differs > behind.least)
    return mixed & _beside_clear_sky(behind)


def _like_sky(sky: Array, behind: _Behind) -> Mask:
    """Pixels with the sky's colour, where the ground has another."""
    alike = (behind.alpha < ALPHA) & (behind.differs < behind.least) & (behind.apart > SEEN)
    sure = (sky < SURE_GROUND).astype(np.float32)
    mistaken = _window_sum(sure * alike) / np.maximum(_window_sum(sure), 1e-3)
    return alike & (mistaken < MISTAKEN)


def held(found: Mask, sky: Mask) -> Mask:
    """What hangs together with something solid: a mast stands on something, a wisp does not."""
    bridged = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    count, label = connected_regions(bridged | ~sky)
    solid = np.bincount(label.ravel(), ~sky.ravel(), count) >= HOLDS * sky.size
    solid[0] = False
    return found & solid[label]


def _specks(sky: Mask) -> Mask:
    """Scraps of sky too small to be seen behind what they are in."""
    count, label = connected_regions(sky)
    area = np.bincount(label.ravel(), minlength=count)
    return sky & (area < max(2, (SPECK * max(sky.shape)) ** 2))[label]


def _near(mask: Mask, like: Array) -> Mask:
    size = 2 * _pixels(BAND, like) + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def _window_sum(plane: Array) -> Array:
    size = 2 * _pixels(WINDOW, plane) + 1
    return cv2.blur(plane.astype(np.float32), (size, size), borderType=cv2.BORDER_REFLECT)


def _pixels(share: float, plane: Array) -> int:
    return max(1, round(share * max(plane.shape[:2])))
