"""The scene file as numpy sees it: `scene.json` and `.npy` arrays in a zip.

A file is hostile until proved otherwise: every name, size, type and shape is compared with what
`scene.json` states and with the length of the file before anything is allocated. Needs numpy alone,
so that the Blender add-on can read scenes.
"""

from __future__ import annotations

import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.inputs import input_file, parse_json
from cine3d_core.files.scene.camera_json import checked_matrices, checked_size
from cine3d_core.motion_kinds import IN_PLACE

FORMAT = "cine3d"

# name -> stored type and shape; letters are sizes that must agree between all arrays
Layout = dict[str, tuple[str, tuple[str | int, ...]]]
LAYOUT: Layout = {
    "positions": ("<f4", ("N", 3)),
    "rgb": ("<f4", ("N", 3)),
    "features": ("<f2", ("N", "C")),  # or <f4, where half precision would lose something
    "layer": ("<i2", ("N",)),
    "pixel": ("<i8", ("N",)),
    "inpainted": ("|b1", ("N",)),
    "layer_depth": ("<f4", ("L", 1, "H", "W")),
    "velocity": ("<f4", ("L", 2, "H", "W")),
    "cycles": ("<i2", ("L", 1, "H", "W")),
}
# Those of the kinds of motion in place are there where they are used.
IN_PLACE_LAYOUT: Layout = {kind.name: ("<f4", ("L", kind.planes, "H", "W")) for kind in IN_PLACE}
# Which region moves a point is there where regions were drawn.
OPTIONAL_LAYOUT: Layout = {**IN_PLACE_LAYOUT, "region": ("|u1", ("L", 1, "H", "W"))}
VERSION = 3
_LEVEL = 1  # of compression: higher ones take several times as long for some percent
# What a file may unpack to: real scenes grow ten times at most, nearly all of it zeros.
_MOST_GROWTH = 100
_FREE_GROWTH = 2**26  # bytes that any file may unpack to
_JSON = "scene.json"
_JSON_BYTES = 16 * 2**20
_NPY_HEADER_BYTES = 4096
# Beyond these no photo's numbers lie; within them every sum of a frame stays finite.
# px/frame, px; colour may overshoot
_LARGEST = {"velocity": 1e5, **dict.fromkeys(IN_PLACE_LAYOUT, 1e5), "rgb": 1e3}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same scene gives the same bytes
_ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,  # features of zip that Python does not have
    RuntimeError,  # encrypted members
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    struct.error,
    zlib.error,
)


class _Unsound(Exception):
    """What is wrong with a scene file, to be told in one sentence."""


def write_scene_arrays(
    path: str | Path, info: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Write one scene; `info` is `scene.json` without format, version and the arrays' shapes.

    The same content gives the same bytes. The file appears whole or not at all.
    """
    layout = _with_features(layout_of(arrays), arrays["features"].dtype)
    stored = {name: np.ascontiguousarray(arrays[name], layout[name][0]) for name in layout}
    shapes = {name: list(array.shape) for name, array in stored.items()}
    content = {**info, "format": FORMAT, "version": VERSION, "arrays": shapes}
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open(_member(_JSON, len(text)), "w") as file:
            file.write(text)
        for name, array in stored.items():
            member = _member(f"{name}.npy", array.nbytes)
            member.compress_type = zipfile.ZIP_DEFLATED
            # the public name is of Python 3.13
            member._compresslevel = _LEVEL  # pyright: ignore[reportAttributeAccessIssue]
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)


def read_scene_arrays(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """`scene.json` and the arrays of a scene file, in the types and shapes of its layout.

    Raises:
        InputError: no such file, not a scene, another version, damaged, or not sound in itself.
    """
    with _opened(path) as archive:
        info = _info(archive)
        layout = _layout(archive)
        arrays = {name: _array(archive, name, info["arrays"][name], layout) for name in layout}
        _check_values(info, arrays)
    return info, arrays


def read_scene_info(path: str | Path) -> dict[str, Any]:
    """`scene.json` alone, checked, without reading any array."""
    with _opened(path) as archive:
        return _info(archive)


def check_scene(info: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """AssertionError for a scene that could not be read back: a fault of ours, not of a file."""
    try:
        _check_info(info)
        layout = layout_of(arrays)
        for name, (_, shape) in layout.items():
            assert arrays[name].ndim == len(shape), (name, arrays[name].shape)
        _sizes({name: list(arrays[name].shape) for name in layout}, layout)
        _check_values(info, arrays)
    except (_Unsound, InputError) as error:
        raise AssertionError(str(error)) from error


@contextmanager
def _opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """The archive, its directory checked; everything wrong inside is told with the file's name."""
    place = input_file(path, "scene file")
    try:
        if not zipfile.is_zipfile(place):
            raise _Unsound("it is not a scene or was cut off")
        with zipfile.ZipFile(place) as archive:
            _check_directory(archive, place.stat().st_size)
            yield archive
    except InputError as error:
        raise InputError(f"the scene file {path} cannot be used: {error}") from error
    except (_Unsound, *_ZIP_DAMAGE) as error:
        raise InputError(
            f"the scene file {path} cannot be used: {error}; build it again"
        ) from error


def _check_directory(archive: zipfile.ZipFile, file_bytes: int) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    expected = {_JSON, *(f"{name}.npy" for name in LAYOUT)}
    possible = {f"{name}.npy" for name in OPTIONAL_LAYOUT}
    if len(names) != len(set(names)):
        raise _Unsound("it holds a name twice")
    if _JSON not in names:
        raise _Unsound("it is a zip without scene.json")
    for name in sorted((expected - set(names)) | (set(names) - expected - possible)):
        fate = "missing" if name in expected else "no part of a scene"
        raise _Unsound(f"{name[:60]!r} is {fate}")
    known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    for member in members:
        if member.compress_type not in known or member.flag_bits & 0x1:
            raise _Unsound(f"{member.filename} is encrypted or compressed in another way")
        if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
            raise _Unsound(f"{member.filename} states two sizes")
    # members that share bytes would unpack to more than the file holds
    if sum(member.compress_size for member in members) > file_bytes:
        raise _Unsound("its members are larger than the file")
    if sum(member.file_size for member in members) > file_bytes * _MOST_GROWTH + _FREE_GROWTH:
        raise _Unsound("it unpacks to more than a scene of its size can hold")


def _info(archive: zipfile.ZipFile) -> dict[str, Any]:
    if archive.getinfo(_JSON).file_size > _JSON_BYTES:
        raise _Unsound("scene.json is too large")
    info = parse_json(archive.read(_JSON), _JSON)
    if info.get("format") != FORMAT:
        raise _Unsound("scene.json is not that of a Cine3D scene")
    if type(info.get("version")) is not int or info["version"] != VERSION:
        raise InputError(
            f"it has version {info.get('version')!r}, this Cine3D reads version {VERSION}; "
            "build it again"
        )
    layout = _layout(archive)
    _check_info(info)
    shapes = info.get("arrays")
    if not isinstance(shapes, dict) or set(shapes) != set(layout):
        raise _Unsound("scene.json does not state the shapes of its arrays")
    sizes = _sizes(shapes, layout)
    for side, name in (("H", "height"), ("W", "width")):
        if sizes[side] != info["canvas_camera"][name]:
            raise _Unsound(f"the layers differ from the canvas in {name}")
    for name, shape in shapes.items():
        _check_member_size(archive, name, shape, layout)
    return info


def layout_of(names: Container[str]) -> Layout:
    """The arrays of a scene in which these are: all that every scene has, and what some have."""
    return LAYOUT | {name: entry for name, entry in OPTIONAL_LAYOUT.items() if name in names}


def _layout(archive: zipfile.ZipFile) -> Layout:
    """The layout of a file's arrays, with the type of features that it says."""
    with archive.open("features.npy") as file:
        single = b"'descr': '<f4'" in file.read(64)
    layout = layout_of({name.removesuffix(".npy") for name in archive.namelist()})
    return _with_features(layout, np.dtype(np.float32 if single else np.float16))


def _with_features(layout: Layout, dtype: np.dtype) -> Layout:
    stored = "<f4" if dtype == np.float32 else "<f2"
    return {**layout, "features": (stored, ("N", "C"))}


def _sizes(shapes: dict[str, Any], layout: Layout) -> dict[str, int]:
    """The sizes N, C, L, H, W, once all stated shapes agree on them."""
    sizes: dict[str, int] = {}
    for name, (_, letters) in layout.items():
        shape = shapes[name]
        if not isinstance(shape, list) or len(shape) != len(letters):
            raise _Unsound(f"{name} has the wrong number of dimensions")
        for letter, side in zip(letters, shape, strict=True):
            if type(side) is not int or not 0 <= side < 2**40:
                raise _Unsound(f"{name} has an impossible shape")
            wanted = sizes.setdefault(letter, side) if isinstance(letter, str) else letter
            if side != wanted:
                raise _Unsound(f"{name} has {side} where the other arrays have {wanted}")
    if min(sizes[letter] for letter in "NLHW") < 1:
        raise _Unsound("it holds no points or no layers")
    return sizes


def _check_member_size(
    archive: zipfile.ZipFile, name: str, shape: list[int], layout: Layout
) -> None:
    payload = math.prod(shape) * np.dtype(layout[name][0]).itemsize
    header = archive.getinfo(f"{name}.npy").file_size - payload
    if not 0 < header <= _NPY_HEADER_BYTES:
        raise _Unsound(f"{name} is not as long as its shape says")


def _array(archive: zipfile.ZipFile, name: str, shape: list[int], layout: Layout) -> np.ndarray:
    dtype = np.dtype(layout[name][0])
    with archive.open(f"{name}.npy") as file:
        _check_npy_header(file, name, dtype, tuple(shape))
        array = np.empty(shape, dtype)
        _read_into(file, array)
        if file.read(1):  # this read, past the last byte, is what checks the CRC
            raise _Unsound(f"{name} is longer than its shape says")
    return array


def _check_npy_header(file: IO[bytes], name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Compare the header with the only text that NumPy writes for this array, parsing nothing."""
    start = file.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00":
        raise _Unsound(f"{name} is not an array of .npy version 1.0")
    header = file.read(int.from_bytes(start[8:], "little"))
    wanted = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    if header.rstrip() != wanted.encode():
        raise _Unsound(f"{name} is not the array that scene.json states")


def _read_into(file: IO[bytes], array: np.ndarray) -> None:
    """Fill an array with the next bytes of a member, without a second copy of it all."""
    if not array.size:
        return
    target = array.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(target):
        block = file.read(min(len(target) - done, 2**22))
        if not block:
            raise _Unsound("it is cut off")
        target[done : done + len(block)] = block
        done += len(block)


def _check_info(info: dict[str, Any]) -> None:
    for name in ("camera", "canvas_camera"):
        checked_matrices(info.get(name), f'"{name}"')
        checked_size(info[name], f'"{name}"')
    if type(info.get("num_frames")) is not int or not 1 <= info["num_frames"] <= 10**6:
        raise _Unsound("num_frames is not a whole number from 1 to 1000000")
    if not _is_number(info.get("fps")) or not 0.01 <= info["fps"] <= 1000:
        raise _Unsound("fps is not a number from 0.01 to 1000")
    span = info.get("disparity_range")
    if not isinstance(span, list) or len(span) != 2 or not all(map(_is_number, span)):
        raise _Unsound("disparity_range is not two numbers")
    if not 0 <= span[0] <= span[1] or span[1] == 0:
        raise _Unsound("disparity_range is not a rising range of positive numbers")
    if not re.fullmatch("[0-9a-f]{64}", str(info.get("photo_sha256"))):
        raise _Unsound("photo_sha256 is not a checksum")
    models = info.get("models")
    if not isinstance(models, dict) or not all(isinstance(v, str) for v in models.values()):
        raise _Unsound("models does not map names to checksums")
    if not isinstance(info.get("parameters"), dict):
        raise _Unsound("parameters is not an object")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def _check_values(info: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """What numbers may be; a wrong index would reach foreign memory in a compiled kernel."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _Unsound(f"{name} holds NaN or infinity")
    for name, largest in _LARGEST.items():
        if name in arrays and max(arrays[name].max(), -arrays[name].min()) > largest:
            raise _Unsound(f"{name} holds a number beyond {largest:g}")
    if arrays["inpainted"].view(np.uint8).max() > 1:
        raise _Unsound("inpainted holds something else than yes and no")
    canvas = info["canvas_camera"]["height"] * info["canvas_camera"]["width"]
    _check_range("layer", arrays, len(arrays["layer_depth"]))
    _check_range("pixel", arrays, canvas)
    if arrays["cycles"].min() < 1 or arrays["cycles"].max() > info["num_frames"]:
        raise _Unsound("cycles holds a number that is not from 1 to num_frames")
    if arrays["layer_depth"].min() <= 0:
        raise _Unsound("layer_depth holds a depth that is not positive")


def _check_range(name: str, arrays: dict[str, np.ndarray], limit: int) -> None:
    if arrays[name].min() < 0 or arrays[name].max() >= limit:
        raise _Unsound(f"{name} holds an index outside 0 to {limit - 1}")


def _member(name: str, size: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system = 3  # the same on every platform
    member.external_attr = 0o644 << 16
    member.file_size = size
    return member
