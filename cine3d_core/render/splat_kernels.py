"""How points enter pixels, and how a pixel is shared out among them, on the CPU.

`splat_loops` goes over pictures with these. A fragment is one number, the bits of its depth above
the index of its point: positive floats sort like their bits, so comparing the numbers compares
depth first and then index.

Hot loops take flat arrays and offsets: a slice would count references for every pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from cine3d_core.imaging.compiled import compiled, inner

BLOCK = 128  # consecutive points whose common extent decides whether a band looks at them
NONE = np.uint64(0xFFFFFFFFFFFFFFFF)  # sorts behind every fragment
LOW = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)


class PointArrays(NamedTuple):
    """Points on the screen; those of D clouds have a first dimension of D."""

    pixels: np.ndarray  # [N, 2] float32 x, y
    depth: np.ndarray  # [N] float32
    bits: np.ndarray  # [N] uint32: the same memory as `depth`
    radius: np.ndarray  # [N] float32 px
    extents: np.ndarray  # [ceil(N / BLOCK), 2] float32, see `block_extents`


class SplatStyle(NamedTuple):
    """`SplatParams` for compiled functions."""

    disc: bool  # the footprint; else a tent
    near: float  # depth up to which nothing is drawn
    least: float  # weight that a fragment must exceed
    over: bool  # alpha compositing; else coverage
    surface: float  # depths up to the nearest times this are one surface
    gain: float  # a surface is closed up to this much
    room: int  # K: fragments kept in each pixel


class Lists(NamedTuple):
    """Fragments of a band of pixels, K places for each, nearest first."""

    keys: np.ndarray  # [pixels * K] uint64
    weights: np.ndarray  # [pixels * K] float32
    filled: np.ndarray  # [pixels] uint8: places in use


class Shares(NamedTuple):
    """Room for one pixel's fragments."""

    fragment: np.ndarray  # [K] uint32
    share: np.ndarray  # [K] float32
    bits: np.ndarray  # [1] uint32: one float, to look at its bits
    depth: np.ndarray  # [1] float32: the same memory as `bits`


@compiled()
def block_extents(
    pixels: np.ndarray,  # [N, 2] float32
    depth: np.ndarray,  # [N] float32
    radius: np.ndarray,  # [N] float32
    near: float,
    out: np.ndarray,  # [ceil(N / BLOCK), 2] float32: top and bottom row coordinate
) -> None:
    """Which rows the points of each block may touch; an empty range where none is drawn."""
    count = depth.shape[0]
    for block in prange(out.shape[0]):
        top, bottom = np.float32(np.inf), np.float32(-np.inf)
        for point in range(block * BLOCK, min((block + 1) * BLOCK, count)):
            if depth[point] > near:
                top = min(top, pixels[point, 1] - radius[point])
                bottom = max(bottom, pixels[point, 1] + radius[point])
        out[block, 0], out[block, 1] = top, bottom


@inner()
def insert(
    points: PointArrays,
    first_index: int,  # of the first of them, in the order of drawing
    row_first: int,
    row_end: int,
    width: int,  # of the picture
    style: SplatStyle,
    lists: Lists,
    across: np.ndarray,  # [W] float32, to work in
) -> None:
    """Sorts the points that touch rows `row_first` to `row_end` into the band's lists."""
    pixels, depth, bits, radius, extents = points
    disc, near, most = style.disc, style.near, style.room
    least = np.float32(style.least)
    keys, weights, filled = lists
    half, one, zero = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    for block in range(extents.shape[0]):
        if not (extents[block, 1] > row_first and extents[block, 0] < row_end):
            continue
        for point in range(block * BLOCK, min((block + 1) * BLOCK, depth.shape[0])):
            x, y, r = pixels[point, 0], pixels[point, 1], radius[point]
            # Also false for NaN; and keeps the integers below in range.
            if not (x > -r and x < width + r and y > row_first - r and y < row_end + r):
                continue
            if not depth[point] > near:
                continue
            top = max(row_first, int(np.ceil(y - r - half)))
            bottom = min(row_end - 1, int(np.floor(y + r - half)))
            left = max(0, int(np.ceil(x - r - half)))
            right = min(width - 1, int(np.floor(x + r - half)))
            for column in range(left, right + 1):
                away = abs(x - (np.float32(column) + half))
                across[column - left] = away * away if disc else max(one - away / r, zero)
            key = (np.uint64(bits[point]) << HIGH) | np.uint64(first_index + point)
            for row in range(top, bottom + 1):
                away = abs(y - (np.float32(row) + half))
                down = away * away if disc else max(one - away / r, zero)
                line = (row - row_first) * width
                for column in range(left, right + 1):
                    if disc:
                        weight = one - (across[column - left] + down) / (r * r)
                    else:
                        weight = across[column - left] * down
                    if not weight > least:
                        continue
                    cell = line + column
                    start = cell * most
                    slot = start + filled[cell]
                    if filled[cell] < most:
                        filled[cell] += np.uint8(1)
                    else:
                        slot -= 1
                        if key > keys[slot]:
                            continue
                    while slot > start and keys[slot - 1] > key:
                        keys[slot] = keys[slot - 1]
                        weights[slot] = weights[slot - 1]
                        slot -= 1
                    keys[slot] = key
                    weights[slot] = weight


@inner()
def share_out(
    keys: np.ndarray,  # [n] uint64
    weights: np.ndarray,  # [n] float32
    start: int,
    end: int,
    style: SplatStyle,
    shares: Shares,
) -> tuple[int, np.float32, np.float32]:
    """Point and share of each fragment: how many, covered share, disparity.

    No jumps: which fragment ends a surface, or fills the pixel, no processor can foretell.
    """
    over, surface, most = style.over, np.float32(style.surface), np.float32(style.gain)
    index, share, bits, depth = shares
    zero, one = np.float32(0.0), np.float32(1.0)
    left, covered, disparity, gain = one, zero, zero, one
    limit = NONE
    if start < end and not over:
        bits[0] = np.uint32(keys[start] >> HIGH)
        depth[0] = depth[0] * surface
        limit = (np.uint64(bits[0]) << HIGH) | LOW
        first = zero
        for slot in range(start, end):
            if keys[slot] <= limit:
                first += weights[slot]
        gain = min(one / max(first, np.float32(1e-6)), most)
    for slot in range(start, end):
        key, own = keys[slot], weights[slot]
        own = own * left if over else min(own * (gain if key <= limit else one), left)
        left -= own
        covered += own
        bits[0] = np.uint32(key >> HIGH)
        disparity += own / depth[0]
        index[slot - start] = np.uint32(key & LOW)
        share[slot - start] = own
    return end - start, covered, disparity


@inner()
def add_up(
    out: np.ndarray,  # [planes, H * W] float32
    first_plane: int,
    planes: int,
    at: int,  # pixel
    rows: np.ndarray,  # [N, C] float32, C a multiple of 4
    shares: Shares,
    count: int,
    scale: np.float32,  # float32
) -> None:
    """Averages of the columns of `rows`, written to pixel `at` of `planes` planes."""
    index, share = shares.fragment, shares.share
    zero = np.float32(0.0)
    for block in range(0, rows.shape[1], 4):
        a, b, c, d = zero, zero, zero, zero
        for k in range(count):
            point = np.int64(index[k])
            a += share[k] * rows[point, block]
            b += share[k] * rows[point, block + 1]
            c += share[k] * rows[point, block + 2]
            d += share[k] * rows[point, block + 3]
        plane = first_plane + block
        out[plane, at] = a * scale
        if block + 1 < planes:
            out[plane + 1, at] = b * scale
        if block + 2 < planes:
            out[plane + 2, at] = c * scale
        if block + 3 < planes:
            out[plane + 3, at] = d * scale
