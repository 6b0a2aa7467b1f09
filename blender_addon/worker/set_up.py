"""Set Up and Check: make a Python with PyTorch for the worker, and see whether it works.

Nothing is downloaded before a person has agreed, and nothing at all while Blender is offline. The
environment lies in the extension's user folder; removing that folder removes it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from . import jobs, python

# Pinned by hash: a package that was exchanged on its way is refused.
REQUIREMENTS = Path(__file__).with_name("worker_requirements.txt")
TORCH_REQUIREMENTS = Path(__file__).with_name("worker_torch.txt")
# PyTorch comes from its makers' index, whose builds differ by platform and graphics card. Those
# with CUDA are fixed by version alone: they bring NVIDIA's libraries, another set on each platform.
TORCH_WITH_CUDA = "torch==2.13.0"
CARD_REQUIREMENTS = Path(__file__).with_name("worker_card.txt")
_TORCH_INDEX = "https://download.pytorch.org/whl/"
_CUDA_BUILD = "cu126"
TIMER_S = 0.2


def reason_of(log: Iterable[str], code: int) -> str:
    """Why a step failed and what to do, from all that it printed."""
    lines = [line.strip() for line in log if line.strip()]
    text = "\n".join(lines)
    for pattern, reason in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return reason.format(version=f"{sys.version_info.major}.{sys.version_info.minor}")
    return lines[-1] if lines else f"exit code {code}"


# What the tools print, and what it means. Networks come before "no matching distribution", which
# pip says last when it has reached no index at all.
_REASONS = (
    (
        # Debian breaks the line within the words
        r"ensurepip\s+is\s+not\s+available|No module named '?(ensurepip|venv)",
        "Blender's Python cannot make environments; install your system's package for it "
        "(Debian and Ubuntu: sudo apt install python{version}-venv), or choose another Python",
    ),
    (
        r"No space left on device|Errno 28|disk quota",
        "the disk is full; make room (3 GB at most are needed) and try again",
    ),
    (
        "NewConnectionError|ConnectionError|Max retries|name resolution|Network is unreachable"
        "|ProxyError|Read timed out|getaddrinfo|Connection (refused|reset|broken)",
        "the package index cannot be reached; check the network or proxy, then try again",
    ),
    (
        "SSL|CERTIFICATE_VERIFY_FAILED",
        "the connection is not trusted; check the system's clock and certificates, then try again",
    ),
    (
        "DO NOT MATCH THE HASHES",
        "a package is not the one that was tested, so it was refused; try again, and report it "
        "if it happens twice",
    ),
    (
        "Permission denied|Errno 13|Read-only file system",
        "the folder cannot be written; see its permissions, or choose another Python",
    ),
    (
        "No matching distribution found",
        "there is no build of a needed package for Python {version} here; choose another Python "
        "(3.11 is tested)",
    ),
)


def torch_index(platform: str, has_nvidia: bool) -> str | None:
    """Package index with the right build of PyTorch; None is the ordinary one."""
    if platform == "darwin":
        return None
    return _TORCH_INDEX + (_CUDA_BUILD if has_nvidia else "cpu")


def setup_steps(folder: Path, python: Path, index: str | None) -> list[tuple[str, list[str]]]:
    """What Set Up does: readable words and the command of each step."""
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    pinned = [*install, "--require-hashes", "--no-deps", "--requirement"]
    source = ["--index-url", index] if index else []
    steps = [
        ("Making the environment", [sys.executable, "-m", "venv", "--clear", str(folder)]),
        ("Installing packages", [*pinned, str(REQUIREMENTS)]),
    ]
    # PyTorch last: what it needs is there by then, and nothing unpinned comes with it
    if index and index.endswith(_CUDA_BUILD):
        kernels = ("Installing kernels for the card", [*pinned, str(CARD_REQUIREMENTS)])
        return [*steps, kernels, ("Installing PyTorch", [*install, *source, TORCH_WITH_CUDA])]
    return [*steps, ("Installing PyTorch", [*pinned, str(TORCH_REQUIREMENTS), *source])]


@dataclass
class Installation:
    """Steps that run one after the other in a thread; read-only outside this class."""

    steps: list[tuple[str, list[str]]]
    stage: str = ""
    fraction: float = 0.0
    error: str | None = None
    cancelled: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    _process: subprocess.Popen | None = None

    def start(self) -> None:
        """Begin in the background."""
        threading.Thread(target=self._run, daemon=True).start()

    def cancel(self) -> None:
        """Stop at once; what was installed so far stays until the next attempt clears it."""
        self.cancelled = True
        if self._process is not None:
            self._process.kill()

    def _run(self) -> None:
        for number, (stage, command) in enumerate(self.steps):
            self.stage, self.fraction = stage, number / len(self.steps)
            if self.cancelled or not self._succeeds(command):
                break
        else:
            self.fraction = 1.0
        self.done.set()

    def _succeeds(self, command: list[str]) -> bool:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
            )
        except OSError as error:
            self.error = f"{self.stage} failed: {error}"
            return False
        with self._process as process:
            assert process.stdout is not None  # a pipe was asked for
            for line in process.stdout:
                self.log.append(line.rstrip())
        if process.returncode and not self.cancelled:
            reason = reason_of(self.log, process.returncode)
            self.error = f"{self.stage} failed: {reason}"
        return process.returncode == 0


current: Installation | None = None


def running() -> bool:
    """Whether an installation is under way."""
    return current is not None and not current.done.is_set()


def draw_progress(layout: bpy.types.UILayout) -> None:
    """The progress of an installation, with a button that stops it."""
    if running():
        row = layout.row()
        row.progress(factor=current.fraction, type="BAR", text=current.stage)
        row.operator("cine3d.cancel_set_up", text="", icon="X")


def _has_nvidia() -> bool:
    return shutil.which("nvidia-smi") is not None


def _what_is_checked() -> str:
    """For the question before the download."""
    index = torch_index(sys.platform, _has_nvidia())
    if index and index.endswith(_CUDA_BUILD):
        return "checksums are compared, except for PyTorch with CUDA and NVIDIA's libraries"
    return "all checksums are compared"


def _status(text: str) -> None:
    python.preferences().status = text


class CINE3D_OT_set_up(bpy.types.Operator):
    """Download PyTorch and its dependencies into the extension's folder"""

    bl_idname = "cine3d.set_up"
    bl_label = "Set Up"
    bl_options: set[str] = set()

    @classmethod
    def poll(cls, context: bpy.types.Context):
        if running():
            cls.poll_message_set("Set Up is running")
            return False
        if not bpy.app.online_access:
            where = "command line" if bpy.app.online_access_override else "preferences"
            cls.poll_message_set(f"Online access is switched off in the {where}")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Download PyTorch?",
            message=f"0.3 to 3 GB, into {python.environment_folder()}; {_what_is_checked()}",
        )

    def execute(self, context: bpy.types.Context):
        global current
        index = torch_index(sys.platform, _has_nvidia())
        folder, program = python.environment_folder(), python.environment_python()
        current = Installation(setup_steps(folder, program, index))
        current.start()
        if bpy.app.background:
            current.done.wait()
            _tell_end()
            if current.error:
                self.report({"ERROR"}, current.error)
            return {"CANCELLED"} if current.error or current.cancelled else {"FINISHED"}
        bpy.app.timers.register(_tick, first_interval=TIMER_S, persistent=True)
        return {"FINISHED"}


def _tick() -> float | None:
    """Watch the installation, whatever window it was started in."""
    if not current.done.is_set():
        jobs.show_progress(f"{current.stage} {current.fraction:.0%}")
        return TIMER_S
    _tell_end()
    if current.error:
        jobs.tell_soon(jobs.Told(current.error, "ERROR"))
    jobs.show_progress(None)
    return None


def _tell_end() -> None:
    if current.cancelled:
        _status("Set Up was cancelled.")
    else:
        _status(current.error or "Set Up is done. Press Check.")


class CINE3D_OT_cancel_set_up(bpy.types.Operator):
    """Stop the installation"""

    bl_idname = "cine3d.cancel_set_up"
    bl_label = "Cancel Set Up"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context):
        return running()

    def execute(self, context: bpy.types.Context):
        current.cancel()
        return {"FINISHED"}


CLASSES = (CINE3D_OT_set_up, CINE3D_OT_cancel_set_up)
