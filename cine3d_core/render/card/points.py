"""Where points are: lifted to their surface, seen by a camera.

The kernels of `render.lift` and `render.place` for graphics cards.
"""

# Warp reads the annotations and bodies of kernels as a language of its own: compiling checks it.
# pyright: reportArgumentType=false
# pyright: reportCallIssue=false
# pyright: reportIndexIssue=false
# pyright: reportInvalidTypeForm=false
# pyright: reportOperatorIssue=false

from __future__ import annotations

import warp as wp
from torch import Tensor

from cine3d_core.imaging.launch import launch

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

Matrix3x4 = wp.types.matrix(shape=(3, 4), dtype=wp.float32)


@wp.kernel
def _flow(
    start: wp.array[wp.vec2],  # [N]
    layer: wp.array[wp.int64],  # [N]
    displacement: wp.array[wp.vec2],  # [N]
    surface: wp.array[wp.float32],  # [L * H * W]
    height: wp.int32,
    width: wp.int32,
    inverse: wp.mat33,
    keep_depth: wp.int32,
    out: wp.array[wp.vec3],  # [N]
):
    i = wp.tid()
    at = start[i] + displacement[i]
    look = at
    if keep_depth != 0:
        look = start[i]
    x = wp.clamp(look[0] - 0.5, 0.0, wp.float32(width - 1))
    y = wp.clamp(look[1] - 0.5, 0.0, wp.float32(height - 1))
    left = wp.int32(x)
    top = wp.int32(y)
    right = wp.min(left + 1, width - 1)
    below = wp.min(top + 1, height - 1)
    fx = x - wp.float32(left)
    fy = y - wp.float32(top)
    base = wp.int32(layer[i]) * height * width
    upper = surface[base + top * width + left]
    upper += fx * (surface[base + top * width + right] - upper)
    lower = surface[base + below * width + left]
    lower += fx * (surface[base + below * width + right] - lower)
    depth = upper + fy * (lower - upper)
    out[i] = wp.vec3(
        (inverse[0, 0] * at[0] + inverse[0, 1] * at[1] + inverse[0, 2]) * depth,
        (inverse[1, 0] * at[0] + inverse[1, 1] * at[1] + inverse[1, 2]) * depth,
        depth,
    )


def flowed_positions(
    start_px: Tensor,
    layer: Tensor,
    displacement_px: Tensor,
    layer_depth: Tensor,
    inverse_intrinsics: Tensor,  # [3, 3] on the CPU
    *,
    keep_depth: bool,
) -> Tensor:
    """See `render.lift.flowed_positions`."""
    out = start_px.new_empty(len(start_px), 3)
    _, _, height, width = layer_depth.shape
    launch(
        _flow,
        len(start_px),
        start_px.contiguous(),
        layer.contiguous(),
        displacement_px.contiguous(),
        layer_depth.contiguous().view(-1),
        height,
        width,
        wp.mat33(*inverse_intrinsics.flatten().tolist()),
        int(keep_depth),
        out,
    )
    return out


@wp.func
def _seen(at: wp.vec3, projection: Matrix3x4, near: wp.float32):
    """Pixel and depth of a world position."""
    u = projection[0, 0] * at[0] + projection[0, 1] * at[1] + projection[0, 2] * at[2]
    v = projection[1, 0] * at[0] + projection[1, 1] * at[1] + projection[1, 2] * at[2]
    w = projection[2, 0] * at[0] + projection[2, 1] * at[1] + projection[2, 2] * at[2]
    depth = w + projection[2, 3]
    inverse = 1.0 / wp.max(depth, near)
    return wp.vec3((u + projection[0, 3]) * inverse, (v + projection[1, 3]) * inverse, depth)


@wp.kernel
def _project(
    positions: wp.array[wp.vec3],
    projection: Matrix3x4,
    near: wp.float32,
    scale: wp.float32,
    least: wp.float32,
    most: wp.float32,
    pixels: wp.array[wp.vec2],
    depth: wp.array[wp.float32],
    radius: wp.array[wp.float32],
):
    i = wp.tid()
    seen = _seen(positions[i], projection, near)
    pixels[i] = wp.vec2(seen[0], seen[1])
    depth[i] = seen[2]
    inverse = 1.0 / wp.max(seen[2], near)
    radius[i] = wp.min(wp.max(scale * positions[i][2] * inverse, least), most)


@wp.kernel
def _stretch(
    pixels: wp.array[wp.vec2],
    neighbours: wp.array2d[wp.int32],  # [N, 2]
    stretch: wp.float32,
    most: wp.float32,
    radius: wp.array[wp.float32],
):
    i = wp.tid()
    own = radius[i]
    limit = stretch * own
    for side in range(2):
        other = neighbours[i, side]
        if other >= 0:
            away = pixels[other] - pixels[i]
            longest = wp.max(wp.abs(away[0]), wp.abs(away[1]))
            if longest > own and longest <= limit:
                own = longest
    radius[i] = wp.min(own, most)


def place(
    positions: Tensor,
    neighbours: Tensor,
    projection: Tensor,  # [3, 4] on the CPU
    *,
    near: float,
    scale: float,
    limits: tuple[float, float],
    max_stretch: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels [N, 2], depth [N] and radius [N]; see `render.place.place_points`."""
    count = len(positions)
    pixels = positions.new_empty(count, 2)
    depth, radius = positions.new_empty(count), positions.new_empty(count)
    matrix = Matrix3x4(*projection.flatten().tolist())
    launch(
        _project, count, positions.contiguous(), matrix, near, scale, *limits, pixels, depth, radius
    )
    if max_stretch > 0:
        launch(_stretch, count, pixels, neighbours.contiguous(), max_stretch, limits[1], radius)
    return pixels, depth, radius


@wp.kernel
def _way_to(
    before: wp.array[wp.vec3],
    after: wp.array[wp.vec3],
    pixels: wp.array[wp.vec2],
    previous: Matrix3x4,
    following: Matrix3x4,
    near: wp.float32,
    out: wp.array[wp.vec4],
):
    i = wp.tid()
    there = _seen(before[i], previous, near)
    later = _seen(after[i], following, near)
    here = pixels[i]
    out[i] = wp.vec4(there[0] - here[0], there[1] - here[1], later[0] - here[0], later[1] - here[1])


def screen_motion(
    before: Tensor,
    after: Tensor,
    pixels: Tensor,
    previous: Tensor,  # [3, 4] projection, on the CPU
    following: Tensor,
    near: float,
) -> Tensor:  # [N, 4]
    """See `render.place.screen_motion`."""
    out = pixels.new_empty(len(pixels), 4)
    cameras = (Matrix3x4(*matrix.flatten().tolist()) for matrix in (previous, following))
    clouds = before.contiguous(), after.contiguous(), pixels.contiguous()
    launch(_way_to, len(pixels), *clouds, *cameras, near, out)
    return out
