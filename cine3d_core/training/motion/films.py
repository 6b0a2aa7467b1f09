"""Films of real fluids as training data: folders in the layout of Holynski et al. (CVPR 2021).

For every film NAME_gt.mp4 (its first frame is the picture; NAME_input.png or .jpg may stand in) the
mean flow of the film in px/frame is NAME_motion.pth (a pickled array in an LZ4 frame, as
published), NAME_motion.npy or NAME_motion.flo. Pickles are read without running what they name.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.flow import read_flow
from cine3d_core.synthetic.flow_pictures import FlowScene
from cine3d_core.synthetic.flows import WATER, Size
from cine3d_core.training.motion import data as motion_data

MOVING_SHARE = 0.1  # of the mean speed: what is faster moves (reference, section 3)
FLOW_ENDINGS = ("_motion.pth", "_motion.npy", "_motion.flo")
LZ4_MAGIC = b"\x04\x22\x4d\x18"
_HARMLESS = {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")} | {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


def find_films(folder: Path) -> list[Path]:
    """The flow files of a folder, sorted.

    Raises:
        InputError: there are none.
    """
    found = sorted(p for p in folder.glob("*_motion.*") if p.name.endswith(FLOW_ENDINGS))
    if not found:
        raise InputError(
            f"{folder} holds no NAME_motion.pth, .npy or .flo; give the folder train or validation "
            "of the set of Holynski et al."
        )
    return found


def read_film(flow_path: Path) -> FlowScene:
    """Picture, flow and what moves (faster than a tenth of the mean), at a size of the shards."""
    name = flow_path.name.rsplit("_motion.", 1)[0]
    flow = _read_flow(flow_path)
    picture = _read_picture(flow_path.parent, name)
    height, width = flow.shape[:2]
    if picture.shape[:2] != (height, width):
        raise InputError(
            f"the flow of {name} is {width}x{height} but its picture is "
            f"{picture.shape[1]}x{picture.shape[0]}; give both at one size"
        )
    aspect = width / height
    size = min(motion_data.SIZES, key=lambda s: abs(np.log(s.width / s.height / aspect)))
    target = (size.width, size.height)
    small = cv2.resize(flow, target, interpolation=cv2.INTER_AREA)
    small = np.asarray(small, np.float32) * (size.width / width, size.height / height)
    speed = np.linalg.norm(small, axis=-1)
    moving = speed > max(MOVING_SHARE * float(speed.mean()), 1e-6)
    return FlowScene(
        rgb=np.asarray(cv2.resize(picture, target, interpolation=cv2.INTER_AREA), np.uint8),
        kind=np.where(moving, WATER, 0).astype(np.uint8),
        flow=(small * moving[..., None]).astype(np.float32),
        nearness=np.zeros(speed.shape, np.float32),
        family="film",
    )


def pack_films(
    folder: Path, data: Path, prefix: str, nearness: motion_data.Nearness, *, seed: int
) -> int:
    """Writes shards of films, each of one size; returns how many."""
    data.mkdir(parents=True, exist_ok=True)
    waiting: dict[Size, list[NDArray[np.void]]] = {}
    for number, path in enumerate(find_films(folder)):
        scene = read_film(path)
        if scene.kind.any():
            rng = np.random.default_rng([seed, number])
            record = motion_data.make_record(scene, rng, nearness)
            waiting.setdefault(Size(*scene.kind.shape), []).append(record)
    count = 0
    for records in waiting.values():
        for start in range(0, len(records), motion_data.SHARD):
            part = records[start : start + motion_data.SHARD]
            motion_data.write_shard(data / f"{prefix}-film{count:04d}.npy", part)
            count += 1
    return count


def _read_picture(folder: Path, name: str) -> NDArray[np.uint8]:  # [H, W, 3] RGB
    for ending in ("_input.png", "_input.jpg"):
        if (folder / f"{name}{ending}").is_file():
            bgr = cv2.imread(str(folder / f"{name}{ending}"), cv2.IMREAD_COLOR)
            break
    else:
        film = cv2.VideoCapture(str(folder / f"{name}_gt.mp4"))
        bgr = film.read()[1]
        film.release()
    if bgr is None:
        raise InputError(
            f"{folder} has no readable {name}_gt.mp4, {name}_input.png or .jpg; add the picture"
        )
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


def _read_flow(path: Path) -> NDArray[np.float32]:  # [H, W, 2]
    if path.suffix == ".flo":
        return read_flow(path).permute(1, 2, 0).numpy()
    if path.suffix == ".npy":
        flow = np.load(path, allow_pickle=False)
    else:
        flow = _unpickled(path)
    planes = np.squeeze(np.asarray(flow, np.float32))  # [1, 2, H, W] as published, or [2, H, W]
    if planes.ndim != 3 or planes.shape[0] != 2 or not np.isfinite(planes).all():
        raise InputError(f"{path} is of shape {planes.shape}; a flow is [2, height, width], finite")
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _unpickled(path: Path) -> Any:
    content = path.read_bytes()
    if content.startswith(LZ4_MAGIC):
        try:
            import lz4.frame  # pyright: ignore[reportMissingImports]  # for this format only
        except ImportError as error:
            raise InputError(f"{path} is compressed with LZ4; install the package lz4") from error
        content = lz4.frame.decompress(content)
    try:
        return _ArraysOnly(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise InputError(f"{path} holds no pickled array ({error}); give .npy or .flo") from error


class _ArraysOnly(pickle.Unpickler):
    """Refuses everything that a NumPy array does not need."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        return super().find_class(module_name, global_name)
