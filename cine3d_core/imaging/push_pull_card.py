"""Kernels of `push_pull` for graphics cards; one launch per pyramid level and direction."""

# Warp reads the annotations and bodies of kernels as a language of its own: compiling checks it.
# pyright: reportAssignmentType=false
# pyright: reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from cine3d_core.imaging.launch import launch

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.kernel
def _pull(
    values: wp.array3d[wp.float32],  # [C, H, W]
    weights: wp.array2d[wp.float32],  # [H, W]
    out_values: wp.array3d[wp.float32],
    out_weights: wp.array2d[wp.float32],
):
    row, column = wp.tid()
    top = 2 * row
    left = 2 * column
    bottom = wp.min(top + 1, weights.shape[0] - 1)
    right = wp.min(left + 1, weights.shape[1] - 1)
    w00 = weights[top, left]
    w01 = weights[top, right]
    w10 = weights[bottom, left]
    w11 = weights[bottom, right]
    if right == left:  # the last column is one of a pair without its partner
        w01 = wp.float32(0.0)
        w11 = wp.float32(0.0)
    if bottom == top:
        w10 = wp.float32(0.0)
        w11 = wp.float32(0.0)
    mass = w00 + w01 + w10 + w11
    out_weights[row, column] = wp.min(mass, 1.0)
    scale = wp.float32(0.0)
    if mass > 0.0:
        scale = 1.0 / mass
    for channel in range(values.shape[0]):
        total = w00 * values[channel, top, left] + w01 * values[channel, top, right]
        total += w10 * values[channel, bottom, left]
        total += w11 * values[channel, bottom, right]
        out_values[channel, row, column] = total * scale


@wp.kernel
def _push(
    coarse_values: wp.array3d[wp.float32],
    coarse_weights: wp.array2d[wp.float32],
    values: wp.array3d[wp.float32],  # filled in place
    weights: wp.array2d[wp.float32],  # raised in place
):
    y, x = wp.tid()
    own = weights[y, x]
    if own < 1.0:
        row = y // 2
        column = x // 2
        other_row = row - 1 + 2 * (y % 2)
        other_column = column - 1 + 2 * (x % 2)
        other_row = wp.clamp(other_row, 0, coarse_weights.shape[0] - 1)
        other_column = wp.clamp(other_column, 0, coarse_weights.shape[1] - 1)
        w00 = 0.5625 * coarse_weights[row, column]
        w01 = 0.1875 * coarse_weights[row, other_column]
        w10 = 0.1875 * coarse_weights[other_row, column]
        w11 = 0.0625 * coarse_weights[other_row, other_column]
        known = w00 + w01 + w10 + w11
        scale = (1.0 - own) / wp.max(known, 1.0e-12)
        for channel in range(values.shape[0]):
            above = w00 * coarse_values[channel, row, column]
            above += w01 * coarse_values[channel, row, other_column]
            above += w10 * coarse_values[channel, other_row, column]
            above += w11 * coarse_values[channel, other_row, other_column]
            values[channel, y, x] = own * values[channel, y, x] + above * scale
        weights[y, x] = wp.max(own, known)


def push_pull(values: Tensor, weights: Tensor) -> Tensor:
    """See `push_pull.push_pull`: values [C, H, W], weights [1, H, W]."""
    filled = values.clone(memory_format=torch.contiguous_format)
    _fill(filled, weights[0].to(values).clone(memory_format=torch.contiguous_format))
    return filled


def _fill(values: Tensor, weights: Tensor) -> None:
    """One level of the pyramid and all above it, in place."""
    channels, height, width = values.shape
    if height == 1 and width == 1:
        values *= weights > 0
        return
    coarse_values = values.new_empty(channels, -(-height // 2), -(-width // 2))
    coarse_weights = values.new_empty(coarse_values.shape[1:])
    size = tuple(coarse_weights.shape)
    launch(_pull, size, values, weights, coarse_values, coarse_weights)
    _fill(coarse_values, coarse_weights)
    launch(_push, (height, width), coarse_values, coarse_weights, values, weights)
