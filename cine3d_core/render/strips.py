"""Frames for which a device has too little memory are drawn in strips, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import torch

from cine3d_core.errors import DeviceError
from cine3d_core.render.animation import AnimationParams, Shot
from cine3d_core.render.blend import contrast_step
from cine3d_core.scene import Camera, RenderedFrame

HALO = 64  # px beyond a strip that is drawn with it: holes are filled from there
LEAST_ROWS = 64  # of a strip; a device without memory for this has no use
_ALIGN = 16  # rows: strips start where the decoder's coarse grid does

DrawPart = Callable[[Shot, AnimationParams], RenderedFrame]


def draw_in_strips(draw: DrawPart, shot: Shot, params: AnimationParams) -> RenderedFrame:
    """What `draw` makes of a shot, in as few strips as memory allows.

    Raises:
        DeviceError: there is not even memory for a narrow strip.
    """
    height, width = shot.camera.height, shot.camera.width
    step = contrast_step(height, width, params.blend)
    align = math.lcm(_ALIGN, step)  # where the grid of local means has a line too
    strips = 1
    while True:
        rows = -(-height // strips)
        rows = -(-rows // align) * align
        try:
            if strips == 1:
                return draw(shot, params)
            return _in_strips(draw, shot, params, rows, -(-(HALO + 4 * step) // align) * align)
        except torch.OutOfMemoryError as error:
            if rows <= max(LEAST_ROWS, align):
                raise DeviceError(
                    f"the device has too little memory for frames of {width}x{height}; close "
                    "other programs that use it",
                    "choose a smaller size of the frames",
                    "set {device} to cpu",
                ) from error
        strips *= 2  # outside the handler, which would keep the failed call's memory alive


def _in_strips(
    draw: DrawPart, shot: Shot, params: AnimationParams, rows: int, halo: int
) -> RenderedFrame:
    height, width = shot.camera.height, shot.camera.width
    parts: list[RenderedFrame] = []
    for first in range(0, height, rows):
        last = min(first + rows, height)
        begin, end = max(first - halo, 0), min(last + halo, height)
        # Local means are taken over a share of the long side, which may be the one that is cut.
        window = params.blend.contrast_window * max(height, width) / max(end - begin, width)
        blend = replace(params.blend, contrast_window=window)
        cameras = (shot.camera, shot.previous, shot.next)
        part = Shot(*(_rows_of(camera, begin, end) for camera in cameras), times=shot.times)
        drawn = draw(part, replace(params, blend=blend))
        kept = slice(first - begin, last - begin)
        planes = (getattr(drawn, entry.name)[:, kept].clone() for entry in fields(drawn))
        parts.append(RenderedFrame(*planes))
    joined = (
        torch.cat([getattr(part, entry.name) for part in parts], dim=1)
        for entry in fields(RenderedFrame)
    )
    return RenderedFrame(*joined)


def _rows_of(camera: Camera, begin: int, end: int) -> Camera:
    """What a camera sees in some of its rows."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[1, 2] -= begin
    return replace(camera, intrinsics=intrinsics, height=end - begin)
