"""Kernels that rasterise on a graphics card, without a sort and without waiting.

Every point adds one to each pixel that it touches; a running sum of these counts gives each pixel
its own stretch of one long list; every point writes itself there, in any order; and each pixel
keeps its K nearest in registers. A fragment is one number, the bits of its depth above the index of
its point, so that comparing numbers compares depth first and then index (as in
`splat_kernels`). No two are equal: the result does not depend on the order of work.

Several clouds that share static points are counted beside one another: pixel p has the lists
p * L, ..., p * L + L - 1, of which the first is the static points' own.
"""

# Warp reads the annotations and bodies of kernels as a language of its own: compiling checks it.
# pyright: reportArgumentType=false
# pyright: reportAttributeAccessIssue=false
# pyright: reportCallIssue=false
# pyright: reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false
# pyright: reportInvalidTypeForm=false
# pyright: reportOperatorIssue=false

from __future__ import annotations

import warp as wp

from cine3d_core.geometry import NEAR_PLANE
from cine3d_core.render.fragments import EMPTY, SplatParams

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

MOST = 12  # fragments that a pixel can keep
NONE = 0xFFFFFFFFFFFFFFFF  # sorts behind every fragment

Keys = wp.types.vector(length=MOST, dtype=wp.uint64)


@wp.struct
class Style:
    """`SplatParams` and the size of the picture, as kernels read them."""

    disc: wp.int32
    over: wp.int32
    near: wp.float32
    least: wp.float32
    surface: wp.float32  # 1 + same_surface
    gain: wp.float32
    most: wp.int32
    height: wp.int32
    width: wp.int32


@wp.func
def touch_weight(pixel: wp.vec2, r: wp.float32, column: wp.int32, row: wp.int32, disc: wp.int32):
    """Share of a pixel that a point of radius `r` covers; negative where it does not reach it."""
    away_x = wp.abs(pixel[0] - (wp.float32(column) + 0.5))
    away_y = wp.abs(pixel[1] - (wp.float32(row) + 0.5))
    weight = wp.float32(0.0)
    if disc != 0:
        weight = 1.0 - (away_x * away_x + away_y * away_y) / (r * r)
    else:
        weight = wp.max(1.0 - away_x / r, 0.0) * wp.max(1.0 - away_y / r, 0.0)
    return weight


@wp.func
def _box(pixel: wp.vec2, depth: wp.float32, r: wp.float32, style: Style):
    """First and last column and row that a point may touch; empty if it is not drawn."""
    box = wp.vec4i(0, -1, 0, -1)
    width = wp.float32(style.width)
    height = wp.float32(style.height)
    # Also false for NaN; and keeps the integers below in range.
    seen = pixel[0] > -r and pixel[0] < width + r and pixel[1] > -r and pixel[1] < height + r
    if depth > style.near and seen:
        box = wp.vec4i(
            wp.max(0, wp.int32(wp.ceil(pixel[0] - r - 0.5))),
            wp.min(style.width - 1, wp.int32(wp.floor(pixel[0] + r - 0.5))),
            wp.max(0, wp.int32(wp.ceil(pixel[1] - r - 0.5))),
            wp.min(style.height - 1, wp.int32(wp.floor(pixel[1] + r - 0.5))),
        )
    return box


@wp.kernel
def count_touches(
    pixels: wp.array[wp.vec2],  # [D * M]
    depth: wp.array[wp.float32],
    radius: wp.array[wp.float32],
    each: wp.int32,  # points of one cloud, M
    first_list: wp.int32,
    lists: wp.int32,
    style: Style,
    counts: wp.array[wp.int32],  # [P * L]
):
    """How many points touch each pixel."""
    i = wp.tid()
    r = radius[i]
    box = _box(pixels[i], depth[i], r, style)
    own = first_list + i // each
    for row in range(box[2], box[3] + 1):
        for column in range(box[0], box[1] + 1):
            if touch_weight(pixels[i], r, column, row, style.disc) > style.least:
                wp.atomic_add(counts, (row * style.width + column) * lists + own, 1)


@wp.kernel
def write_touches(
    pixels: wp.array[wp.vec2],
    depth: wp.array[wp.float32],
    radius: wp.array[wp.float32],
    each: wp.int32,
    first_list: wp.int32,
    lists: wp.int32,
    style: Style,
    bits: wp.array[wp.uint32],  # the same memory as `depth`
    first_index: wp.int32,
    ends: wp.array[wp.int32],  # [P * L] running sum of the counts; becomes where lists begin
    keys: wp.array[wp.uint64],  # all fragments
):
    """Each point into the lists of the pixels that it touches, as far as there is room."""
    i = wp.tid()
    r = radius[i]
    box = _box(pixels[i], depth[i], r, style)
    own = first_list + i // each
    key = (wp.uint64(bits[i]) << wp.uint64(32)) | wp.uint64(first_index + i % each)
    for row in range(box[2], box[3] + 1):
        for column in range(box[0], box[1] + 1):
            if touch_weight(pixels[i], r, column, row, style.disc) > style.least:
                cell = (row * style.width + column) * lists + own
                slot = wp.atomic_sub(ends, cell, 1) - 1
                if slot < keys.shape[0]:
                    keys[slot] = key


@wp.func
def nearest(kept: Keys, keys: wp.array[wp.uint64], begin: wp.int32, count: wp.int32):
    """The nearest of those kept so far and of a list; sorted."""
    end = wp.min(begin + count, keys.shape[0])
    for slot in range(begin, end):
        key = keys[slot]
        if key < kept[MOST - 1]:
            for k in range(MOST):
                other = kept[k]
                kept[k] = wp.min(other, key)
                key = wp.max(other, key)
    return kept


@wp.func
def none():
    """Room for a pixel's fragments, empty."""
    kept = Keys()
    for k in range(MOST):
        kept[k] = wp.uint64(NONE)
    return kept


@wp.func
def index_of(key: wp.uint64):
    """Number of a fragment's point."""
    return wp.int32(key & wp.uint64(0xFFFFFFFF))


@wp.kernel
def select(
    pixels: wp.array[wp.vec2],
    depth: wp.array[wp.float32],
    radius: wp.array[wp.float32],
    counts: wp.array[wp.int32],  # [P]
    begins: wp.array[wp.int32],  # [P]
    keys: wp.array[wp.uint64],
    style: Style,
    start: wp.int32,  # points drawn before
    base_keys: wp.array2d[wp.uint64],  # [P, K], or [0, 0]: their fragments
    base_depth: wp.array2d[wp.float32],
    base_weight: wp.array2d[wp.float32],
    out_index: wp.array2d[wp.int32],  # [P, K]
    out_depth: wp.array2d[wp.float32],
    out_weight: wp.array2d[wp.float32],
):
    """The K nearest fragments of each pixel."""
    p = wp.tid()
    kept = nearest(none(), keys, begins[p], counts[p])
    if base_keys.shape[0] > 0:
        for k in range(base_keys.shape[1]):
            key = base_keys[p, k]
            for j in range(MOST):
                other = kept[j]
                kept[j] = wp.min(other, key)
                key = wp.max(other, key)
    for k in range(MOST):
        if k < style.most:
            index = wp.int32(EMPTY)
            far = float(wp.inf)
            weight = wp.float32(0.0)
            if kept[k] != wp.uint64(NONE):
                index = index_of(kept[k])
                if index >= start:
                    point = index - start
                    far = depth[point]
                    column = p % style.width
                    weight = touch_weight(
                        pixels[point], radius[point], column, p // style.width, style.disc
                    )
                else:
                    for j in range(base_keys.shape[1]):
                        if base_keys[p, j] == kept[k]:
                            far = base_depth[p, j]
                            weight = base_weight[p, j]
            out_index[p, k] = index
            out_depth[p, k] = far
            out_weight[p, k] = weight


def style_of(params: SplatParams, height: int, width: int) -> Style:
    """The way to splat a picture of `height` x `width`, for the kernels."""
    assert 1 <= params.max_points <= MOST, params.max_points
    style = Style()
    style.disc, style.over = params.footprint == "disc", params.compositing == "over"
    style.near, style.least = NEAR_PLANE, params.min_weight
    style.surface, style.gain = 1 + params.same_surface, params.crack_gain
    style.most, style.height, style.width = params.max_points, height, width
    return style
