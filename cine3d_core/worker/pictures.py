"""Pictures as Blender keeps them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from torch import Tensor

from cine3d_core.files.pictures.pixels import rgb_bytes


def rows_up(planes: Tensor) -> np.ndarray:  # [C, H, W] -> [H, W, C] float32, bottom row first
    """Planes of a picture for Blender's pixels."""
    return planes.float().flip(1).permute(1, 2, 0).contiguous().cpu().numpy()


def png_of(rgb: Tensor) -> np.ndarray:  # [3, H, W] in [0, 1] -> [n] uint8
    """The bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(rgb_bytes(rgb)).save(file, "PNG", compress_level=1)
    return np.frombuffer(file.getvalue(), np.uint8)
