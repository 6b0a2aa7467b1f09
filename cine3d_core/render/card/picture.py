"""Kernels on whole pictures: sharpening, cross-fade, contrast.

Those of `render.sharpen`, `render.blend` and `render.contrast` for graphics cards.
"""

# Warp reads the annotations and bodies of kernels as a language of its own: compiling checks it.
# pyright: reportArgumentType=false
# pyright: reportAttributeAccessIssue=false
# pyright: reportCallIssue=false
# pyright: reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false
# pyright: reportOperatorIssue=false

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor
from torch.nn.functional import avg_pool2d

from cine3d_core.imaging.launch import launch
from cine3d_core.render.blend_kernels import GAP
from cine3d_core.render.contrast import LARGEST_GAIN, LEAST_MOVING, NOISE

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

FLOWED_AWAY = wp.constant(GAP)
LARGEST = wp.constant(LARGEST_GAIN)
LEAST = wp.constant(LEAST_MOVING)
SILENT = wp.constant(NOISE)


@wp.func
def _lerp(a: wp.float32, b: wp.float32, share: wp.float32):
    """Gives `a` and `b` themselves at the ends, and where they agree."""
    way = b - a
    mixed = a + share * way
    if share >= 0.5:
        mixed = b - way * (1.0 - share)
    return mixed


@wp.kernel
def _sharpen(
    rgb: wp.array2d[wp.float32],  # [3, P]
    grid: wp.array2d[wp.float32],  # [2, P]
    alpha: wp.array[wp.float32],  # [P]
    moving: wp.array[wp.float32],  # [P]
    height: wp.int32,
    width: wp.int32,
    solid: wp.float32,
    crest: wp.float32,
    out: wp.array2d[wp.float32],  # [3, P]
):
    p = wp.tid()
    row = p // width
    column = p % width
    top = wp.max(row - 1, 0)
    bottom = wp.min(row + 1, height - 1)
    left = wp.max(column - 1, 0)
    right = wp.min(column + 1, width - 1)
    least = alpha[p]
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            least = wp.min(least, alpha[y * width + x])
    across = grid[0, p]
    down = grid[1, p]
    for channel in range(3):
        value = rgb[channel, p]
        sharp = value
        if least > solid:
            low = value
            high = value
            for y in range(top, bottom + 1):
                for x in range(left, right + 1):
                    other = rgb[channel, y * width + x]
                    low = wp.min(low, other)
                    high = wp.max(high, other)
            along_x = rgb[channel, row * width + left] + rgb[channel, row * width + right]
            along_y = rgb[channel, top * width + column] + rgb[channel, bottom * width + column]
            sharp = value - (1.0 - across * across) * 0.125 * (along_x - 2.0 * value)
            sharp = sharp - (1.0 - down * down) * 0.125 * (along_y - 2.0 * value)
            room = crest * moving[p] * (high - low)
            sharp = wp.min(wp.max(sharp, low - room), high + room)
        out[channel, p] = sharp


def sharpened(
    rgb: Tensor, grid: Tensor, alpha: Tensor, moving: Tensor, *, solid: float, crest: float
) -> Tensor:
    """See `render.sharpen.sharpened_torch`; alpha and moving [1, H, W]."""
    _, height, width = rgb.shape
    out = torch.empty_like(rgb, memory_format=torch.contiguous_format)
    planes = (x.contiguous().view(len(x), -1) for x in (rgb, grid))
    area = height * width
    flat = (x.contiguous().view(-1) for x in (alpha, moving))
    launch(_sharpen, area, *planes, *flat, height, width, solid, crest, out.view(3, -1))
    return out


@wp.struct
class Fade:
    """What the cross-fade of a frame knows beside the pictures."""

    phase: wp.int32  # channel
    moving: wp.int32  # channel
    loop_phase: wp.float32
    lowest: wp.float32  # disparity of the scene
    scale: wp.float32  # 1 / its range
    eq4: wp.int32


@wp.kernel
def _mix(
    a: wp.array2d[wp.float32],  # [C, P]
    b: wp.array2d[wp.float32],
    alpha_a: wp.array[wp.float32],
    alpha_b: wp.array[wp.float32],
    near_a: wp.array[wp.float32],
    near_b: wp.array[wp.float32],
    fade: Fade,
    out: wp.array2d[wp.float32],
    out_alpha: wp.array[wp.float32],
    out_near: wp.array[wp.float32],
    out_share: wp.array[wp.float32],
):
    p = wp.tid()
    move_a = a[fade.moving, p]
    move_b = b[fade.moving, p]
    fade_a = 1.0 - fade.loop_phase
    fade_b = fade.loop_phase
    if move_a > 1.0e-3:
        fade_a = a[fade.phase, p] / move_a
    if move_b > 1.0e-3:
        fade_b = b[fade.phase, p] / move_b
    weight_a = fade_a * alpha_a[p]
    weight_b = fade_b * alpha_b[p]
    if fade.eq4 != 0:
        weight_a *= wp.exp(-1.0 / wp.max(near_a[p], 1.0e-6))
        weight_b *= wp.exp(-1.0 / wp.max(near_b[p], 1.0e-6))
    elif near_a[p] != near_b[p] or move_a != move_b:
        ahead = wp.clamp((near_b[p] - fade.lowest) * fade.scale, 0.0, 1.0)
        ahead -= wp.clamp((near_a[p] - fade.lowest) * fade.scale, 0.0, 1.0)
        weight_a *= 1.0 - FLOWED_AWAY * wp.clamp(move_b - move_a, 0.0, 1.0)
        weight_b *= 1.0 - FLOWED_AWAY * wp.clamp(move_a - move_b, 0.0, 1.0)
        weight_b *= wp.exp(ahead)
    total = weight_a + weight_b
    # At a cycle's start one cloud has no weight; where only it shows something, it is shown.
    share = alpha_b[p] / wp.max(alpha_a[p] + alpha_b[p], 1.0e-12)
    if total > 1.0e-12:
        share = weight_b / total
    out_share[p] = share
    out_alpha[p] = wp.max(alpha_a[p], alpha_b[p])
    out_near[p] = _lerp(near_a[p], near_b[p], share)
    for channel in range(a.shape[0]):
        out[channel, p] = _lerp(a[channel, p], b[channel, p], share)


def mixed(
    forward: tuple[Tensor, Tensor, Tensor],  # features [C, H, W], alpha and disparity [1, H, W]
    backward: tuple[Tensor, Tensor, Tensor],
    fade: Fade,
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """The mixture and the backward cloud's share; see `render.blend.mix_torch`."""
    a, alpha_a, near_a = (x.contiguous() for x in forward)
    b, alpha_b, near_b = (x.contiguous() for x in backward)
    out = torch.empty_like(a), torch.empty_like(alpha_a), torch.empty_like(near_a)
    share = torch.empty_like(alpha_a)
    flat = [x.view(-1) for x in (alpha_a, alpha_b, near_a, near_b)]
    results = (out[0].view(len(a), -1), *(x.view(-1) for x in (*out[1:], share)))
    features = a.view(len(a), -1), b.view(len(b), -1)
    launch(_mix, alpha_a.numel(), *features, *flat, fade, *results)
    return out, share


@wp.kernel
def _brightness(
    rgb: wp.array2d[wp.float32],  # [3, P]
    moving: wp.array[wp.float32],
    out: wp.array2d[wp.float32],  # [2, P]: of what moves, and its share
):
    p = wp.tid()
    out[0, p] = (rgb[0, p] + rgb[1, p] + rgb[2, p]) / 3.0 * moving[p]
    out[1, p] = moving[p]


@wp.func
def _enlarged(coarse: wp.array3d[wp.float32], plane: wp.int32, at: wp.vec2):
    """A coarse plane at a place in its own pixels, bilinear."""
    height = coarse.shape[1]
    width = coarse.shape[2]
    x = wp.max(at[0], 0.0)
    y = wp.max(at[1], 0.0)
    left = wp.min(wp.int32(x), width - 1)
    top = wp.min(wp.int32(y), height - 1)
    right = wp.min(left + 1, width - 1)
    below = wp.min(top + 1, height - 1)
    fx = x - wp.float32(left)
    fy = y - wp.float32(top)
    upper = (1.0 - fx) * coarse[plane, top, left] + fx * coarse[plane, top, right]
    lower = (1.0 - fx) * coarse[plane, below, left] + fx * coarse[plane, below, right]
    return (1.0 - fy) * upper + fy * lower


@wp.func
def _in_coarse(p: wp.int32, height: wp.int32, width: wp.int32, coarse: wp.array3d[wp.float32]):
    column = wp.float32(p % width) + 0.5
    row = wp.float32(p // width) + 0.5
    scale_x = wp.float32(coarse.shape[2]) / wp.float32(width)
    scale_y = wp.float32(coarse.shape[1]) / wp.float32(height)
    return wp.vec2(column * scale_x - 0.5, row * scale_y - 0.5)


@wp.func
def _deviation(
    rgb: wp.array2d[wp.float32], p: wp.int32, means: wp.array3d[wp.float32], at: wp.vec2
):
    """Of the brightness of a pixel from the mean around it of what moves."""
    brightness = (rgb[0, p] + rgb[1, p] + rgb[2, p]) / 3.0
    return brightness - _enlarged(means, 0, at) / wp.max(_enlarged(means, 1, at), LEAST)


@wp.kernel
def _energy(
    rgb: wp.array2d[wp.float32],  # [3, P]
    means: wp.array3d[wp.float32],  # [2, h, w]
    moving: wp.array[wp.float32],
    height: wp.int32,
    width: wp.int32,
    out: wp.array2d[wp.float32],  # [1, P]
):
    p = wp.tid()
    deviation = _deviation(rgb, p, means, _in_coarse(p, height, width, means))
    out[0, p] = deviation * deviation * moving[p]


@wp.kernel
def _grow(
    means: wp.array3d[wp.float32],  # [2, h, w]
    energy: wp.array3d[wp.float32],  # [1, h, w]
    texture: wp.array[wp.float32],
    share: wp.array[wp.float32],
    moving: wp.array[wp.float32],
    height: wp.int32,
    width: wp.int32,
    rgb: wp.array2d[wp.float32],  # [3, P], changed in place
):
    p = wp.tid()
    at = _in_coarse(p, height, width, means)
    deviation = _deviation(rgb, p, means, at)
    present = _enlarged(energy, 0, at) / wp.max(_enlarged(means, 1, at), LEAST)
    wanted = texture[p] / wp.max(moving[p], LEAST)
    gain = wp.sqrt(wp.clamp((wanted + SILENT) / (present + SILENT), 1.0, LARGEST))
    mixing = moving[p] * wp.min(16.0 * share[p] * (1.0 - share[p]), 1.0)
    growth = (gain - 1.0) * mixing * deviation
    level = wp.max((rgb[0, p] + rgb[1, p] + rgb[2, p]) / 3.0, 1.0 / 255.0)
    factor = wp.clamp(1.0 + growth / level, 0.0, 2.0)
    for channel in range(3):
        rgb[channel, p] = rgb[channel, p] * factor


def restore_contrast(
    mixture: Tensor,  # [3, H, W], changed in place
    texture: Tensor,  # [1, H, W]
    share: Tensor,  # [1, H, W]
    moving: Tensor,  # [1, H, W]
    *,
    step: int,
) -> None:
    """See `render.contrast`; the whole picture, since finding a part would wait."""
    _, height, width = mixture.shape
    area, size = height * width, (height, width)
    rgb = mixture.view(3, -1)
    bright, energy = mixture.new_empty(2, area), mixture.new_empty(1, area)
    planes = [plane.contiguous().view(-1) for plane in (texture, share, moving)]
    launch(_brightness, area, rgb, planes[2], bright)
    means = _coarse_mean(bright.unflatten(1, size), step)
    launch(_energy, area, rgb, means, planes[2], *size, energy)
    coarse = _coarse_mean(energy.unflatten(1, size), step)
    launch(_grow, area, means, coarse, *planes, *size, rgb)


def _coarse_mean(planes: Tensor, step: int) -> Tensor:
    coarse = avg_pool2d(planes[None], step, ceil_mode=True, count_include_pad=False)
    return avg_pool2d(coarse, 5, stride=1, padding=2, count_include_pad=False)[0].contiguous()
