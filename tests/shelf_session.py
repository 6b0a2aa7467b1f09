"""The shelf from end to end: `python -m tests.shelf_session FOLDER`.

A hub on the loopback hands out a tiny network for every entry of the shelf: the architecture or
the interface of the real one with made-up weights. The shelf is filled by the command that a
person types, a scene is built with every entry, clicks go to the job of the worker. Then the hub is
gone, and in a process of its own, in which every socket refuses, the same is done again, a frame is
drawn, and the shelf is emptied. Every command is printed.

Exit code 1, and a sentence, when anything is not as it must be.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image

from cine3d_core.cli import main as cine3d
from cine3d_core.files.models.catalogue import SHELF, ShelfEntry
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.worker.jobs import JOBS
from cine3d_core.worker.server import JobInput
from tests import tiny_networks
from tests.command_line import PHOTO, environment
from tests.hub_server import entry, hub, on_hub, table

OPTION_OF = {"depth": "--depth", "classes": "--classes", "fill": "--fill"}
CLICKS = [[0.5, 0.8, True], [0.2, 0.1, False]]
FOUND = "online.json"  # what networks made each scene, for the second half


class Wrong(Exception):
    """Something is not as it must be."""


def command(*words: str) -> str:
    """Run `cine3d ...` and print that it is; what it said."""
    print("cine3d", shlex.join(words), flush=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cine3d(list(words))
    if code:
        raise Wrong(f"cine3d {shlex.join(words)} ended with {code}: {said.getvalue()}")
    return said.getvalue()


def tiny_shelf() -> dict[str, tuple[ShelfEntry, dict[str, bytes]]]:
    """Every entry of the real table, and files of its own names for a tiny network."""
    made = {name: make() for name, (_, _, make) in tiny_networks.TINY.items()}
    made["moge-2-base"] = made["moge-2-small"]  # they differ in size alone
    for one in SHELF:
        names = {file.path for file in one.files}
        if made[one.name].keys() != names:
            raise Wrong(f"{one.name} has other files than its tiny network: {sorted(names)}")
    return {one.name: (one, made[one.name]) for one in SHELF}


def run(folder: Path) -> None:
    """The whole session in an empty folder; leaves the environment as it was."""
    before = dict(os.environ)
    try:
        _online(folder)
    finally:
        os.environ.clear()
        os.environ.update(before)
    print("# the hub is gone, and every socket refuses", flush=True)
    words = [sys.executable, "-m", "tests.shelf_session", str(folder), "--second-half"]
    done = subprocess.run(words, env=environment(), check=False)
    if done.returncode:
        raise Wrong("without the network not everything went on")


def _surroundings(folder: Path) -> None:
    """The environment of a person whose models lie in the folder."""
    os.environ["CINE3D_MODELS"] = str(folder / "models")
    os.environ["CINE3D_SHELF"] = str(folder / "table.json")
    os.environ["NO_PROXY"] = "*"
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT"):
        os.environ.pop(name, None)


def _online(folder: Path) -> None:
    """Fill the shelf from the hub, and use all of it."""
    shelf = tiny_shelf()
    kept = ("rank", "title", "license", "license_url", "replaces", "better")
    table(folder / "table.json", *(
        entry(name, one.task, one.kind, files, **{key: getattr(one, key) for key in kept})
        for name, (one, files) in shelf.items()
    ))  # fmt: skip
    everything: dict[str, bytes] = {}
    for name, (_, files) in shelf.items():
        everything |= on_hub(name, files)
    _surroundings(folder)
    with hub(everything) as server:
        os.environ["HF_ENDPOINT"] = server.address
        command("doctor")
        command("models", "list")
        if server.requests:
            raise Wrong(f"somebody asked the hub without a click: {server.requests}")
        command("models", "get", *shelf, "--progress", "none")
        asked = len(server.requests)
        found = _use(folder, "online")
        if len(server.requests) != asked:
            raise Wrong(f"building asked the hub: {server.requests[asked:]}")
    (folder / FOUND).write_text(json.dumps(found), encoding="utf-8")


def _offline(folder: Path) -> None:
    """Everything once more where every socket refuses, and then without a shelf."""
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> NoReturn:
        tried.append(arguments)
        raise OSError("the network is switched off")

    for place, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"),
                        (socket, "getaddrinfo"), (socket, "create_connection")):  # fmt: skip
        setattr(place, name, refuse)
    _surroundings(folder)
    listed = json.loads(command("models", "list", "--json"))["shelf"]
    if not all(one["installed"] for one in listed):
        raise Wrong("an entry is gone without the network")
    command("models", "verify")
    command("doctor")
    if _use(folder, "offline") != json.loads((folder / FOUND).read_text(encoding="utf-8")):
        raise Wrong("the scenes built without the network were made by other networks")
    command("render", str(folder / "offline-best.cine3d"), "-o", str(folder / "frames"),
            "--frames", "0:1", "--size", "96")  # fmt: skip
    for one in SHELF:
        command("models", "remove", one.name)
    models = _build(folder, "bundled")
    if "see" not in models or models.keys() & {one.name for one in SHELF}:
        raise Wrong(f"with an empty shelf the scene was made by {sorted(models)}")
    if tried:
        raise Wrong(f"somebody reached for the network: {tried}")


def _use(folder: Path, prefix: str) -> dict[str, dict[str, str]]:
    """A scene with every entry, and one with the best of each task: name -> what made it."""
    found = {}
    for one in SHELF:
        if one.task == "click":
            options = ["--mask", str(_clicked(one, folder / f"{prefix}-clicked.png"))]
        else:
            options = [OPTION_OF[one.task], one.name]
        found[one.name] = _build(folder, f"{prefix}-{one.name}", *options)
        if one.task != "click" and one.name not in found[one.name]:
            raise Wrong(f"{one.name} was chosen, and {sorted(found[one.name])} made the scene")
    found["best"] = _build(folder, f"{prefix}-best")
    for task in OPTION_OF:
        best = max((one for one in SHELF if one.task == task), key=lambda one: one.rank)
        if best.name not in found["best"]:
            raise Wrong(f"{best.name} is the best for {task} and was not used")
    return found


def _build(folder: Path, name: str, *options: str) -> dict[str, str]:
    """What networks made a scene."""
    path = folder / f"{name}.cine3d"
    command("build", str(PHOTO), "-o", str(path), "--size", "96", "--frames", "4", *options)
    return load_scene(path).models


def _clicked(one: ShelfEntry, path: Path) -> Path:
    """A mask of two clicks, by the worker's job."""
    print(f"# worker: click_mask {json.dumps(CLICKS)}", flush=True)
    arguments: dict[str, Any] = {"photo": str(PHOTO), "size": 96, "clicks": CLICKS}
    value, arrays = JOBS["click_mask"](JobInput(arguments, {}, lambda stage, share: None))
    if value["network"] != one.name:
        raise Wrong(f"a click was answered by {value}")
    probability = arrays["mask"][::-1]
    # made-up weights find nothing: the likelier half is as good a mask as any
    chosen = probability > np.median(probability)
    Image.fromarray((chosen * 255).astype(np.uint8)).save(path)
    return path


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.shelf_session", description=__doc__)
    parser.add_argument("folder", type=Path, help="new or empty")
    parser.add_argument("--second-half", action="store_true", help="(started by the first half)")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (_offline if given.second_half else run)(folder)
    except Wrong as error:
        print(f"not as it must be: {error}", file=sys.stderr)
        return 1
    if not given.second_half:
        print("everything went on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
