"""What is fuzzed: each target takes any bytes, and may refuse them in words but not fail.

The first byte chooses how the rest is understood, so that mutations get past checksums and magic
numbers: a scene file is also tried with a mutated scene.json or array inside a sound archive.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.hints import read_directions
from cine3d_core.files.models.store import read_model_info
from cine3d_core.files.scene.arrays import LAYOUT, read_scene_arrays
from cine3d_core.files.scene.camera_path import read_camera_path
from cine3d_core.files.scene.scene_file import save_scene
from cine3d_core.worker.program import load_jobs
from cine3d_core.worker.protocol import ProtocolError, read_message
from cine3d_core.worker.server import Session, run_job, take_message
from tests.stored_scenes import tiny_scene

PHOTO_SIZE = (24, 32)  # height, width
_MEMBERS = ("scene.json", *(f"{name}.npy" for name in LAYOUT))


@cache
def folder() -> Path:
    """A place for files, in memory where there is one."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="cine3d-fuzz-", dir=memory if memory.is_dir() else None))


@cache
def sound_scene() -> bytes:
    save_scene(tiny_scene(), folder() / "sound.cine3d")
    return (folder() / "sound.cine3d").read_bytes()


def scene_with(member: str, content: bytes) -> bytes:
    """A sound archive in which one member is something else."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound_scene())) as old, zipfile.ZipFile(output, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))
    return output.getvalue()


def scene_file(data: bytes) -> None:
    """The scene-file reader: refuses with InputError, or gives arrays that are sound."""
    choice, rest = data[0] % (len(_MEMBERS) + 1), data[1:]
    path = folder() / "fuzzed.cine3d"
    path.write_bytes(rest if choice == 0 else scene_with(_MEMBERS[choice - 1], rest))
    try:
        info, arrays = read_scene_arrays(path)
    except InputError:
        return
    canvas = info["canvas_camera"]["height"] * info["canvas_camera"]["width"]
    assert 0 <= arrays["pixel"].min() and arrays["pixel"].max() < canvas
    assert 0 <= arrays["layer"].min() and arrays["layer"].max() < len(arrays["layer_depth"])
    assert all(np.isfinite(array).all() for array in arrays.values())


def protocol(data: bytes) -> None:
    """The worker's end of the pipe: refuses with ProtocolError, or answers every job once."""
    source, session = io.BytesIO(data), Session(io.BytesIO())
    with contextlib.suppress(ProtocolError):
        while (message := read_message(source)) is not None:
            take_message(session, message)
    while not session.waiting.empty():
        message = session.waiting.get()
        assert message is not None
        message.header["name"] = "ping"  # other jobs have tests of their own
        message.header["arguments"] = {"echo": message.header.get("arguments")}
        run_job(session, message, load_jobs)


def json_readers(data: bytes) -> None:
    """Hints, camera paths and model descriptions: refused with InputError, or sound."""
    readers: tuple[tuple[str, Callable[[Path], None]], ...] = (
        ("hints.json", _read_hints),
        ("camera.json", _read_cameras),
        ("model.json", _read_model),
    )
    name, reader = readers[data[0] % len(readers)]
    path = folder() / name
    path.write_bytes(data[1:])
    with contextlib.suppress(InputError):
        reader(path)


def _read_hints(path: Path) -> None:
    height, width = PHOTO_SIZE
    directions = read_directions(path, height=height, width=width, original_size=PHOTO_SIZE)
    for hint in directions.hints:
        assert 0 <= hint.start[0] <= width and 0 <= hint.start[1] <= height, hint
    assert all(len(polygon) >= 3 for polygon in directions.polygons)


def _read_cameras(path: Path) -> None:
    for camera in read_camera_path(path):
        rotation = camera.world_to_camera[:3, :3].numpy()
        assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 0.01, rotation
        assert camera.intrinsics.isfinite().all() and camera.world_to_camera.isfinite().all()


def _read_model(path: Path) -> None:
    assert isinstance(read_model_info(path.parent).architecture, dict)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "scene_file": scene_file,
    "protocol": protocol,
    "json_readers": json_readers,
}


def try_one(name: str, data: bytes) -> None:
    """Run one target on one input; raises what the target did not foresee."""
    if data:
        TARGETS[name](data)
