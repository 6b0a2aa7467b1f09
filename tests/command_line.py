"""Calls of the `cine3d` command, within this process and in processes that tests may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "tests/bridge/photo.jpg"
HINTS = ROOT / "tests/bridge/hints.json"
SIZE = 160  # px, long side of the sample scene

# Runs a command that must be refused, and returns its one sentence (a fixture).
Refused = Callable[..., str]


def command(*arguments: object) -> list[str]:
    """What to start for a command in a process of its own."""
    return [sys.executable, "-m", "cine3d_core.cli", *map(str, arguments)]


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def hear_ctrl_c() -> None:
    """Undo what a shell does to commands in the background: they inherit a deaf ear to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(*arguments: object, until: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own that has just reported the stage `until`."""
    with subprocess.Popen(
        command(*arguments, "--progress", "json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_ctrl_c if os.name == "posix" else None,
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            for line in process.stdout:
                if json.loads(line).get("stage") == until:
                    break
            else:
                raise AssertionError(f"never came to {until!r}: {process.stderr.read()}")
            yield process
        finally:
            process.kill()


def pixels(path: Path) -> np.ndarray:  # [H, W, 3] uint8
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def psnr(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of two pictures in [0, 1], dB."""
    return float(-10 * np.log10(np.mean((ours - theirs) ** 2) + 1e-12))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
