"""The depth of a photo as files: to use again, to paint on, or to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import check_output
from cine3d_core.files.pictures.kept_depth import write_depth_exr, write_depth_png
from cine3d_core.output.motion_files import PICTURES, write_picture

_SHOWN = (1.0, 99.0)  # percentiles of disparity between which a preview goes from dark to bright


def check_depth_outputs(paths: list[Path]) -> None:
    """Refuses names that `write_depth` cannot write, before any work is done.

    Raises:
        InputError: an extension that says nothing or loses depth, the same name twice, or no place
            to write.
    """
    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in (".exr", ".png") and not (suffix in PICTURES and _is_preview(path)):
            raise InputError(
                f"cannot write the depth as {path}; name it .png (16 bit) or .exr to use it again, "
                "or NAME-preview.png or .jpg to look at it"
            )
        check_output(path)
    if len(set(paths)) < len(paths):
        raise InputError("one output is named twice; give every output its own name")


def write_depth(path: Path, depth: Tensor) -> str:
    """Writes z-depth [1, H, W] and says in words what the file is; the name decides.

    `.exr` holds distances, `.png` disparity in 16 bits: both for `--depth`. A picture whose name
    ends in `preview` is only to be looked at.
    """
    if path.suffix.lower() == ".exr":
        write_depth_exr(path, depth)
        return "distances"
    if _is_preview(path):
        write_picture(path, draw_depth(depth))
        return "preview"
    write_depth_png(path, depth)
    return "disparity, near is bright"


def draw_depth(depth: Tensor) -> np.ndarray:  # [H, W, 3] uint8 RGB
    """Nearness of z-depth [1, H, W] in colours, near is bright."""
    disparity = (1 / depth[0]).detach().cpu().numpy()
    low, high = np.percentile(disparity, _SHOWN)
    share = np.clip((disparity - low) / max(float(high - low), 1e-9), 0, 1)
    shade = np.round(share * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(shade, cv2.COLORMAP_INFERNO)[..., ::-1], np.uint8)


def _is_preview(path: Path) -> bool:
    return path.stem.lower().endswith("preview")
