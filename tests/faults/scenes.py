"""Scene files: damaged, hostile, or only odd; each meets `info`, `render` and `export`."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.case import Case, Command, Outcome, Workshop
from tests.faults.masks import Hostile, npy
from tests.faults.photos import encoded

Make = Callable[[Workshop], Sequence[Command]]
Change = Callable[[dict[str, bytes]], object]  # of an archive's members


def opened(scene: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(scene) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def met(scene: Path, shop: Workshop) -> list[Command]:
    return [["info", str(scene)], shop.render(scene), shop.export(scene)]


def whole(content: Callable[[bytes], bytes]) -> Make:
    """A scene file whose bytes are changed."""
    return lambda shop: met(shop.file("s.cine3d", content(shop.scene.read_bytes())), shop)


def members(change: Change, kind: int = zipfile.ZIP_STORED) -> Make:
    """A scene file whose members are changed."""

    def make(shop: Workshop) -> list[Command]:
        content = opened(shop.scene)
        change(content)
        return met(packed(shop.inputs / "s.cine3d", content, kind), shop)

    return make


def described(**changes: Any) -> Make:
    """A scene file with entries of scene.json changed; `camera__K` reaches into the camera."""

    def change(content: dict[str, bytes]) -> None:
        info = json.loads(content["scene.json"])
        for name, value in changes.items():
            *path, last = name.split("__")
            place = info
            for key in path:
                place = place[key]
            place[last] = value
        content["scene.json"] = json.dumps(info).encode()

    return members(change)


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Make:
    """A scene file with one array changed, its shape as it was."""

    def replace(content: dict[str, bytes]) -> None:
        old = np.load(io.BytesIO(content[f"{name}.npy"]))
        content[f"{name}.npy"] = npy(np.ascontiguousarray(change(old)))

    return members(replace)


def first(value: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The first number of an array becomes another."""

    def change(old: np.ndarray) -> np.ndarray:
        new = old.copy()
        new.reshape(-1)[0] = value
        return new

    return change


def text(change: Callable[[bytes], bytes]) -> Make:
    """scene.json as bytes, changed."""
    return members(lambda content: content.update({"scene.json": change(content["scene.json"])}))


def member(name: str, data: bytes) -> Make:
    return members(lambda content: content.update({name: data}))


def header(name: str, old: bytes, new: bytes) -> Make:
    """Bytes of an array's .npy header replaced by others of the same length."""
    assert len(old) == len(new)
    return members(lambda content: content.update({name: content[name].replace(old, new, 1)}))


def twice(shop: Workshop) -> list[Command]:
    path = Path(shutil.copy(shop.scene, shop.inputs / "s.cine3d"))
    data = bytearray(path.read_bytes())  # one name in the directory becomes another's
    place = data.rfind(b"rgb.npy")
    data[place : place + 7] = b"pix.npy"
    path.write_bytes(data)
    return met(path, shop)


def encrypted(data: bytes) -> bytes:
    changed = bytearray(data)
    place = changed.find(b"PK\x01\x02")
    changed[place + 8] |= 1
    return bytes(changed)


def lying_sizes(data: bytes) -> bytes:
    changed = bytearray(data)
    place = changed.rfind(b"PK\x01\x02")
    changed[place + 20 : place + 28] = struct.pack("<II", 2**31, 2**31)
    return bytes(changed)


def flipped(share: float) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[int(len(changed) * share)] ^= 0x10
        return bytes(changed)

    return change


def link(shop: Workshop) -> list[Command]:
    (shop.inputs / "s.cine3d").symlink_to(shop.scene)
    return met(shop.inputs / "s.cine3d", shop)


MATRIX = np.eye(4).tolist()
K = [[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]]
REFUSED: dict[str, Make] = {
    "empty": whole(lambda data: b""),
    "text": whole(lambda data: b"not a scene"),
    "a picture": whole(lambda data: encoded("PNG")),
    "first half": whole(lambda data: data[: len(data) // 2]),
    "last half": whole(lambda data: data[len(data) // 2 :]),
    "without its last byte": whole(lambda data: data[:-1]),
    "zeros": whole(lambda data: bytes(len(data))),
    **{f"a bit flipped at {n} %": whole(flipped(n / 100)) for n in (15, 30, 45, 60, 75, 90)},
    "an encrypted member": whole(encrypted),
    "sizes that lie": whole(lying_sizes),
    "empty archive": whole(lambda data: b"PK\x05\x06" + bytes(18)),
    "compressed by bzip2": members(lambda content: None, zipfile.ZIP_BZIP2),
    "a bomb": members(lambda c: c.update({"rgb.npy": bytes(50_000_000)}), zipfile.ZIP_DEFLATED),
    "a member that climbs out": member("../../stolen.txt", b"mine"),
    "a member from the root": member("/etc/cron.d/x", b"mine"),
    "a member with a drive": member("C:\\x", b"mine"),
    "a program beside the arrays": member("__init__.py", b"import os"),
    "a pickle as scene.json": text(lambda data: b"cposix\nsystem\n(S'exit'\ntR."),
    "a name twice": twice,
    "no scene.json": members(lambda content: content.pop("scene.json")),
    "no points": members(lambda content: content.pop("positions.npy")),
    "scene.json of brackets": text(lambda data: b"[" * 100_000),
    "scene.json of objects": text(lambda data: b'{"a":' * 100_000),
    "scene.json of 17 MB": text(lambda data: data + b" " * 17_000_000),
    "scene.json with NaN": text(lambda data: data.replace(b'"fps": 25.0', b'"fps": NaN')),
    "scene.json in UTF-16": text(lambda data: data.decode().encode("utf-16")),
    "scene.json of a list": text(lambda data: b"[]"),
    "scene.json of an empty object": text(lambda data: b"{}"),
    "pickled objects": member("rgb.npy", npy(np.array([Hostile()], object), allow_pickle=True)),
    "header of npy version 3": header("rgb.npy", b"NUMPY\x01", b"NUMPY\x03"),
    "header of big-endian numbers": header("rgb.npy", b"<f4", b">f4"),
    "header of objects": header("rgb.npy", b"'<f4'", b"'|O' "),
    "header of columns": header("rgb.npy", b"False", b"True "),
    "header of more points": header("rgb.npy", b"(1140,", b"(9999,"),
    "format of another program": described(format="blend"),
    **{f"version {v!r}": described(version=v) for v in (0, 2, "1", None, 1.0, True, 10**30)},
    "arrays of 2^39 points": described(arrays__positions=[2**39, 3]),
    "arrays of negative size": described(arrays__rgb=[-1, 3]),
    "arrays of a fraction": described(arrays__rgb=[1140.0, 3]),
    "arrays of 3 axes": described(arrays__rgb=[1140, 3, 1]),
    "arrays of null": described(arrays=None),
    "no points at all": described(arrays__positions=[0, 3]),
    "camera of null": described(camera=None),
    "camera of a list": described(camera=[1, 2]),
    "camera without focal length": described(camera__K=[[0, 0, 16], [0, 0, 12], [0, 0, 1]]),
    "camera with negative focal length": described(camera__K=[[-30, 0, 1], [0, 1, 1], [0, 0, 1]]),
    "camera with skew": described(camera__K=[[30, 9, 16], [0, 30, 12], [0, 0, 1]]),
    "camera of 1e300": described(camera__K=[[1e300, 0, 16], [0, 1e300, 12], [0, 0, 1]]),
    "camera of words": described(camera__K="wide"),
    "camera scaled": described(camera__world_to_camera=(np.eye(4) * 2).tolist()),
    "camera mirrored": described(camera__world_to_camera=np.diag([-1, 1, 1, 1]).tolist()),
    "camera of cancelling infinities": described(
        camera__world_to_camera=[[1e200, -1e200, 0, 0], [1e200, 1e200, 0, 0], *MATRIX[2:]]
    ),
    "camera at 1e300": described(camera__world_to_camera=[[1, 0, 0, 1e300], *MATRIX[1:]]),
    "camera of no width": described(camera__width=0),
    "camera of half a pixel": described(camera__width=31.5),
    "canvas of another size": described(canvas_camera__width=33),
    "canvas of a million px": described(canvas_camera__height=10**6),
    **{f"fps {v!r}": described(fps=v) for v in (0, -1, "25", None, True, 1e300)},
    **{f"num_frames {v!r}": described(num_frames=v) for v in (0, -5, 1.5, "60", True, 10**9)},
    "disparity_range of one number": described(disparity_range=[1.0]),
    "disparity_range of words": described(disparity_range=["near", "far"]),
    "disparity_range upside down": described(disparity_range=[1.0, 0.1]),
    "disparity_range below zero": described(disparity_range=[-1.0, 0.1]),
    "disparity_range of one value": described(disparity_range=[0.0, 0.0]),
    "photo_sha256 that climbs": described(photo_sha256="../" * 21 + "x"),
    "models of a list": described(models=["depth"]),
    "models of numbers": described(models={"depth": 5}),
    "parameters of null": described(parameters=None),
    "NaN among the points": array("positions", first(np.nan)),
    "infinity among the colours": array("rgb", first(np.inf)),
    "a colour of 1e30": array("rgb", first(1e30)),
    "a velocity of 1e30": array("velocity", first(1e30)),
    "a pixel off the canvas": array("pixel", first(10**9)),
    "a pixel below 0": array("pixel", first(-1)),
    "a layer that is not there": array("layer", first(99)),
    "a layer below 0": array("layer", first(-1)),
    "cycles 0": array("cycles", first(0)),
    "more cycles than frames": array("cycles", first(30_000)),
    "depth 0": array("layer_depth", first(0)),
    "negative depth": array("layer_depth", first(-1)),
    "a truth value of 7": array("inpainted", lambda old: (old.view(np.uint8) | 6).view(bool)),
}
SURVIVED: dict[str, Make] = {
    "a link": link,
    "followed by noise": whole(lambda data: data + b"PK"),
    "preceded by noise": whole(lambda data: b"#!/bin/sh\n" + data),
    "points at 1e30": array("positions", lambda old: old * np.float32(1e30)),
    "points at one place": array("positions", lambda old: old * 0 + 1),
    "points behind the camera": array("positions", lambda old: old * np.float32([1, 1, -1])),
    "one point at the camera": array("positions", lambda old: old * 0),
    "tiny depth": array("layer_depth", lambda old: old * np.float32(1e-30)),
    "huge depth": array("layer_depth", lambda old: old * np.float32(1e30)),
    "the fastest flow": array("velocity", lambda old: old * 0 + 1e5),
    "the brightest colour": array("rgb", lambda old: old * 0 + 1000),
    "all invented": array("inpainted", lambda old: old | True),
    "a principal point far away": described(camera__K=[[30, 0, 1e8], [0, 30, 1e8], [0, 0, 1]]),
    "a focal length of 1e9": described(camera__K=[[1e9, 0, 16], [0, 1e9, 12], [0, 0, 1]]),
    "a focal length of 1e-9": described(camera__K=[[1e-9, 0, 16], [0, 1e-9, 12], [0, 0, 1]]),
    "a camera far away": described(
        camera__world_to_camera=[[1, 0, 0, 1e9], *MATRIX[1:]]
    ),
    "unknown entries": described(comment="mine"),
}  # fmt: skip
EITHER: dict[str, Make] = {
    "parameters that climb": described(parameters__models="../../x"),
    "stages of null": described(parameters__stages=None),
    "stages of words": described(parameters__stages={"motion": "fast"}),
    "assumed of null": described(parameters__assumed=None),
    "an unknown preset": described(parameters__preset="from the future"),
    "a preset of a list": described(parameters__preset=["default"]),
    "the authors' models": described(parameters__models="official"),
    "models of a list": described(parameters__models=["official"]),
    "no parameters": described(parameters={}),
    "a text as parameter": described(parameters__deep="x" * 10**6),
}


def drawn(make: Make) -> Make:
    """Without `info`, which tells of scenes that cannot be drawn."""
    return lambda shop: make(shop)[1:]


def cases(outcome: Outcome, made: dict[str, Make]) -> list[Case]:
    return [Case("scene files", name, outcome, make) for name, make in made.items()]


CASES = (
    *cases("refused", REFUSED),
    *cases("survives", SURVIVED),
    *cases("either", {f"{name} (parameter)": make for name, make in EITHER.items()}),
    *(
        Case("scene files", name, "refused", drawn(described(**{f"parameters__{key}": value})))
        for name, key, value in (
            ("an unknown animation", "stages", {"animation": {"lift": "from the future"}}),
            ("no animation", "stages", {}),
        )
    ),
    Case("scene files", "absent", "refused", lambda shop: met(shop.inputs / "none.cine3d", shop)),
    Case("scene files", "a folder", "refused", lambda shop: met(shop.inputs, shop)),
    Case("scene files", "a name of 300 letters", "refused",
         lambda shop: met(shop.inputs / ("x" * 300), shop)),
)  # fmt: skip
