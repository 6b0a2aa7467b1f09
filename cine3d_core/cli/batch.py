"""Many photos become clips: each photo is a task of one process, or of a Dask cluster.

A task is two runs of the command line, `build` and `render`, so that one photo's crash, or its
memory, never reaches the others. What is finished stays: a second run does only what is missing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing, writing
from cine3d_core.progress import Progress

TRIES = 2
RECORD = "batch.json"  # what a folder's clips were made with
_WRONG_INPUT = 2  # exit code of a command that says what is wrong; trying again would not help
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class BatchSettings:
    """What all photos of a batch are made with."""

    build: tuple[str, ...] = ()  # options of `cine3d build`
    render: tuple[str, ...] = ()  # options of `cine3d render`
    suffix: str = ".mp4"  # of the clips


@dataclass(frozen=True)
class Task:
    """One photo on its way to a clip."""

    photo: Path
    scene: Path
    clip: Path
    settings: BatchSettings


@dataclass(frozen=True)
class Outcome:
    """What became of a task; no error means that the clip is there."""

    task: Task
    error: str | None


def plan(photos: Sequence[Path], folder: Path, settings: BatchSettings) -> list[Task]:
    """The tasks whose clips are missing or older than their photos; makes the folder.

    Raises:
        InputError: no photos, two of one name, one that is not there, or a folder whose clips
            were made with other settings.
    """
    if not photos:
        raise InputError("no photos were given; name some, such as photos/*.jpg")
    names: dict[str, Path] = {}
    for photo in photos:
        if not photo.is_file():
            raise InputError(f"there is no photo {photo}; check its name")
        other = names.setdefault(photo.stem, photo)
        if other != photo:
            raise InputError(f"{other} and {photo} would both become {photo.stem}; rename one")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _record(folder, settings)
    tasks = [
        Task(photo, folder / f"{name}.cine3d", folder / f"{name}{settings.suffix}", settings)
        for name, photo in names.items()
    ]
    return [task for task in tasks if not _is_newer(task.clip, task.photo)]


def _record(folder: Path, settings: BatchSettings) -> None:
    path = folder / RECORD
    content = {"build": list(settings.build), "render": list(settings.render)}
    if path.is_file():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is damaged; delete it or choose another folder") from error
        if known != content:
            raise InputError(
                f"the clips in {folder} were made with other options; use the same ones, or "
                "another folder"
            )
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _is_newer(made: Path, source: Path) -> bool:
    return made.is_file() and made.stat().st_mtime_ns >= source.stat().st_mtime_ns


def commands_of(task: Task) -> Iterator[list[str]]:
    """The command lines that are still needed; arrows lie beside a photo as `NAME.json`."""
    settings = task.settings
    if not _is_newer(task.scene, task.photo):
        hints = task.photo.with_suffix(".json")
        extra = ["--hints", str(hints)] if hints.is_file() else []
        yield ["build", str(task.photo), "-o", str(task.scene), *settings.build, *extra]
    yield ["render", str(task.scene), "-o", str(task.clip), *settings.render]


class Processes:
    """Runs each task in a separate process and can stop them all."""

    def __init__(self, threads: int) -> None:
        names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self._environment = {**os.environ, **dict.fromkeys(names, str(max(threads, 1)))}
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, task: Task) -> Outcome:
        """Builds and renders; tried again once when it fails for another reason than wrong input.

        Only a task that was stopped has an error without having been tried to the end.
        """
        error: str | None = None
        for _ in range(TRIES):
            code, error = self._try(task)
            if code in (0, _WRONG_INPUT) or self._stopped:
                break
        return Outcome(task, error)

    def _try(self, task: Task) -> tuple[int, str | None]:
        for command in commands_of(task):
            code, said = self._call([sys.executable, "-m", "cine3d_core.cli", *command])
            if code:
                last = said.strip().splitlines()[-1:] or [f"exit code {code}"]
                return code, f"{command[0]}: {last[0].removeprefix('cine3d: ')}"
        return 0, None

    def _call(self, command: list[str]) -> tuple[int, str]:
        with self._lock:
            if self._stopped:
                return 130, "stopped"
            process = subprocess.Popen(
                [*command, "--progress", "none"],
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C reaches them through `stop` alone
            )
            self._running.add(process)
        _, said = process.communicate()
        with self._lock:
            self._running.discard(process)
        return process.returncode, said

    def stop(self) -> None:
        """Ends what runs as Ctrl-C does, so that nothing half-written stays."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)


def run_here(tasks: Sequence[Task], jobs: int, progress: Progress) -> list[Outcome]:
    """Runs tasks on this machine, `jobs` at a time, which share its processors.

    Raises:
        InputError: fewer than one job.
    """
    if jobs < 1:
        raise InputError(f"{jobs} jobs were asked for; at least 1 is needed")
    jobs = min(jobs, max(len(tasks), 1))
    processes = Processes((os.cpu_count() or 1) // jobs)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            return _gather([pool.submit(processes.run, task) for task in tasks], progress)
        except BaseException:
            processes.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _gather(futures: list[Future[Outcome]], progress: Progress) -> list[Outcome]:
    """The outcomes in order; polls, so that Ctrl-C is heard at once."""
    waiting = set(futures)
    while waiting:
        done = len(futures) - len(waiting)
        progress(f"{done} of {len(futures)} photos", done / len(futures))
        _, waiting = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
    progress("done", 1.0)
    return [future.result() for future in futures]


def run_on_cluster(tasks: Sequence[Task], scheduler: str, progress: Progress) -> list[Outcome]:
    """Runs tasks on a Dask cluster whose machines see the same folders.

    Raises:
        InputError: Dask is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise InputError(
            "for --scheduler Dask is needed; install it with: pip install 'cine3d[cluster]'"
        ) from error
    absolute = [_absolute(task) for task in tasks]
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler}; start one with: dask scheduler"
        ) from error
    with client:
        futures = client.map(run_one, absolute, pure=False, retries=TRIES - 1)
        for done, _ in enumerate(as_completed(futures)):
            progress(f"{done + 1} of {len(tasks)} photos", (done + 1) / len(tasks))
        outcomes = []
        for task, future in zip(absolute, futures, strict=True):
            lost = future.status != "finished"  # its machine died, twice
            outcomes.append(Outcome(task, "its machine was lost") if lost else future.result())
    return outcomes


def run_one(task: Task) -> Outcome:
    """What a machine of a cluster does for one photo."""
    return Processes(os.cpu_count() or 1).run(task)


def _absolute(task: Task) -> Task:
    return Task(task.photo.resolve(), task.scene.resolve(), task.clip.resolve(), task.settings)
