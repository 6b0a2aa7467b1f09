"""Compiled loops that splat on the CPU, of what is in `splat_kernels`; called by `splat`.

A picture is worked on in bands of rows. For `splat_clouds` the fragments of a band stay in the
processor's cache and never become a separate picture: static points are inserted once, the
moving points of each cloud into lists beside theirs, and both lists are merged while they are
added up. `list_fragments` keeps them, and `compose` adds up what was kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from cine3d_core.imaging.compiled import compiled, inner
from cine3d_core.render.splat_kernels import (
    HIGH,
    LOW,
    NONE,
    Lists,
    PointArrays,
    Shares,
    SplatStyle,
    add_up,
    insert,
    share_out,
)

EMPTY_BITS = np.uint32(0x7F800000)  # of the depth of an unused fragment, infinity


class FragmentArrays(NamedTuple):
    """`Fragments` for compiled functions, pixel after pixel and nearest first."""

    points: np.ndarray  # [H * W, K] int32, which point
    bits: np.ndarray  # [H * W, K] uint32: depth, infinite where there is no fragment
    weight: np.ndarray  # [H * W, K] float32


@inner()
def load(fragments: FragmentArrays, pixel: int, cell: int, lists: Lists) -> None:
    """Puts the fragments of a pixel into the list of a cell."""
    index, bits, weight = fragments
    keys, weights, filled = lists
    room = index.shape[1]
    count = 0
    for k in range(room):
        if bits[pixel, k] == EMPTY_BITS:
            break
        key = (np.uint64(bits[pixel, k]) << HIGH) | np.uint64(index[pixel, k])
        keys[cell * room + k] = key
        weights[cell * room + k] = weight[pixel, k]
        count += 1
    filled[cell] = np.uint8(count)


@compiled()
def list_fragments(
    points: PointArrays,
    first_index: int,  # of the first of them, in the order of drawing
    width: int,  # of the picture
    style: SplatStyle,
    band_rows: int,
    workers: int,
    index: np.ndarray,  # of `FragmentArrays`: what was drawn before, to which `points` are added
    bits: np.ndarray,
    weight: np.ndarray,
) -> None:
    """Inserts points among a picture's fragments; bands of rows are shared between workers."""
    # apart: Numba leaves out what is only written to an array of a tuple
    before = FragmentArrays(index, bits, weight)
    height, room = index.shape[0] // width, style.room
    bands, area = (height + band_rows - 1) // band_rows, band_rows * width
    for worker in prange(workers):
        lists = Lists(
            np.empty(area * room, np.uint64),
            np.empty(area * room, np.float32),
            np.empty(area, np.uint8),
        )
        across = np.empty(width, np.float32)
        for band in range(worker, bands, workers):
            first, end = band * band_rows, min((band + 1) * band_rows, height)
            for cell in range((end - first) * width):
                load(before, first * width + cell, cell, lists)
            insert(points, first_index, first, end, width, style, lists, across)
            for cell in range((end - first) * width):
                pixel = first * width + cell
                for k in range(lists.filled[cell]):
                    key = lists.keys[cell * room + k]
                    index[pixel, k] = np.int32(key & LOW)
                    bits[pixel, k] = np.uint32(key >> HIGH)
                    weight[pixel, k] = lists.weights[cell * room + k]


@compiled()
def compose(
    fragments: FragmentArrays,
    rows: np.ndarray,  # [N, C4] float32 what points carry, C4 a multiple of 4
    style: SplatStyle,
    workers: int,
    out: np.ndarray,  # [C, H * W] float32, C <= C4
    alpha: np.ndarray,  # [H * W] float32
) -> None:
    """Sums of what the fragments carry, not divided by their coverage, and coverage."""
    area, room = fragments.points.shape
    one = np.float32(1.0)
    for worker in prange(workers):
        lists = Lists(np.empty(room, np.uint64), np.empty(room, np.float32), np.empty(1, np.uint8))
        bits = np.empty(1, np.uint32)
        shares = Shares(
            np.empty(room, np.uint32), np.empty(room, np.float32), bits, bits.view(np.float32)
        )
        for pixel in range(worker * area // workers, (worker + 1) * area // workers):
            load(fragments, pixel, 0, lists)
            end = int(lists.filled[0])
            count, covered, _ = share_out(lists.keys, lists.weights, 0, end, style, shares)
            add_up(out, 0, out.shape[0], pixel, rows, shares, count, one)
            alpha[pixel] = covered


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
def fade(
    groups: Groups,
    cloud: int,
    shares: Shares,
    count: int,
    num_static: int,  # N: the points behind them move
) -> tuple[np.float32, np.float32]:
    """Cross-fade weight and share of what moves in a pixel, both float32 sums."""
    phase, moving = np.float32(0.0), np.float32(0.0)
    for k in range(count):
        point = np.int64(shares.fragment[k]) - num_static
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
    attributes: Attributes,
    groups: Groups,
    places: Places,
    style: SplatStyle,
    num_static: int,  # N
    out: np.ndarray,  # [D, planes, H * W] float32
    alpha: np.ndarray,  # [D, H, W] float32
) -> None:
    """Draws the rows of one cloud from a band's lists."""
    keys, weights, filled = lists
    room = style.room
    clouds, _, width = alpha.shape
    planes, vectors = out.shape[1], attributes.own.shape[2]
    merged = (clouds + 1) * area * room
    image, own_columns = out[cloud], attributes.own[cloud]
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
                for plane in range(planes):  # only static points, as in the cloud before
                    image[plane, at] = out[cloud - 1, plane, at]
                alpha[cloud, row, column] = alpha[cloud - 1, row, column]
                continue
            count, covered, disparity = share_out(keys, weights, start, end, style, shares)
            scale = one / max(covered, np.float32(1e-6))
            add_up(image, 0, attributes.channels, at, attributes.rows, shares, count, scale)
            if vectors > 0:
                add_up(image, places.own, vectors, at, own_columns, shares, count, scale)
            tagged = count if start == merged else 0  # else nothing here moves
            phase, moving = fade(groups, cloud, shares, tagged, num_static)
            image[places.phase, at] = phase * scale
            image[places.moving, at] = moving * scale
            image[planes - 1, at] = disparity * scale
            alpha[cloud, row, column] = covered


@compiled()
def splat_clouds(
    rest: PointArrays,  # N points
    moving: PointArrays,  # M points of each of D clouds
    attributes: Attributes,
    groups: Groups,
    places: Places,
    style: SplatStyle,
    band_rows: int,
    workers: int,
    out: np.ndarray,  # [D, C + 2 + V + 1, H * W]: attributes, phase, moving, own, disparity
    alpha: np.ndarray,  # [D, H, W]
) -> None:
    """Averages of what the clouds carry, and coverage."""
    clouds, height, width = alpha.shape
    bands = (height + band_rows - 1) // band_rows
    area, room, num_static = band_rows * width, style.room, rest.depth.shape[0]
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
                insert(points, num_static, first, end, width, style, beside, across)
            for cloud in range(clouds):
                draw_band(
                    cloud, first, end, lists, area, attributes, groups, places, style, num_static,
                    out, alpha,
                )  # fmt: skip
