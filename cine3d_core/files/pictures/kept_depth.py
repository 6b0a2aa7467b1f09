"""Depth in files that know what they hold, so that what comes back is what was written.

A 16 bit grey PNG holds disparity (1 / depth), bright is near, and its scale in a text chunk; an
OpenEXR file holds the depth itself in the channel Z. Other programs see an ordinary depth picture.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from cine3d_core.files.atomic import replacing
from cine3d_core.files.pictures.decoding import opened_picture, samples
from cine3d_core.files.pictures.exr import exr_fingerprint, write_exr
from cine3d_core.files.pictures.maps import read_depth_picture

_KEY, _EXR_WORD = "cine3d-depth", "depth of a photo"
_WHITE = 65535


def write_depth_png(path: Path, depth: Tensor) -> None:
    """Writes z-depth [1, H, W]; the nearest is white."""
    disparity = (1 / depth[0]).detach().cpu().numpy().astype(np.float64)
    nearest = float(disparity.max())
    info = PngInfo()
    info.add_text(_KEY, repr(nearest))
    stored = np.round(disparity / nearest * _WHITE).clip(1, _WHITE).astype(np.uint16)
    with replacing(path) as temporary:
        Image.fromarray(stored).save(temporary, "PNG", pnginfo=info, compress_level=3)


def write_depth_exr(path: Path, depth: Tensor) -> None:
    """Writes z-depth [1, H, W] without any loss."""
    plane = np.ascontiguousarray(depth[0].detach().cpu().numpy(), np.float32)
    with replacing(path) as temporary:
        write_exr(temporary, {"Z": plane}, _EXR_WORD)


def read_kept_depth(path: Path) -> Tensor | None:
    """The z-depth [1, h, w] in a file of ours, None in any other file.

    Raises:
        InputError: it is ours but damaged.
    """
    if path.suffix.lower() == ".exr":
        return read_depth_picture(path) if exr_fingerprint(path) == _EXR_WORD else None
    if path.suffix.lower() != ".png" or not path.is_file():
        return None
    with opened_picture(path, "depth picture") as image:
        nearest = _number(image.info.get(_KEY))
        if nearest is None or image.mode not in ("I;16", "I;16B", "I"):
            return None
        values = samples(path, image)[..., 0]
    disparity = np.maximum(values.astype(np.float64), 1) / _WHITE * nearest
    return torch.from_numpy((1 / disparity).astype(np.float32)[None])


def _number(text: object) -> float | None:
    """A positive number in a text, None when there is none."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 1e-6 < value < math.inf else None
