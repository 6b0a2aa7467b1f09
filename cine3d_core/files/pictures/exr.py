"""A rendered frame as OpenEXR, named so that compositors understand it.

| channel | what |
| --- | --- |
| R, G, B | half, scene-linear (Rec. 709 primaries), holes filled; equal to the PNG picture |
| A | half, 1: the picture is opaque |
| Z | float, z-depth in scene units, 0 where nothing is |
| forward.u, forward.v | float, pixels to the next frame, v upwards |
| backward.u, backward.v | float, pixels to the previous frame, v upwards |
| mask.moving | half, share of moving surface |
| mask.coverage | half, share of the pixel that real points cover |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import torch
from torch import Tensor

from cine3d_core.files.quiet import without_own_lines
from cine3d_core.scene import RenderedFrame

FINGERPRINT = "cine3d"  # header attribute


def exr_channels(frame: RenderedFrame) -> dict[str, np.ndarray]:  # each [H, W]
    """The channels of one frame, in the types that are stored."""
    red, green, blue = srgb_to_linear(frame.rgb)
    half = {
        "R": red,
        "G": green,
        "B": blue,
        "A": torch.ones_like(red),
        "mask.moving": frame.moving[0],
        "mask.coverage": frame.alpha[0],
    }
    back_x, back_y, next_x, next_y = frame.motion
    full = {
        "Z": frame.depth[0],
        "forward.u": next_x,
        "forward.v": -next_y,  # ours points down, compositors' up
        "backward.u": back_x,
        "backward.v": -back_y,
    }
    return {name: _array(plane, torch.float16) for name, plane in half.items()} | {
        name: _array(plane, torch.float32) for name, plane in full.items()
    }


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer curve (IEC 61966-2-1) of values in [0, 1], any shape."""
    curved = ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb <= 0.04045, rgb / 12.92, curved)


def write_exr(path: Path, channels: dict[str, np.ndarray], fingerprint: str) -> None:
    """Write one file with the fingerprint in its header; OSError when the disk refuses."""
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        FINGERPRINT: fingerprint,
    }
    try:
        with OpenEXR.File(header, channels) as file:
            file.write(str(path))
    except RuntimeError as error:  # how OpenEXR reports errors of the disk
        raise OSError(str(error)) from error


def exr_fingerprint(path: Path) -> str | None:
    """The fingerprint in a file's header, None when it has none or is no EXR."""
    try:
        with without_own_lines(), OpenEXR.File(str(path), header_only=True) as file:
            value = file.header().get(FINGERPRINT)
    except (RuntimeError, OSError, ValueError):
        return None
    return value if isinstance(value, str) else None


def _array(plane: Tensor, dtype: torch.dtype) -> np.ndarray:
    return np.ascontiguousarray(plane.detach().to("cpu", dtype).numpy())
