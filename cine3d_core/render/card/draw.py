"""The kernel that composites what the lists of `fragments` hold, for several clouds at once."""

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

from cine3d_core.render.card.fragments import (
    MOST,
    NONE,
    Keys,
    Style,
    index_of,
    nearest,
    none,
    touch_weight,
)

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

Numbers = wp.types.vector(length=MOST, dtype=wp.int32)
Shares = wp.types.vector(length=MOST, dtype=wp.float32)


@wp.struct
class Kept:
    """The nearest fragments of a pixel, in order."""

    count: wp.int32
    index: Numbers
    depth: Shares
    weight: Shares


@wp.func
def _shared_out(kept: Kept, style: Style):
    """How much of its pixel each fragment colours, see `render.fragments.fragment_shares`."""
    gain = wp.float32(1.0)
    limit = kept.depth[0] * style.surface
    if style.over == 0:
        first = wp.float32(0.0)
        for k in range(MOST):
            if k < kept.count and kept.depth[k] <= limit:
                first += kept.weight[k]
        gain = wp.min(1.0 / wp.max(first, 1.0e-6), style.gain)
    left = wp.float32(1.0)
    share = Shares()
    for k in range(MOST):
        own = wp.float32(0.0)
        if k < kept.count:
            if style.over != 0:
                own = kept.weight[k] * left
            else:
                own = kept.weight[k]
                if kept.depth[k] <= limit:
                    own = kept.weight[k] * gain
                own = wp.min(own, left)
            left -= own
        share[k] = own
    return share


@wp.func
def _looked_up(
    keys: Keys,
    p: wp.int32,
    rest_pixels: wp.array[wp.vec2],
    rest_depth: wp.array[wp.float32],
    rest_radius: wp.array[wp.float32],
    move_pixels: wp.array[wp.vec2],
    move_depth: wp.array[wp.float32],
    move_radius: wp.array[wp.float32],
    first: wp.int32,  # moving point of the cloud
    style: Style,
):
    """Depth and weight of the fragments of a pixel; static points are numbered first."""
    kept = Kept()
    column = p % style.width
    row = p // style.width
    static_points = rest_depth.shape[0]
    for k in range(MOST):
        if k < style.most and keys[k] != wp.uint64(NONE):
            point = index_of(keys[k])
            kept.index[k] = point
            if point < static_points:
                kept.depth[k] = rest_depth[point]
                kept.weight[k] = touch_weight(
                    rest_pixels[point], rest_radius[point], column, row, style.disc
                )
            else:
                at = point - static_points + first
                kept.depth[k] = move_depth[at]
                kept.weight[k] = touch_weight(
                    move_pixels[at], move_radius[at], column, row, style.disc
                )
            kept.count += 1
    return kept


@wp.func
def _sums(
    kept: Kept,
    share: Shares,
    static_points: wp.int32,
    group: wp.array[wp.int16],
    phases: wp.array[wp.float32],
):
    """Coverage, disparity, phase and share of what moves, not yet averages."""
    sums = wp.vec4()
    for k in range(MOST):
        if k < kept.count:
            sums[0] += share[k]
            sums[1] += share[k] / kept.depth[k]
            if kept.index[k] >= static_points:
                sums[2] += share[k] * phases[wp.int32(group[kept.index[k] - static_points])]
                sums[3] += share[k]
    return sums


@wp.func
def _attributes(kept: Kept, share: Shares, rows: wp.array2d[wp.vec4], block: wp.int32):
    """The sum of four columns of the points' attributes."""
    total = wp.vec4()
    for k in range(MOST):
        if k < kept.count:
            total += share[k] * rows[kept.index[k], block]
    return total


@wp.func
def _own(kept: Kept, share: Shares, rows: wp.array[wp.vec4]):
    """The sum of the attributes that points have in this cloud alone."""
    total = wp.vec4()
    for k in range(MOST):
        if k < kept.count:
            total += share[k] * rows[kept.index[k]]
    return total


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
    """Averages of the clouds' attributes, and coverage; see `render.splat`."""
    p = wp.tid()
    lists = clouds + 1
    still = nearest(none(), keys, begins[p * lists], counts[p * lists])
    for cloud in range(clouds):
        cell = p * lists + 1 + cloud
        same = cloud > 0 and counts[cell] == 0 and own.shape[1] == 0
        if same:
            same = counts[cell - 1] == 0
        if same:  # only static points, as in the cloud before
            for plane in range(out.shape[1]):
                out[cloud, plane, p] = out[cloud - 1, plane, p]
            alpha[cloud, p] = alpha[cloud - 1, p]
        else:
            found = nearest(still, keys, begins[cell], counts[cell])
            first = cloud * (move_depth.shape[0] // clouds)
            kept = _looked_up(
                found, p, rest_pixels, rest_depth, rest_radius,
                move_pixels, move_depth, move_radius, first, style,
            )  # fmt: skip
            share = _shared_out(kept, style)
            sums = _sums(kept, share, rest_depth.shape[0], group, phases[cloud])
            scale = 1.0 / wp.max(sums[0], 1.0e-6)
            for block in range(rows.shape[1]):
                total = _attributes(kept, share, rows, block)
                for side in range(4):
                    if block * 4 + side < channels:
                        out[cloud, block * 4 + side, p] = total[side] * scale
            out[cloud, channels, p] = sums[2] * scale
            out[cloud, channels + 1, p] = sums[3] * scale
            if own.shape[1] > 0:
                vectors = _own(kept, share, own[cloud])
                for side in range(4):
                    out[cloud, channels + 2 + side, p] = vectors[side] * scale
            out[cloud, out.shape[1] - 1, p] = sums[1] * scale
            alpha[cloud, p] = sums[0]
