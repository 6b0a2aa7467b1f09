"""Optical flow as Middlebury's `.flo` (Baker et al., IJCV 2011): what flow viewers read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.inputs import input_file

_TAG = b"PIEH"  # 202021.25 as float32
_HEADER = struct.Struct("<4sii")
_MAX_SIDE = 65536


def write_flow(path: str | Path, velocity: Tensor) -> None:
    """Write [2, H, W] px/frame."""
    values = velocity.detach().cpu().permute(1, 2, 0).numpy().astype("<f4")
    height, width = values.shape[:2]
    with replacing(path) as temporary:
        temporary.write_bytes(_HEADER.pack(_TAG, width, height) + values.tobytes())


def read_flow(path: str | Path) -> Tensor:  # [2, H, W] float32 px/frame
    """Read what `write_flow` and the Middlebury tools write.

    Raises:
        InputError: no such file, not a `.flo` file, or cut off.
    """
    content = input_file(path, "flow file").read_bytes()
    if len(content) < _HEADER.size or content[:4] != _TAG:
        raise InputError(f"{path} is not a .flo file; give one in Middlebury's format")
    _, width, height = _HEADER.unpack_from(content)
    payload = len(content) - _HEADER.size
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE) or payload != 8 * width * height:
        raise InputError(f"the flow file {path} is damaged or cut off; write it again")
    values = np.frombuffer(content, "<f4", offset=_HEADER.size).reshape(height, width, 2)
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1).contiguous()
