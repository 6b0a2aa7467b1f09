"""What a program sees in a photograph, in files that others can score too.

| file | what |
| --- | --- |
| NAME.disparity.png | 16 bit grey, larger is nearer; scale and shift mean nothing |
| NAME.classes.png | 8 bit grey: 0 static, 1 sky, 2 water, 3 falls, 4 smoke, 5 fire |
| NAME.moving.png | 8 bit grey: 255 moves |
| NAME.flo | flow, px/frame; zero where nothing flows |
| NAME.one-arrow.flo | the flow after one arrow for each region was given |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.pictures.flow import read_flow, write_flow

Array = NDArray[Any]

_WHITE16 = 65535


@dataclass(frozen=True)
class Seen:
    """What is said about one photograph; the parts may have different sizes."""

    disparity: Array  # [H, W] float32, larger is nearer
    labels: NDArray[np.uint8]  # [H, W] index into LABELS
    moving: NDArray[np.bool_]  # [H, W]
    flow: Array | None  # [H, W, 2] float32 px/frame; None where no arrow asks for it
    flow_of_arrows: Array | None = None  # the same after one arrow for each region was given


def write_seen(seen: Seen, folder: Path, name: str) -> None:
    """Writes the files of one photograph."""
    low, high = float(seen.disparity.min()), float(seen.disparity.max())
    depth = (seen.disparity - low) / max(high - low, 1e-12) * _WHITE16
    _write_grey(folder / f"{name}.disparity.png", np.round(depth).astype(np.uint16))
    _write_grey(folder / f"{name}.classes.png", seen.labels)
    _write_grey(folder / f"{name}.moving.png", seen.moving.astype(np.uint8) * 255)
    for flow, end in ((seen.flow, ".flo"), (seen.flow_of_arrows, ".one-arrow.flo")):
        if flow is not None:
            write_flow(folder / f"{name}{end}", torch.from_numpy(flow).permute(2, 0, 1))


def read_seen(folder: Path, name: str) -> Seen:
    """What `write_seen` wrote.

    Raises:
        InputError: a file is missing or damaged.
    """
    flow, of_arrows = (folder / f"{name}{end}" for end in (".flo", ".one-arrow.flo"))
    return Seen(
        disparity=_read_grey(folder / f"{name}.disparity.png").astype(np.float32),
        labels=_read_grey(folder / f"{name}.classes.png").astype(np.uint8),
        moving=_read_grey(folder / f"{name}.moving.png") > 0,
        flow=_flow_array(flow),
        flow_of_arrows=_flow_array(of_arrows),
    )


def _flow_array(path: Path) -> Array | None:  # [H, W, 2]
    return read_flow(path).permute(1, 2, 0).numpy() if path.is_file() else None


def _write_grey(path: Path, values: Array) -> None:
    _, code = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    with replacing(path) as temporary:
        temporary.write_bytes(code.tobytes())


def _read_grey(path: Path) -> Array:
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if values is None or values.ndim != 2:
        raise InputError(
            f"{path} is missing or not grey; delete the folder {path.parent} and start again"
        )
    return values
