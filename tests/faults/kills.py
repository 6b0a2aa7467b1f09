"""kill -9, full disks, two writers, odd clocks: run as `python -m tests.faults.kills`.

Each attempt is a child forked before anything has computed, so that it costs no import of torch;
it works at small sizes and is killed at a moment drawn by a seed. What must hold afterwards: every
file that has a final name is whole, old files are untouched or replaced whole, running the same
command again gives the same bytes as if nothing had happened, and leaves nothing beside them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from cine3d_core import build as pipeline
from cine3d_core.cli import main as cine3d
from cine3d_core.files.scene import ply
from cine3d_core.files.video import writer

# imported before the first fork, so that no child pays for them
from cine3d_core.output import clip
from tests.command_line import HINTS, PHOTO, files_below
from tests.faults.case import is_root

PRELOADED = (clip, pipeline, ply, writer)
KILLS = 20  # of each command
SEED = 8
FRAMES = 6
PAGE = os.sysconf("SC_PAGE_SIZE")  # the unit of file systems in memory
Words = list[str]
Contents = dict[str, bytes]


def build(out: Path) -> Words:
    return ["build", str(PHOTO), "-o", str(out / "s.cine3d"), "--size", "96", "--frames", "6",
            "--hints", str(HINTS), "--preset", "draft"]  # fmt: skip


def render(scene: Path, out: Path) -> Words:
    return ["render", str(scene), "-o", str(out / "f"), "--resume", "--size", "48"]


def film(scene: Path, out: Path) -> Words:
    return ["render", str(scene), "-o", str(out / "x.mp4"), "--size", "96"]


def other(scene: Path, kind: Words, out: Path) -> Words:
    """The kinds of output that are tried with small disks only."""
    return ["render", str(scene), "--size", "96", "-o", str(out / kind[0]), *kind[1:]]


def export(scene: Path, out: Path) -> Words:
    return ["export", str(scene), "-o", str(out / "c.ply"), "--frames", f"0:{FRAMES}"]


def started(words: Words, *, bytes_allowed: int | None = None) -> int:
    """A child that runs a command; its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        torch.set_num_threads(1)
        if bytes_allowed is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_allowed, bytes_allowed))
        code = cine3d(words)
    finally:
        os._exit(code)


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def whole(words: Words) -> float:
    """Run a command to its end; how long it took, seconds."""
    start = time.monotonic()
    code = exit_code(started(words))
    assert code == 0, (code, words)
    return time.monotonic() - start


def contents(folder: Path) -> Contents:
    return {n: (folder / n).read_bytes() for n in files_below(folder) if (folder / n).is_file()}


def difference(now: Contents, wanted: Contents) -> str | None:
    """What is not as if nothing had happened."""
    names = [
        name for name in sorted(now.keys() | wanted.keys()) if now.get(name) != wanted.get(name)
    ]
    return f"differs: {names}" if names else None


def killed(
    make: Callable[[Path], Words], base: Path, *, old: bool
) -> Iterator[tuple[str, str | None]]:
    """One command killed at many moments; with `old`, over finished files of another run."""
    name = make(base)[0]
    generator = random.Random(SEED)
    reference = fresh(base / "reference")
    whole(make(reference))
    wanted = contents(reference)
    seconds = min(whole(make(fresh(base / "timed"))) for _ in range(2))
    previous = {n: b"old " + n.encode() for n in wanted} if old else {}
    for _ in range(KILLS):
        moment = generator.uniform(0, 1.05) * seconds
        yield (
            f"{name} killed after {moment * 1000:.0f} ms",
            _killed_once(make, fresh(base / "killed"), moment, previous, wanted),
        )


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _killed_once(
    make: Callable[[Path], Words], out: Path, moment: float, previous: Contents, wanted: Contents
) -> str | None:
    for name, data in previous.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(data)
    child = started(make(out))
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    exit_code(child)
    for name, data in contents(out).items():
        is_temporary = Path(name).name.startswith(".") and ".tmp" in name
        if not is_temporary and data not in (wanted.get(name), previous.get(name)):
            return f"half a file: {name}"
    lost = [name for name in previous if not (out / name).is_file()]
    if lost:
        return f"lost: {lost}"
    whole(make(out))
    return difference(contents(out), wanted)


def full_disk(make: Callable[[Path], Words], out: Path, wanted: Contents) -> str | None:
    """Files may not grow beyond a size: as on a full disk, the command must refuse in words."""
    allowed = min(len(data) for data in wanted.values()) // 2
    code = exit_code(started(make(out), bytes_allowed=allowed))
    left = files_below(out)
    return f"exit code {code}, left {left}" if code != 2 or left else None


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """A small file system in memory, where the machine lets us; else False."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = is_root() and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", str(folder)], check=True)


def small_disk(make: Callable[[Path], Words], folder: Path, wanted: Contents) -> str | None:
    """A real file system in which about half of the output has room."""
    whole_size = sum(map(len, wanted.values()))
    size = max(1, whole_size // 2 // PAGE) * PAGE
    assert size < whole_size, f"{whole_size} bytes would fit"
    with mounted(folder, f"size={size}") as there:
        if not there:
            return None
        code = exit_code(started(make(folder)))
        left = [name for name, data in contents(folder).items() if name.startswith(".")]
        return f"exit code {code}, left {left}" if code != 2 or left else None


def read_only(make: Callable[[Path], Words], folder: Path) -> str | None:
    with mounted(folder, "ro") as there:
        if not there:
            folder.chmod(0o500)
            if is_root():
                return None  # root writes anywhere
        code = exit_code(started(make(folder)))
        return None if code == 2 else f"exit code {code}"


def two_writers(make: Callable[[Path], Words], out: Path, wanted: Contents) -> str | None:
    """Two processes with one output at once: whoever is last wins, whole."""
    children = [started(make(out)) for _ in range(2)]
    codes = [exit_code(child) for child in children]
    return f"exit codes {codes}" if any(codes) else difference(contents(out), wanted)


def odd_clock(scene: Path, out: Path, wanted: Contents, moment: float) -> str | None:
    """Frames and scene that seem to be of another time are what they are."""
    copy = Path(shutil.copy(scene, out.parent / f"{out.name}.cine3d"))
    os.utime(copy, (moment, moment))
    whole(render(copy, out))
    for path in (out / "f").iterdir():
        os.utime(path, (moment, moment))
    (out / "f/frame_0002.png").unlink()
    whole(render(copy, out))
    return difference(contents(out), wanted)


def attempts(base: Path) -> Iterator[tuple[str, str | None]]:
    """All attempts: name, and what went wrong."""
    whole(build(fresh(base / "scene")))
    scene = base / "scene/s.cine3d"
    makers: dict[str, Callable[[Path], Words]] = {
        "build": build,
        "render": partial(render, scene),
        "video": partial(film, scene),
        "export": partial(export, scene),
    }
    for name, make in makers.items():
        old = name not in ("render",)  # foreign frames would be refused
        yield from killed(make, base / name, old=old)
    wanted = {name: contents(base / name / "reference") for name in makers}
    for name, make in makers.items():
        yield f"{name} on a full disk", full_disk(make, fresh(base / "full"), wanted[name])
        small = base / f"small-{name}"
        yield f"{name} on a disk that is too small", small_disk(make, small, wanted[name])
        yield f"{name} on a read-only disk", read_only(make, base / f"closed-{name}")
        for again in range(3):
            yield (
                f"two of {name} at once, {again}",
                two_writers(make, fresh(base / "two"), wanted[name]),
            )
    for kind in (["x.webm"], ["x.gif"], ["f", "--format", "exr"]):
        make, name = partial(other, scene, kind), " ".join(kind)
        whole(make(fresh(base / "other")))
        full = contents(base / "other")
        yield f"{name} on a full disk", full_disk(make, fresh(base / "full"), full)
        small = base / f"small-{kind[0]}"
        yield f"{name} on a disk that is too small", small_disk(make, small, full)
    for name, moment in (("1970", 0.0), ("2099", 4.07e9)):
        yield f"a clock of {name}", odd_clock(scene, fresh(base / name), wanted["render"], moment)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cine3d-kills-") as folder:
        found = attempts(Path(folder))
        while True:
            try:
                name, problem = next(found)
            except StopIteration:
                break
            except Exception:  # told as what it is: a fault
                name, problem = "the attempts went on", traceback.format_exc()
            print("CASE", json.dumps([name, problem]), flush=True)


if __name__ == "__main__":
    main()
