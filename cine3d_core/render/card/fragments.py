"""Kernels that rasterise and composite on a graphics card, without a sort and without waiting.

Every point adds one to each pixel that it touches; a running sum of these counts gives each pixel
its own stretch of one long list; every point writes itself there, in any order; and each pixel
keeps its K nearest in registers. A fragment is one number, the bits of its depth above the index of
its point, so that comparing numbers compares depth first and then index (as in
`splat_pair_kernels`). No two are equal: the result does not depend on the order of work.

Several clouds that share resting points are counted beside one another: pixel p has the lists
p * L, ..., p * L + L - 1, of which the first is the resting points' own.
"""

from __future__ import annotations

import warp as wp

from cine3d_core.geometry import NEAR_PLANE
from cine3d_core.render.fragments import EMPTY, SplatParams

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

MOST = 12  # fragments that a pixel can keep
NONE = 0xFFFFFFFFFFFFFFFF  # sorts behind every fragment

Keys = wp.types.vector(length=MOST, dtype=wp.uint64)
Numbers = wp.types.vector(length=MOST, dtype=wp.int32)
Shares = wp.types.vector(length=MOST, dtype=wp.float32)


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
def _weight(pixel: wp.vec2, r: wp.float32, column: wp.int32, row: wp.int32, disc: wp.int32):
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
            if _weight(pixels[i], r, column, row, style.disc) > style.least:
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
            if _weight(pixels[i], r, column, row, style.disc) > style.least:
                cell = (row * style.width + column) * lists + own
                slot = wp.atomic_sub(ends, cell, 1) - 1
                if slot < keys.shape[0]:
                    keys[slot] = key


@wp.func
def _nearest(kept: Keys, keys: wp.array[wp.uint64], begin: wp.int32, count: wp.int32):
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
def _none():
    kept = Keys()
    for k in range(MOST):
        kept[k] = wp.uint64(NONE)
    return kept


@wp.func
def _index(key: wp.uint64):
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
    kept = _nearest(_none(), keys, begins[p], counts[p])
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
                index = _index(kept[k])
                if index >= start:
                    point = index - start
                    far = depth[point]
                    column = p % style.width
                    weight = _weight(
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


@wp.func
def _shared_out(weight: Shares, depth: Shares, count: wp.int32, style: Style):
    """How much of its pixel each fragment colours, see `render.splat.fragment_shares`."""
    gain = wp.float32(1.0)
    limit = depth[0] * style.surface
    if style.over == 0:
        first = wp.float32(0.0)
        for k in range(MOST):
            if k < count and depth[k] <= limit:
                first += weight[k]
        gain = wp.min(1.0 / wp.max(first, 1.0e-6), style.gain)
    left = wp.float32(1.0)
    share = Shares()
    for k in range(MOST):
        own = wp.float32(0.0)
        if k < count:
            if style.over != 0:
                own = weight[k] * left
            else:
                own = weight[k]
                if depth[k] <= limit:
                    own = weight[k] * gain
                own = wp.min(own, left)
            left -= own
        share[k] = own
    return share


@wp.kernel
def draw(
    rest_pixels: wp.array[wp.vec2],  # [N]
    rest_depth: wp.array[wp.float32],
    rest_radius: wp.array[wp.float32],
    move_pixels: wp.array[wp.vec2],  # [D * M]
    move_depth: wp.array[wp.float32],
    move_radius: wp.array[wp.float32],
    counts: wp.array[wp.int32],  # [P * (1 + D)]
    begins: wp.array[wp.int32],
    keys: wp.array[wp.uint64],
    rows: wp.array2d[wp.vec4],  # [N + M, C4 / 4]
    channels: wp.int32,
    own: wp.array2d[wp.vec4],  # [D, N + M], or [D, 0]
    group: wp.array[wp.int16],  # [M]
    phases: wp.array2d[wp.float32],  # [D, G]
    clouds: wp.int32,
    style: Style,
    out: wp.array3d[wp.float32],  # [D, C + 2 + V + 1, P]
    alpha: wp.array2d[wp.float32],  # [D, P]
):
    """Averages of what the clouds carry, and coverage; see `render.splat_pair`."""
    p = wp.tid()
    column = p % style.width
    row = p // style.width
    lists = clouds + 1
    resting = rest_depth.shape[0]
    each = move_depth.shape[0] // clouds
    planes = out.shape[1]
    still = _nearest(_none(), keys, begins[p * lists], counts[p * lists])
    for cloud in range(clouds):
        cell = p * lists + 1 + cloud
        same = cloud > 0 and counts[cell] == 0 and own.shape[1] == 0
        if same:
            same = counts[cell - 1] == 0
        if same:  # only resting points, as in the cloud before
            for plane in range(planes):
                out[cloud, plane, p] = out[cloud - 1, plane, p]
            alpha[cloud, p] = alpha[cloud - 1, p]
        else:
            kept = _nearest(still, keys, begins[cell], counts[cell])
            index = Numbers()
            weight = Shares()
            depth = Shares()
            count = wp.int32(0)
            for k in range(MOST):
                if k < style.most and kept[k] != wp.uint64(NONE):
                    point = _index(kept[k])
                    index[k] = point
                    if point < resting:
                        depth[k] = rest_depth[point]
                        weight[k] = _weight(
                            rest_pixels[point], rest_radius[point], column, row, style.disc
                        )
                    else:
                        at = point - resting + cloud * each
                        depth[k] = move_depth[at]
                        weight[k] = _weight(
                            move_pixels[at], move_radius[at], column, row, style.disc
                        )
                    count += 1
            share = _shared_out(weight, depth, count, style)
            covered = wp.float32(0.0)
            disparity = wp.float32(0.0)
            phase = wp.float32(0.0)
            moving = wp.float32(0.0)
            for k in range(MOST):
                if k < count:
                    covered += share[k]
                    disparity += share[k] / depth[k]
                    if index[k] >= resting:
                        phase += share[k] * phases[cloud, wp.int32(group[index[k] - resting])]
                        moving += share[k]
            scale = 1.0 / wp.max(covered, 1.0e-6)
            for block in range(rows.shape[1]):
                total = wp.vec4()
                for k in range(MOST):
                    if k < count:
                        total += share[k] * rows[index[k], block]
                for side in range(4):
                    plane = block * 4 + side
                    if plane < channels:
                        out[cloud, plane, p] = total[side] * scale
            out[cloud, channels, p] = phase * scale
            out[cloud, channels + 1, p] = moving * scale
            if own.shape[1] > 0:
                total = wp.vec4()
                for k in range(MOST):
                    if k < count:
                        total += share[k] * own[cloud, index[k]]
                for side in range(4):
                    out[cloud, channels + 2 + side, p] = total[side] * scale
            out[cloud, planes - 1, p] = disparity * scale
            alpha[cloud, p] = covered


def style_of(params: SplatParams, height: int, width: int) -> Style:
    """The way to splat a picture of `height` x `width`, for the kernels."""
    assert 1 <= params.max_points <= MOST, params.max_points
    style = Style()
    style.disc, style.over = params.footprint == "disc", params.compositing == "over"
    style.near, style.least = NEAR_PLANE, params.min_weight
    style.surface, style.gain = 1 + params.same_surface, params.crack_gain
    style.most, style.height, style.width = params.max_points, height, width
    return style
