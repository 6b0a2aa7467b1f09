"""The shelf from end to end: `python -m tests.shelf_session FOLDER`.

A hub on the loopback hands out a tiny network for every entry of the shelf: the architecture or
the interface of the real one with made-up weights. The shelf is filled by the command that a person
types, a scene is built with every entry, clicks go to the real worker. Then the hub is switched off
and every socket refuses; the same is done again, and frames are drawn. Every command is printed.

Exit code 1, and a sentence, when anything is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cine3d_core.files.models.catalogue import SHELF, ShelfEntry
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.worker.protocol import read_message, write_message
from tests import tiny_networks
from tests.command_line import PHOTO, ROOT
from tests.hub_server import entry, hub, on_hub, table

OPTION_OF = {"depth": "--depth", "classes": "--classes", "fill": "--fill"}
CLICKS = [[0.5, 0.8, True], [0.2, 0.1, False]]
# what Python imports before anything else: nobody is asked, and who tries is written down
REFUSING = """
import os, socket
def refuse(*arguments, **_):
    with open(os.environ["CINE3D_SESSION_ASKED"], "a") as file:
        print(arguments, file=file)
    raise OSError("the network is switched off")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
"""


class Wrong(Exception):
    """Something is not as it must be."""


@dataclass(frozen=True)
class Session:
    """Where the session writes, and the environment of its commands."""

    folder: Path
    variables: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """Of a command."""
        return {**os.environ, "PYTHONPATH": str(ROOT), **self.variables}

    def command(self, *words: str) -> str:
        """Run `cine3d ...`; what it printed."""
        print("cine3d", shlex.join(words), flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "cine3d_core.cli", *words],
            capture_output=True, text=True, env=self.environment, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Wrong(f"cine3d {shlex.join(words)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def switched_off(self) -> Session:
        """The same without a network."""
        place = self.folder / "switched-off"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(REFUSING, encoding="utf-8")
        more = {
            "PYTHONPATH": f"{place}{os.pathsep}{ROOT}",
            "CINE3D_SESSION_ASKED": str(self.folder / "asked.txt"),
        }
        return Session(self.folder, self.variables | more)


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
    """The whole session in an empty folder."""
    shelf = tiny_shelf()
    kept = {"rank", "title", "license", "license_url", "replaces", "better"}
    entries = [
        entry(name, one.task, one.kind, files, **{key: getattr(one, key) for key in kept})
        for name, (one, files) in shelf.items()
    ]
    variables = {
        "CINE3D_MODELS": str(folder / "models"),
        "CINE3D_SHELF": str(table(folder / "table.json", *entries)),
        "NO_PROXY": "*",
    }
    session = Session(folder, variables)
    everything = {
        k: v for name, (_, files) in shelf.items() for k, v in on_hub(name, files).items()
    }
    with hub(everything) as server:
        online = Session(folder, variables | {"HF_ENDPOINT": server.address})
        online.command("doctor")
        if server.requests:
            raise Wrong(f"doctor asked the hub: {server.requests}")
        online.command("models", "get", *shelf, "--progress", "none")
        asked = len(server.requests)
        first = _use(online, "online")
        if len(server.requests) != asked:
            raise Wrong(f"building asked the hub: {server.requests[asked:]}")
    print("# the hub is switched off, and every socket refuses", flush=True)
    offline = session.switched_off()
    listed = json.loads(offline.command("models", "list", "--json"))["shelf"]
    if not all(one["installed"] for one in listed):
        raise Wrong("an entry is gone without the network")
    offline.command("models", "verify")
    offline.command("doctor")
    if _use(offline, "offline") != first:
        raise Wrong("the scenes built without the network are others")
    offline.command("render", str(folder / "offline-best.cine3d"), "-o", str(folder / "frames"),
                    "--frames", "0:2", "--size", "96")  # fmt: skip
    for name in shelf:
        offline.command("models", "remove", name)
    models = _build(offline, "bundled")
    if "see" not in models or models.keys() & shelf.keys():
        raise Wrong(f"with an empty shelf the scene was made by {sorted(models)}")
    if (folder / "asked.txt").exists():
        raise Wrong(f"somebody reached for the network: {(folder / 'asked.txt').read_text()}")


def _use(session: Session, prefix: str) -> dict[str, dict[str, str]]:
    """A scene with every entry, and one with the best of each task: name -> what made it."""
    found = {}
    for one in SHELF:
        if one.task == "click":
            _click(session, one, session.folder / f"{prefix}-clicked.png")
            options = ["--mask", str(session.folder / f"{prefix}-clicked.png")]
        else:
            options = [OPTION_OF[one.task], one.name]
        found[one.name] = _build(session, f"{prefix}-{one.name}", *options)
        if one.task != "click" and one.name not in found[one.name]:
            raise Wrong(f"{one.name} was chosen, and {sorted(found[one.name])} made the scene")
    found["best"] = _build(session, f"{prefix}-best")
    for task in OPTION_OF:
        best = max((one for one in SHELF if one.task == task), key=lambda one: one.rank)
        if best.name not in found["best"]:
            raise Wrong(f"{best.name} is the best for {task} and was not used")
    return found


def _build(session: Session, name: str, *options: str) -> dict[str, str]:
    """What networks made a scene."""
    path = session.folder / f"{name}.cine3d"
    session.command("build", str(PHOTO), "-o", str(path), "--size", "96", "--frames", "4", *options)
    return load_scene(path).models


def _click(session: Session, one: ShelfEntry, mask: Path) -> None:
    """A mask of two clicks, by the real worker."""
    print(f"# worker: click_mask {json.dumps(CLICKS)}", flush=True)
    with subprocess.Popen(
        [sys.executable, "-m", "cine3d_core.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=session.environment,
    ) as worker:  # fmt: skip
        assert worker.stdin is not None and worker.stdout is not None
        arguments = {"photo": str(PHOTO), "size": 96, "clicks": CLICKS}
        job: dict[str, Any] = {"id": 1, "name": "click_mask", "arguments": arguments}
        write_message(worker.stdin, "job", job)
        answer = read_message(worker.stdout)
        while answer is not None and answer.kind in ("hello", "progress"):
            answer = read_message(worker.stdout)
        worker.stdin.close()
    if answer is None or answer.kind != "result":
        raise Wrong(f"the worker did not answer a click: {answer and answer.header}")
    if answer.header["value"]["network"] != one.name:
        raise Wrong(f"a click was answered by {answer.header['value']}")
    probability = answer.arrays["mask"][::-1]
    # made-up weights find nothing: the likelier half is as good a mask as any
    chosen = probability > np.median(probability)
    Image.fromarray((chosen * 255).astype(np.uint8)).save(mask)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.shelf_session", description=__doc__)
    parser.add_argument("folder", type=Path, help="new or empty")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run(folder)
    except Wrong as error:
        print(f"not as it must be: {error}", file=sys.stderr)
        return 1
    print("everything went on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
