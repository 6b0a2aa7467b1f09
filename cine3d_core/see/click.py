"""One click says "this thing": what it is on, up to the photo's edges.

A random walk (Grady, "Random Walks for Image Segmentation", PAMI 2006) over the small picture:
it stops at edges of colour, is drawn to where the network sees the same as under the first click,
and starts from what was clicked. More clicks add to the thing, or take from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from cine3d_core.errors import InputError
from cine3d_core.imaging.guided_filter import predict_from_colour, regress_on_colour, resized
from cine3d_core.imaging.regions import connected_regions
from cine3d_core.see.regions import GROUPS

Array = NDArray[Any]  # floats; cv2's annotations know no precision
Mask = NDArray[np.bool_]
Click = tuple[int, int, bool]  # x, y in pixels, and whether the place belongs to the thing

SIDE = 192  # px, long side at which the walk is solved
EDGE = 60.0  # how much an edge of colour holds the walk back
PULL = 0.002  # weight of what the network sees, against one neighbour of the same colour
SEED_PULL = 8.0
SEED = 0.015  # of the width: radius of what one click is sure of
SEEN = 0.05  # probability under the click below which the network knows nothing of the thing
UNLIKE = 0.12  # distance in Lab / 100 at which a colour is as likely another thing's
FEW = 12  # colours that stand for what was clicked
GUIDE_RADIUS = 4  # px of the small picture
GUIDE_EPSILON = 1e-3


def grow_click(
    probability: Array,  # [K, H, W] float32 of each of FLUIDS
    colour: Array,  # [H, W, 3] float32 in [0, 1]
    clicks: Sequence[Click],  # the first one is on the thing
) -> Mask:  # [H, W]
    """What the clicks are on; the same input gives the same bits.

    Raises:
        InputError: the first click is not on the thing, or a click is outside the photo.
    """
    height, width = colour.shape[:2]
    _check(clicks, height, width)
    scale = min(1.0, SIDE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    places = [(x * size[0] // width, y * size[1] // height) for x, y, _ in clicks]
    seeds = _seeds(places, clicks, small.shape[:2])
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB) / 100
    lab = cv2.bilateralFilter(lab.astype(np.float32), 5, 0.1, 2)
    planes = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in probability])
    grouped = np.stack([planes[list(group)].sum(0) for group in GROUPS])
    share = _walk(lab, _likely(grouped, lab, seeds, places[0]), seeds)
    return _joined(_enlarged(share, small, colour) > 0.5, clicks)


def _check(clicks: Sequence[Click], height: int, width: int) -> None:
    if not clicks or not clicks[0][2]:
        raise InputError("the first click must be on the thing; click on it")
    for x, y, _ in clicks:
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"a click at ({x}, {y}) is outside the {width}x{height} picture; click on the photo"
            )


def _seeds(
    places: Sequence[tuple[int, int]], clicks: Sequence[Click], shape: tuple[int, ...]
) -> NDArray[np.uint8]:  # [h, w] 1 belongs, 2 does not, 0 open
    seeds = np.zeros(shape, np.uint8)
    radius = max(1, round(SEED * shape[1]))
    for place, click in zip(places, clicks, strict=True):
        cv2.circle(seeds, place, radius, 1 if click[2] else 2, -1)
    return seeds


def _likely(
    grouped: Array,  # [G, h, w] probability of each of GROUPS
    lab: Array,  # [h, w, 3]
    seeds: NDArray[np.uint8],  # [h, w]
    place: tuple[int, int],
) -> Array:  # [h, w]
    """How likely each pixel is of the thing: more than a half, or less."""
    x, y = place
    reach = max(2, round(0.01 * lab.shape[1]))
    window = grouped[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    here = window.mean((1, 2))
    best = int(here.argmax())
    if here[best] < SEEN:  # a solid thing: what surely flows is none of it
        return _alike(lab, seeds) * (1 - grouped.sum(0).clip(0, 1))
    # two thirds where as likely as here, a half at half of that
    likely = grouped[best] / (grouped[best] + 0.5 * here[best])
    return 0.5 * (likely + _alike(lab, seeds)) if (seeds == 2).any() else likely


def _alike(lab: Array, seeds: NDArray[np.uint8]) -> Array:  # [h, w]
    """Nearness of colour to the clicks that belong, against those that do not."""
    own = lab[seeds == 1]
    near = _least_distance(lab, own)
    usual = max(UNLIKE**2, 4 * float(own.var(0).sum()))
    away = lab[seeds == 2]
    far = np.minimum(usual, _least_distance(lab, away)) if len(away) else usual
    return (far / (near + far + 1e-9)).astype(np.float32)


def _least_distance(lab: Array, colours: Array) -> Array:  # [h, w]
    """Squared, to the nearest of at most a few colours."""
    few = colours[:: max(1, len(colours) // FEW)]
    return np.min([np.square(lab - one).sum(-1) for one in few], axis=0)


def _walk(lab: Array, likely: Array, seeds: NDArray[np.uint8]) -> Array:  # [h, w]
    """Share of walkers from each pixel that end on the thing."""
    spread = 2 * float(lab.var((0, 1)).sum()) + 1e-6
    pull = np.full(likely.size, PULL)
    target = likely.ravel().astype(np.float64)
    pull[seeds.ravel() > 0] = SEED_PULL
    target[seeds.ravel() == 1], target[seeds.ravel() == 2] = 1.0, 0.0
    energy = _laplacian(lab, spread) + sparse.diags(pull)
    # symmetric positive definite: no pivoting, and an ordering for symmetric matrices
    factors = splu(
        sparse.csc_matrix(energy),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    solved = factors.solve(pull * target)
    return solved.reshape(likely.shape).astype(np.float32)


def _laplacian(lab: Array, spread: float) -> sparse.csr_matrix:  # [n, n]
    """Of the grid of pixels; neighbours of one colour are bound by 1, across an edge by little."""
    height, width = lab.shape[:2]
    index = np.arange(height * width).reshape(height, width)
    pairs = [(index[:, :-1], index[:, 1:]), (index[:-1], index[1:])]
    bonds = [np.exp(-EDGE * np.square(np.diff(lab, axis=axis)).sum(-1) / spread) for axis in (1, 0)]
    one = np.concatenate([a.ravel() for a, _ in pairs])
    other = np.concatenate([b.ravel() for _, b in pairs])
    bond = np.concatenate([b.ravel() for b in bonds]) + 1e-5
    shape = (index.size, index.size)
    both = (np.r_[bond, bond], (np.r_[one, other], np.r_[other, one]))
    matrix = sparse.csr_matrix(both, shape=shape)
    return sparse.csr_matrix(sparse.diags(np.asarray(matrix.sum(1)).ravel()) - matrix)


def _enlarged(share: Array, small: Array, colour: Array) -> Array:  # [H, W]
    """The shares at the photo's size, their border on its edges."""
    if small.shape == colour.shape:
        return share
    sure = torch.from_numpy(np.clip((share - 0.5) * 4 + 0.5, 0, 1).astype(np.float32))
    regression = regress_on_colour(
        torch.from_numpy(small),
        sure,
        torch.ones_like(sure),
        radius=GUIDE_RADIUS,
        epsilon=GUIDE_EPSILON,
    )
    regression = resized(regression, *colour.shape[:2])
    return predict_from_colour(regression, torch.from_numpy(colour)).numpy()


def _joined(mask: Mask, clicks: Sequence[Click]) -> Mask:
    """The connected parts under the clicks that belong."""
    _, label = connected_regions(mask)
    under = {int(label[y, x]) for x, y, belongs in clicks if belongs} - {0}
    return np.isin(label, list(under))
