"""Compiled CPU kernels that draw several clouds with a common resting part; see `splat_pair.py`.

The picture is worked on in bands of rows. The fragments of a band stay in the processor's cache
and never become a picture of their own: resting points are inserted once, the moving points of
each cloud into lists beside theirs, and both lists are merged while they are added up.

A fragment is one number, the bits of its depth above the index of its point: positive floats sort
like their bits, so comparing the numbers compares depth first and then index.

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


class Attributes(NamedTuple):
    """What points bring, in the order of drawing."""

    rows: np.ndarray  # [N + M, C4] float32, the same in all clouds; C4 a multiple of 4
    channels: int  # C: how many columns of `rows` mean something
    own: np.ndarray  # [D, N + M, V] float32, of each cloud; V is 0 or 4


class Groups(NamedTuple):
    """The cross-fade weights of moving points."""

    of_point: np.ndarray  # [M] int16
    phases: np.ndarray  # [D, G] float32


class Places(NamedTuple):
    """Channels of the picture behind those that points carry, see `blend.SplatChannels`."""

    phase: int
    moving: int
    own: int  # the first


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
def merge(
    keys: np.ndarray,  # [n] uint64
    weights: np.ndarray,  # [n] float32
    a: int,
    end_a: int,
    b: int,
    end_b: int,
    out: int,
    room: int,
) -> int:
    """Merges the sorted lists from `a` and from `b` on into one from `out` on; its end."""
    key_a = keys[a] if a < end_a else NONE
    key_b = keys[b] if b < end_b else NONE
    end = min(out + room, out + (end_a - a) + (end_b - b))
    for slot in range(out, end):
        if key_a < key_b:
            keys[slot], weights[slot] = key_a, weights[a]
            a += 1
            key_a = keys[a] if a < end_a else NONE
        else:
            keys[slot], weights[slot] = key_b, weights[b]
            b += 1
            key_b = keys[b] if b < end_b else NONE
    return end


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


@inner()
def fade(
    groups: Groups,
    cloud: int,
    shares: Shares,
    count: int,
    resting: int,  # N: the points behind them move
) -> tuple[np.float32, np.float32]:
    """Cross-fade weight and share of what moves in a pixel, both float32 sums."""
    phase, moving = np.float32(0.0), np.float32(0.0)
    for k in range(count):
        point = np.int64(shares.fragment[k]) - resting
        if point >= 0:
            phase += shares.share[k] * groups.phases[cloud, groups.of_point[point]]
            moving += shares.share[k]
    return phase, moving


@inner()
def draw_band(
    cloud: int,
    row_first: int,
    row_end: int,
    lists: Lists,  # of what rests, then of each cloud, then room for one pixel's more
    area: int,  # pixels of a band
    brought: Attributes,
    groups: Groups,
    places: Places,
    style: SplatStyle,
    resting: int,  # N
    out: np.ndarray,  # [D, planes, H * W] float32
    alpha: np.ndarray,  # [D, H, W] float32
) -> None:
    """Draws the rows of one cloud from a band's lists."""
    keys, weights, filled = lists
    room = style.room
    clouds, _, width = alpha.shape
    planes, vectors = out.shape[1], brought.own.shape[2]
    merged = (clouds + 1) * area * room
    image, own_columns = out[cloud], brought.own[cloud]
    bits = np.empty(1, np.uint32)
    shares = Shares(
        np.empty(room, np.uint32), np.empty(room, np.float32), bits, bits.view(np.float32)
    )
    one = np.float32(1.0)
    for row in range(row_first, row_end):
        for column in range(width):
            cell, at = (row - row_first) * width + column, row * width + column
            other = (cloud + 1) * area + cell
            start = cell * room
            end = start + filled[cell]
            if filled[other] > 0:
                begin = other * room
                end = merge(keys, weights, start, end, begin, begin + filled[other], merged, room)
                start = merged
            elif cloud > 0 and vectors == 0 and filled[other - area] == 0:
                for plane in range(planes):  # only resting points, as in the cloud before
                    image[plane, at] = out[cloud - 1, plane, at]
                alpha[cloud, row, column] = alpha[cloud - 1, row, column]
                continue
            count, covered, disparity = share_out(keys, weights, start, end, style, shares)
            scale = one / max(covered, np.float32(1e-6))
            add_up(image, 0, brought.channels, at, brought.rows, shares, count, scale)
            if vectors > 0:
                add_up(image, places.own, vectors, at, own_columns, shares, count, scale)
            tagged = count if start == merged else 0  # else nothing here moves
            phase, moving = fade(groups, cloud, shares, tagged, resting)
            image[places.phase, at] = phase * scale
            image[places.moving, at] = moving * scale
            image[planes - 1, at] = disparity * scale
            alpha[cloud, row, column] = covered


@compiled()
def splat_clouds(
    rest: PointArrays,  # N points
    moving: PointArrays,  # M points of each of D clouds
    brought: Attributes,
    groups: Groups,
    places: Places,
    style: SplatStyle,
    band_rows: int,
    workers: int,
    out: np.ndarray,  # [D, C + 2 + V + 1, H * W]: carried, phase, moving, own, disparity
    alpha: np.ndarray,  # [D, H, W]
) -> None:
    """Averages of what the clouds carry, and coverage."""
    clouds, height, width = alpha.shape
    bands = (height + band_rows - 1) // band_rows
    area, room, resting = band_rows * width, style.room, rest.depth.shape[0]
    merged = (clouds + 1) * area * room  # room for one list more
    for worker in prange(workers):
        keys = np.empty(merged + room, np.uint64)
        weights = np.empty(merged + room, np.float32)
        filled = np.empty((clouds + 1) * area, np.uint8)
        across = np.empty(width, np.float32)
        lists = Lists(keys, weights, filled)
        for band in range(worker, bands, workers):
            first, end = band * band_rows, min((band + 1) * band_rows, height)
            filled[:] = 0
            insert(rest, 0, first, end, width, style, lists, across)
            for cloud in range(clouds):
                begin = (cloud + 1) * area
                points = PointArrays(
                    moving.pixels[cloud],
                    moving.depth[cloud],
                    moving.bits[cloud],
                    moving.radius[cloud],
                    moving.extents[cloud],
                )
                beside = Lists(keys[begin * room :], weights[begin * room :], filled[begin:])
                insert(points, resting, first, end, width, style, beside, across)
            for cloud in range(clouds):
                draw_band(
                    cloud, first, end, lists, area, brought, groups, places, style, resting,
                    out, alpha,
                )  # fmt: skip
