"""The long-lived process that does Blender's heavy work (`python -m cine3d_core.worker`).

It reads messages of `protocol` from stdin, does one job at a time in the main thread and
writes progress, results and errors to stdout. A second thread reads, so that a `cancel` is seen
while a job runs: the job's progress callback raises `Cancelled`. When stdin closes, Blender is
gone, and the process ends within two seconds whatever it is doing.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from cine3d_core import __version__
from cine3d_core.errors import InputError, PanoramaError
from cine3d_core.progress import Progress
from cine3d_core.settings import LABELS
from cine3d_core.worker import protocol
from cine3d_core.worker.protocol import Message, read_message, write_message

JobResult = tuple[dict[str, Any], dict[str, np.ndarray]]

_PROGRESS_INTERVAL_S = 0.05
_EXIT_GRACE_S = 2.0


class Cancelled(Exception):
    """Raised by the progress callback of a job that is no longer wanted."""


@dataclass(frozen=True)
class JobInput:
    """What a job function gets."""

    arguments: dict[str, Any]
    arrays: dict[str, np.ndarray]
    progress: Progress  # (stage, fraction in [0, 1]); raises Cancelled


JobFunction = Callable[[JobInput], JobResult]
LoadJobs = Callable[[], Mapping[str, JobFunction]]  # only a job needs what they import


@dataclass
class Session:
    """One connection: where messages go, and which jobs are no longer wanted."""

    output: BinaryIO
    waiting: queue.SimpleQueue[Message | None] = field(default_factory=queue.SimpleQueue)
    cancelled: set[int] = field(default_factory=set)
    ending: threading.Event = field(default_factory=threading.Event)

    def send(
        self,
        kind: str,
        header: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write one message; a client that is gone ends the session instead of failing the job."""
        try:
            write_message(self.output, kind, header, arrays)
        except OSError:
            self.ending.set()

    def progress_of(self, job_id: int) -> Progress:
        """A callback that reports a job's progress and raises `Cancelled` when it is unwanted."""
        last_stage, last_time = "", 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last_stage, last_time
            if job_id in self.cancelled or self.ending.is_set():
                raise Cancelled
            now = time.monotonic()
            if stage != last_stage or now - last_time >= _PROGRESS_INTERVAL_S:
                last_stage, last_time = stage, now
                self.send("progress", {"id": job_id, "stage": stage, "fraction": float(fraction)})

        return progress


def ping(job: JobInput) -> JobResult:
    """Give back what came, after `seconds` of waiting: shows that the connection works."""
    seconds = float(job.arguments.get("seconds", 0.0))
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        job.progress("Waiting", elapsed / seconds)
        time.sleep(0.01)
    return {"echo": job.arguments.get("echo"), "pid": os.getpid()}, dict(job.arrays)


def job_function(name: str, load_jobs: LoadJobs) -> JobFunction:
    """The job of that name; all but `ping` cost an import of torch the first time.

    Raises:
        InputError: there is none.
    """
    if name == "ping":
        return ping
    jobs = load_jobs()
    if name not in jobs:
        raise InputError(f"the worker has no job {name!r}; install matching versions")
    return jobs[name]


def run_job(session: Session, message: Message, load_jobs: LoadJobs) -> None:
    """Do one job and send exactly one `result` or `error` for it."""
    job_id, name = message.header["id"], message.header["name"]
    arguments = message.header.get("arguments") or {}
    try:
        progress = session.progress_of(job_id)
        progress("Starting", 0.0)
        function = job_function(name, load_jobs)
        value, arrays = function(JobInput(arguments, message.arrays, progress))
        session.send("result", {"id": job_id, "value": value}, arrays)
    except Exception as error:  # whatever a job does, the worker goes on
        session.send("error", {"id": job_id, **describe_error(error)})


def describe_error(error: Exception) -> dict[str, str]:
    """Kind, message and details of an `error` message."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, Cancelled):
        return {"kind_of_error": protocol.CANCELLED, "message": "cancelled", "details": ""}
    if isinstance(error, InputError):
        is_panorama = isinstance(error, PanoramaError)
        kind = protocol.PANORAMA if is_panorama else protocol.INPUT_ERROR
        text = error.told(LABELS)
    elif isinstance(error, ImportError) and "cine3d_core" not in str(error):
        kind = protocol.INPUT_ERROR
        text = f"the worker's Python lacks a package ({error}); run Set Up in the preferences"
    elif isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        kind = protocol.OUT_OF_MEMORY
        text = "out of memory; choose a smaller resolution or a higher limit in the preferences"
    else:
        kind, text = protocol.BUG, f"{type(error).__name__}: {error}"
    print(details, file=sys.stderr, flush=True)
    return {"kind_of_error": kind, "message": text, "details": details}


def serve(source: BinaryIO, output: BinaryIO, load_jobs: LoadJobs) -> None:
    """Answer jobs from `source` until it ends."""
    session = Session(output)
    reader = threading.Thread(target=_read_all, args=(source, session), daemon=True)
    session.send(
        "hello",
        {
            "protocol": protocol.PROTOCOL_VERSION,
            "version": __version__,
            "python": sys.version.split()[0],
            "pid": os.getpid(),
        },
    )
    reader.start()
    while (message := session.waiting.get()) is not None and not session.ending.is_set():
        run_job(session, message, load_jobs)
        session.cancelled.discard(message.header["id"])


def take_message(session: Session, message: Message) -> None:
    """Note a cancellation, or queue a job; other kinds of a newer client are passed over.

    Raises:
        ProtocolError: the message lacks what its kind needs.
    """
    wanted = {"cancel": {"id": int}, "job": {"id": int, "name": str}}.get(message.kind, {})
    for key, kind in wanted.items():
        if type(message.header.get(key)) is not kind:
            raise protocol.ProtocolError(f"{message.kind} without {key!r}")
    if not isinstance(message.header.get("arguments") or {}, dict):
        raise protocol.ProtocolError("arguments are not an object")
    if message.kind == "cancel":
        session.cancelled.add(message.header["id"])
    elif message.kind == "job":
        session.waiting.put(message)


def _read_all(source: BinaryIO, session: Session) -> None:
    try:
        while (message := read_message(source)) is not None:
            take_message(session, message)
    except (protocol.ProtocolError, OSError, ValueError) as error:
        print(f"worker: {error}; ending", file=sys.stderr, flush=True)
    session.ending.set()
    session.waiting.put(None)
    time.sleep(_EXIT_GRACE_S)  # a job that reports no progress would otherwise outlive Blender
    os._exit(0)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for the protocol; what libraries print goes to stderr."""
    source = os.fdopen(os.dup(0), "rb")
    output = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, output


def _limit_memory(megabytes: int) -> None:
    """Make allocations beyond a limit fail instead of driving the machine into swap (Linux)."""
    if sys.platform == "linux" and megabytes > 0:
        import resource

        limit = megabytes << 20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def serve_pipes(load_jobs: LoadJobs) -> int:
    """Serve stdin and stdout; `CINE3D_MEMORY_MB` limits the memory."""
    source, output = _own_pipes()
    _limit_memory(int(os.environ.get("CINE3D_MEMORY_MB", "0")))
    serve(source, output, load_jobs)
    return 0
