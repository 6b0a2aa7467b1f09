"""Scenes to and from `.cine3d` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from cine3d_core.files.scene.arrays import (
    IN_PLACE_LAYOUT,
    check_scene,
    layout_of,
    read_scene_arrays,
    read_scene_info,
    write_scene_arrays,
)
from cine3d_core.files.scene.camera_json import checked_matrices
from cine3d_core.scene import Camera, CinemagraphScene, FeaturePointCloud

__all__ = ["load_scene", "read_scene_info", "save_scene"]

_CLOUD = ("positions", "rgb", "features", "layer", "pixel", "inpainted")


def save_scene(scene: CinemagraphScene, path: str | Path) -> None:
    """Write a scene; `load_scene` gives the same numbers back, the same scene the same bytes.

    Only the depth of layers in which nothing moves is not kept: motion alone asks for it.

    Raises:
        InputError: the place cannot be written. The old file, if any, stays as it was.
    """
    regions = {} if scene.region is None else {"region": scene.region}
    layout = layout_of({**scene.in_place, **regions})
    tensors = {
        name: getattr(scene.cloud if name in _CLOUD else scene, name)
        for name in layout
        if name not in scene.in_place
    }
    tensors |= scene.in_place
    tensors["layer_depth"] = _depth_where_it_moves(scene)
    half = tensors["features"].half()
    if torch.equal(half.float(), tensors["features"]):  # at half the size, if nothing is lost
        tensors["features"] = half
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    for name, array in arrays.items():
        assert array.dtype == np.dtype(layout[name][0]) or name == "features", (name, array.dtype)
    info = {
        "camera": _camera_json(scene.camera),
        "canvas_camera": _camera_json(scene.canvas_camera),
        "num_frames": scene.num_frames,
        "fps": scene.fps,
        "disparity_range": list(scene.disparity_range),
        "photo_sha256": scene.photo_sha256,
        "models": scene.models,
        "parameters": scene.parameters,
    }
    check_scene(info, arrays)
    write_scene_arrays(path, info, arrays)


def _depth_where_it_moves(scene: CinemagraphScene) -> torch.Tensor:  # [L, 1, H, W]
    moves = torch.zeros(len(scene.layer_depth), dtype=torch.bool)
    for planes in (scene.velocity, *scene.in_place.values()):
        moves |= planes.abs().flatten(1).amax(dim=1).cpu() > 0
    if bool(moves.all()):
        return scene.layer_depth
    one = torch.ones((), dtype=scene.layer_depth.dtype)
    return torch.where(moves[:, None, None, None], scene.layer_depth.cpu(), one)


def load_scene(path: str | Path) -> CinemagraphScene:
    """Read a scene, on the CPU.

    Raises:
        InputError: no such file, of another version, truncated, damaged or hostile.
    """
    info, arrays = read_scene_arrays(path)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    tensors["features"] = tensors["features"].float()
    low, high = info["disparity_range"]
    return CinemagraphScene(
        camera=_camera(info["camera"]),
        canvas_camera=_camera(info["canvas_camera"]),
        cloud=FeaturePointCloud(**{name: tensors[name] for name in _CLOUD}),
        layer_depth=tensors["layer_depth"],
        velocity=tensors["velocity"],
        cycles=tensors["cycles"],
        num_frames=info["num_frames"],
        fps=float(info["fps"]),
        disparity_range=(float(low), float(high)),
        photo_sha256=info["photo_sha256"],
        models=info["models"],
        parameters=info["parameters"],
        in_place={name: tensors[name] for name in IN_PLACE_LAYOUT if name in tensors},
        region=tensors.get("region"),
    )


def _camera_json(camera: Camera) -> dict[str, Any]:
    return {
        "K": camera.intrinsics.double().tolist(),
        "world_to_camera": camera.world_to_camera.double().tolist(),
        "height": camera.height,
        "width": camera.width,
    }


def _camera(entry: dict[str, Any]) -> Camera:
    intrinsics, pose = checked_matrices(entry, "a camera")
    return Camera(
        torch.from_numpy(intrinsics), torch.from_numpy(pose), entry["height"], entry["width"]
    )
