"""What comes over the worker's pipe: bytes that are no messages, and jobs that cannot be done."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cine3d_core.worker.program import load_jobs
from cine3d_core.worker.protocol import INPUT_ERROR, Message, read_message, write_message
from cine3d_core.worker.server import Session, run_job
from tests.command_line import environment
from tests.faults.cameras import POSE, K
from tests.faults.case import HEIGHT, WIDTH, Deed, Workshop
from tests.fuzz.targets import protocol


def wire(
    header: Any,
    payload: bytes = b"",
    *,
    magic: bytes = b"C3D1",
    sizes: tuple[int, int] | None = None,
) -> bytes:
    """One message, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    lengths = sizes or (len(text), len(payload))
    return struct.pack("<4sIQ", magic, *lengths) + text + payload


def carrying(*arrays: Any) -> dict[str, Any]:
    return {"kind": "job", "id": 1, "name": "ping", "arrays": list(arrays)}


def spec(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "dtype": "uint8", "shape": [4]} | changes


PING = {"kind": "job", "id": 1, "name": "ping", "arrays": []}
BYTES: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"C",
    "text": b"hello worker, how are you?\n" * 9,
    "zeros": bytes(100),
    "another magic": wire(PING, magic=b"HTTP"),
    "a request of a browser": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header of 4 GB": wire(PING, sizes=(2**32 - 1, 0)),
    "a payload of 16 exabytes": wire(PING, sizes=(60, 2**64 - 1)),
    "a payload that never comes": wire(carrying(spec(shape=[2**20])), sizes=(99, 2**20)),
    "cut off in its header": wire(PING)[:30],
    "cut off in its payload": wire(carrying(spec()), b"1234")[:-2],
    "a header that is no JSON": wire(b"{{{{"),
    "a header of brackets": wire(b"[" * 100_000),
    "a header in UTF-16": wire(json.dumps(PING).encode("utf-16")),
    "a header of a list": wire([1, 2]),
    "no kind": wire({"arrays": []}),
    "no arrays": wire({"kind": "job"}),
    "a kind that is a number": wire({"kind": 5, "arrays": []}),
    "an unknown kind": wire({"kind": "dance", "arrays": []}),
    "an id of a list": wire({**PING, "id": [1]}),
    "an id of null": wire({**PING, "id": None}),
    "an id of 400 digits": wire({**PING, "id": 10**400}),
    "no id": wire({"kind": "cancel", "arrays": []}),
    "a name that is a number": wire({**PING, "name": 7}),
    "arguments of a list": wire({**PING, "arguments": [1]}),
    "arguments of words": wire({**PING, "arguments": "fast"}),
    "arrays of objects": wire(carrying(spec(dtype="object")), b"1234"),
    "arrays of pickles": wire(carrying(spec(dtype="|O8")), b"cposix\nsystem\n."),
    "a dtype that is a list": wire(carrying(spec(dtype=["u1"])), b"1234"),
    "a shape of negative size": wire(carrying(spec(shape=[-1, -4])), b"1234"),
    "a shape of fractions": wire(carrying(spec(shape=[4.0])), b"1234"),
    "a shape of a number": wire(carrying(spec(shape=4)), b"1234"),
    "a shape of 100 axes": wire(carrying(spec(shape=[1] * 100)), b"1"),
    "a shape that overflows": wire(carrying(spec(shape=[2**32, 2**32])), b""),
    "a shape larger than the payload": wire(carrying(spec(shape=[400])), b"1234"),
    "two arrays of one name": wire(carrying(spec(), spec()), b"12345678"),
    "an array of null": wire(carrying(None)),
    "an array without a name": wire(carrying({"dtype": "uint8", "shape": [1]}), b"1"),
}


def survives_bytes(data: bytes) -> Callable[[Workshop], str | None]:
    def do(shop: Workshop) -> str | None:
        protocol(data)  # raises what is not foreseen
        return None

    return do


def ends_by_itself(data: bytes) -> Callable[[Workshop], str | None]:
    """A worker process that hears nonsense ends, quietly."""

    def do(shop: Workshop) -> str | None:
        done = subprocess.run(
            [sys.executable, "-m", "cine3d_core.worker"],
            input=data, capture_output=True, timeout=60, check=False, env=environment(),
        )  # fmt: skip
        told = done.stderr.decode()
        return told if done.returncode or "Traceback" in told else None

    return do


def camera(**changes: Any) -> dict[str, Any]:
    return {"K": K, "world_to_camera": POSE, "width": WIDTH, "height": HEIGHT} | changes


def rendering(**changes: Any) -> dict[str, Any]:
    """The arguments of a render, `camera` changed for all three moments."""
    seen = changes.pop("camera", camera())
    moments = {"camera": seen, "previous": seen, "next": seen}
    return {"scene_file": "{scene}", "frame": 0, "passes": ["depth"]} | moments | changes


NAN_POSE = [[float("nan")] * 4] * 4
SCENE = "{out}/s.cine3d"
BUILD = {"photo": "{photo}", "scene_file": SCENE}
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "an unknown job": ("dance", {}),
    "a job of a function's name": ("os.system", {"command": "true"}),
    "a build of no photo": ("build", {"photo": "{inputs}/none.jpg", "scene_file": SCENE}),
    "a build of a folder": ("build", {"photo": "{inputs}", "scene_file": SCENE}),
    "a build through a file": ("build", {"photo": "{photo}", "scene_file": "{photo}/s.cine3d"}),
    "a build onto a folder": ("build", {"photo": "{photo}", "scene_file": "{out}"}),
    "a build with depth that is absent": (
        "build",
        {**BUILD, "settings": {"depth": "{inputs}/n.png"}},
    ),
    "a build of one frame": (
        "build", {**BUILD, "settings": {"frames": 1}},
    ),
    "a build with arrows outside": (
        "build", {**BUILD, "hints": [[5, 5, 5.1, 5.1]]},
    ),
    "a build with an arrow of no length": (
        "build", {**BUILD, "hints": [[0.1, 0.1] * 2]},
    ),
    "a build on an unknown device": (
        "build", {**BUILD, "settings": {"device": "abacus"}},
    ),
    "a scene that is absent": ("open", {"scene_file": "{inputs}/none.cine3d"}),
    "a scene that is a photo": ("open", {"scene_file": "{photo}"}),
    "a frame of no scene": ("render", rendering(scene_file="{inputs}/none.cine3d")),
    "a frame of a photo": ("render", rendering(scene_file="{photo}")),
    "a frame on an unknown device": ("render", rendering(device="abacus")),
    "a frame of 0 px": ("render", rendering(camera=camera(width=0))),
    "a frame of a million px": ("render", rendering(camera=camera(width=10**6))),
    "a frame of a negative size": ("render", rendering(camera=camera(height=-5))),
    "a camera of NaN": ("render", rendering(camera=camera(world_to_camera=NAN_POSE))),
    "a camera of zeros": ("render", rendering(camera=camera(world_to_camera=[[0] * 4] * 4))),
    "a camera that is scaled": (
        "render", rendering(camera=camera(world_to_camera=(np.eye(4) * 3).tolist())),
    ),
    "a lens of 0": ("render", rendering(camera=camera(K=[[0, 0, 1], [0, 0, 1], [0, 0, 1]]))),
    "a lens of 1e300": (
        "render", rendering(camera=camera(K=[[1e300, 0, 1], [0, 1e300, 1], [0, 0, 1]])),
    ),
    "an empty region": ("render", rendering(region=[3, 3, 0, 0])),
    "points of no scene": (
        "export_ply", {"scene_file": "{inputs}/none.cine3d", "files": [], "matrix": POSE},
    ),
    "points through a file": (
        "export_ply",
        {"scene_file": "{scene}", "matrix": POSE, "files": [{"frame": 0, "path": "{photo}/x.ply"}]},
    ),
    "a mask for no photo": ("propose_mask", {"photo": "{inputs}/none.jpg", "size": 64}),
    "a preview of no photo": ("preview_motion", {"photo": "{inputs}/none.jpg"}),
}  # fmt: skip
ODD_JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "frame -1000": ("render", rendering(frame=-1000)),
    "frame 10^9": ("render", rendering(frame=10**9)),
    "a region beyond the frame": ("render", rendering(region=[0, 0, 999, 999])),
    "a camera far away": (
        "render", rendering(camera=camera(world_to_camera=[[1, 0, 0, 1e8], *POSE[1:]])),
    ),
    "a frame of one pixel": ("render", rendering(camera=camera(width=1, height=1))),
    "no passes": ("render", rendering(passes=[])),
}  # fmt: skip


def filled(value: Any, names: dict[str, str]) -> Any:
    """Arguments with `{names}` replaced by paths."""
    if isinstance(value, dict):
        return {key: filled(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [filled(entry, names) for entry in value]
    return value.format(**names) if isinstance(value, str) else value


def answered(name: str, arguments: dict[str, Any], kind: str) -> Callable[[Workshop], str | None]:
    """A job that must be answered once: with a `result`, or with an `error` in one sentence."""

    def do(shop: Workshop) -> str | None:
        places = {"inputs": shop.inputs, "out": shop.output, "scene": shop.scene}
        names = {key: str(path) for key, path in {**places, "photo": shop.photo()}.items()}
        output = io.BytesIO()
        job = {"id": 1, "name": name, "arguments": filled(arguments, names)}
        run_job(Session(output), Message("job", job), load_jobs)
        output.seek(0)
        answers = []
        while (message := read_message(output)) is not None:
            answers += [] if message.kind == "progress" else [message]
        if [message.kind for message in answers] != [kind]:
            return f"answered {[(m.kind, m.header.get('message')) for m in answers]}"
        header = answers[0].header
        if kind == "error" and (
            header["kind_of_error"] != INPUT_ERROR or "\n" in header["message"]
        ):
            return f"answered {header['kind_of_error']}: {header['message']}"
        left = [path for path in Path(shop.output).rglob("*") if path.is_file()]
        return f"left {left}" if kind == "error" and left else None

    return do


def too_long_to_send(shop: Workshop) -> str | None:
    """A job whose arguments are larger than the other side would take is refused by the sender."""
    try:
        write_message(io.BytesIO(), "job", {"id": 1, "arguments": "x" * 2**21})
    except Exception as error:
        return None if type(error).__name__ == "ProtocolError" else repr(error)
    return "sent"


REAL = ("text", "a header of brackets", "a payload of 16 exabytes", "an id of a list",
        "cut off in its payload", "a shape of 100 axes")  # fmt: skip
CASES = (
    *(Deed("worker messages", name, survives_bytes(data)) for name, data in BYTES.items()),
    *(Deed("worker messages", f"{n} (process)", ends_by_itself(BYTES[n])) for n in REAL),
    *(
        Deed("worker messages", name, answered(job, arguments, "error"))
        for name, (job, arguments) in JOBS.items()
    ),
    *(
        Deed("worker messages", name, answered(job, arguments, "result"))
        for name, (job, arguments) in ODD_JOBS.items()
    ),
    Deed("worker messages", "too long to send", too_long_to_send),
)
