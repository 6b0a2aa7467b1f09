"""A rendered frame as OpenEXR, named so that compositors understand it.

| channel | what |
| --- | --- |
| R, G, B | half, scene-linear (Rec. 709 primaries), holes filled; equal to the PNG picture |
| A | half, 1: the picture is opaque |
| Z | float, z-depth in scene units, 0 where nothing is |
| forward.u, forward.v | float, pixels to the next frame, v upwards |
| backward.u, backward.v | float, pixels to the previous frame, v upwards |
| mask.moving | half, share of moving surface |
| mask.coverage | half, share of the pixel that points cover, cracks between them closed |

The header has OpenEXR's standard attributes `framesPerSecond`, `chromaticities`, `worldToCamera`
and `worldToNDC`, and our `focalLengthPx`. Its spaces are those of OpenEXR's documentation: row
vectors; the camera's x right, y up, z into the picture, and the world's the same as the photo's
camera stood; NDC from the upper left corner, 0 to 1 over the picture, z 0 at distance 1, 1 far off.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import torch
from torch import Tensor

from cine3d_core.files.quiet import without_own_lines
from cine3d_core.files.video.rate import frame_rate
from cine3d_core.scene import Camera, RenderedFrame

FINGERPRINT = "cine3d"  # header attribute
# x and y of red, green, blue and white: Rec. 709
_CHROMATICITIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
_UPWARDS = np.diag([1.0, -1.0, 1.0, 1.0])  # our y points down

Header = dict[str, object]


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


def exr_header(fps: float, camera: Camera | None) -> Header:
    """What the header of a frame says beside its channels; see the module."""
    header: Header = {"framesPerSecond": frame_rate(fps), "chromaticities": _CHROMATICITIES}
    if camera is None:
        return header
    to_camera = _UPWARDS @ camera.world_to_camera.cpu().numpy() @ _UPWARDS
    focal_x, focal_y = (float(camera.intrinsics[n, n]) for n in (0, 1))
    centre_x, centre_y = (float(camera.intrinsics[n, 2]) for n in (0, 1))
    width, height = camera.width, camera.height
    to_ndc = np.array(
        [
            [focal_x / width, 0, centre_x / width, 0],
            [0, -focal_y / height, centre_y / height, 0],
            [0, 0, 1, -1],
            [0, 0, 1, 0],
        ]
    )
    return header | {
        "worldToCamera": _rows(to_camera),
        "worldToNDC": _rows(to_ndc @ to_camera),
        "focalLengthPx": focal_x,
    }


def _rows(matrix: np.ndarray) -> np.ndarray:
    """A matrix for columns as one for rows; OpenEXR reads its memory and knows no strides."""
    return np.ascontiguousarray(matrix.T, np.float32)


def write_exr(
    path: Path, channels: dict[str, np.ndarray], fingerprint: str, more: Header | None = None
) -> None:
    """Write one file with the fingerprint in its header; OSError when the disk refuses."""
    header = (more or {}) | {
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
