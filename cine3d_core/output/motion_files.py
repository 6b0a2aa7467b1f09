"""The motion of a photo as files: a preview, a mask to paint on, or a flow field."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from cine3d_core.build import DirectedPhoto
from cine3d_core.errors import InputError
from cine3d_core.files.atomic import check_output, replacing
from cine3d_core.files.pictures.flow import write_flow
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.motion.draw import draw_motion, draw_wheel, what_moves

# suffix -> how OpenCV is to encode it: fast, or at a quality that shows nothing
PICTURES: dict[str, list[int]] = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 92],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 92],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 92],
}


def check_motion_outputs(paths: list[Path]) -> None:
    """Refuses names that `write_motion` cannot write, before any work is done.

    Raises:
        InputError: an extension that says nothing, the same name twice, or no place to write.
    """
    for path in paths:
        if path.suffix.lower() not in (".flo", *PICTURES):
            raise InputError(
                f"cannot write the motion as {path}; name it .flo for the flow, NAME-mask.png for "
                "the mask, or another .png for a preview"
            )
        check_output(path)
    if len(set(paths)) < len(paths):
        raise InputError("one output is named twice; give every output its own name")


def write_motions(paths: list[Path], directed: DirectedPhoto) -> list[str]:
    """Writes all files at once, each as `write_motion` does, and says what each is."""
    with ThreadPoolExecutor() as writers:  # encoders and disks work while another draws
        return list(writers.map(lambda path: write_motion(path, directed), paths))


def write_motion(path: Path, directed: DirectedPhoto) -> str:
    """Writes one file and says in words what it is; the name decides.

    `.flo` holds the flow, px/frame at the working size (what moves in place does not flow: 0). A
    picture whose name ends in `mask` is the mask at the photo's own size, for `--mask`. Any other
    picture is a preview.
    """
    photo, motion = directed.photo, directed.motion
    if path.suffix.lower() == ".flo":
        write_flow(path, motion.velocity)
        return "flow"
    if path.stem.lower().endswith("mask"):
        size = (photo.original_width, photo.original_height)
        moving = what_moves(motion)[0].cpu().numpy().astype(np.float32)
        moving = cv2.resize(moving, size, interpolation=cv2.INTER_LINEAR) >= 0.5
        write_picture(path, moving.astype(np.uint8) * 255)
        return "mask"
    write_picture(path, rgb_bytes(draw_wheel(draw_motion(photo.rgb, motion))))
    return "preview"


def write_picture(path: Path, values: np.ndarray) -> None:
    """Writes grey [H, W] or RGB [H, W, 3] uint8 as one of `PICTURES`, by the name's extension."""
    # OpenCV's encoder takes a third of the time of Pillow's
    stored = values if values.ndim == 2 else np.ascontiguousarray(values[..., ::-1])
    _, code = cv2.imencode(path.suffix, stored, PICTURES[path.suffix.lower()])
    with replacing(path) as temporary:
        temporary.write_bytes(code.tobytes())
