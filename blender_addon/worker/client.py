"""Blender's end of the worker: start it, give it jobs, watch them, stop it. Knows nothing of bpy.

A thread per worker process reads its messages and updates `Job` objects; everybody else only looks
at them (a timer in Blender's window, `wait` in background mode and in the render thread).
"""

from __future__ import annotations

import itertools
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import cine3d_core
from cine3d_core.worker import protocol
from cine3d_core.worker.protocol import ProtocolError, read_message, write_message

CANCEL_GRACE_S = 0.9  # a job at work that does not give up by then is killed with its process
LOG_LINES = 200
LOG_TAIL = 12
LOG_NAME = "worker.log"
LOG_BYTES = 1 << 20  # then worker.log.1, and worker.log.2 at most

# The worker runs exactly the core that Blender runs, whatever its own Python has installed. Only
# that one package is handed over: Blender's other packages belong to another Python version.
_BOOTSTRAP = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "cine3d_core", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
package = importlib.util.module_from_spec(spec)
sys.modules["cine3d_core"] = package
spec.loader.exec_module(package)
from cine3d_core.worker.program import main
sys.exit(main())
"""


class WorkerError(Exception):
    """A job failed; the text is shown to the artist."""

    def __init__(self, message: str, kind: str, details: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.details = details


class JobCancelled(Exception):
    """The job was cancelled by the person in front of Blender."""


CRASHED = "crashed"


class WorkerLog:
    """What the worker says on stderr, in a file that is started again when it has grown."""

    def __init__(self, folder: Path | None) -> None:
        """A log in `folder`, which must exist; None keeps none."""
        self._handler: logging.Handler | None = None
        if folder is not None:
            self._handler = logging.handlers.RotatingFileHandler(
                folder / LOG_NAME, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8", delay=True
            )
            self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            # a disk that is full or read-only must not stop the work, nor fill the console
            self._handler.handleError = lambda record: None

    def write(self, line: str) -> None:
        """Append a line with the time."""
        if self._handler is not None:
            record = logging.LogRecord("cine3d", logging.INFO, "", 0, line, None, None)
            self._handler.handle(record)

    def close(self) -> None:
        """Let go of the file."""
        if self._handler is not None:
            self._handler.close()


@dataclass
class Job:
    """One piece of work as Blender sees it; read-only outside this module."""

    id: int
    name: str
    stage: str = "Waiting for the worker"
    fraction: float = 0.0
    value: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    error: WorkerError | JobCancelled | None = None
    done: threading.Event = field(default_factory=threading.Event)  # for Blender
    begun: threading.Event = field(default_factory=threading.Event)  # the worker is at it
    answered: threading.Event = field(default_factory=threading.Event)  # the worker is rid of it
    unwanted: bool = False
    request: tuple[dict[str, Any], dict[str, np.ndarray]] = field(default_factory=lambda: ({}, {}))
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def end(self, error: WorkerError | JobCancelled | None = None) -> None:
        """Let those who wait go on; the first end counts."""
        with self._ending:
            if not self.done.is_set():
                # what stops a job that nobody wants any more is no news
                self.error = JobCancelled() if error and self.unwanted else error
                self.request = ({}, {})
                self.done.set()

    def result(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Value and arrays of a finished job.

        Raises:
            WorkerError: the job failed or the worker died.
            JobCancelled: the job was cancelled.
        """
        assert self.done.is_set(), self.name
        if self.error is not None:
            raise self.error
        return self.value, self.arrays


class _Process:
    """One run of the worker; never restarted, a new one takes its place."""

    def __init__(
        self, command: list[str], environment: dict[str, str], log_file: WorkerLog
    ) -> None:
        # Its own session: a Ctrl-C meant for Blender must not reach it half-way through a job.
        flags: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            flags = {"creationflags": subprocess.CREATE_NO_WINDOW}
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **flags,
        )
        self.lock = threading.Lock()  # guards `jobs` and `ended`
        self.jobs: dict[int, Job] = {}  # not yet answered
        self._outbox: queue.SimpleQueue[tuple | None] = queue.SimpleQueue()
        self.ended = threading.Event()
        self.crash: WorkerError | None = None  # once it has ended
        self._closing = False  # it ends because Blender wants it so
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_file = log_file
        log_file.write(f"started as process {self.popen.pid}")
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._read_messages, daemon=True).start()
        self._writer = threading.Thread(target=self._write_messages, daemon=True)
        self._writer.start()

    def alive(self) -> bool:
        return not self.ended.is_set() and self.popen.poll() is None

    def take(self, job: Job) -> None:
        """Send a job; a process that has ended by now fails it."""
        job.begun.clear()
        with self.lock:
            dead = self.ended.is_set()
            self.jobs[job.id] = job
        if dead:
            self._answered(job, self.crash)
        else:
            self.send("job", *job.request)

    def taken_back(self) -> list[Job]:
        """The jobs whose answers are still awaited, so that another process may do them."""
        with self.lock:
            waiting = [job for job in self.jobs.values() if not (job.done.is_set() or job.unwanted)]
            for job in waiting:
                del self.jobs[job.id]
        return waiting

    def send(self, kind: str, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Send a message without waiting: a starting worker reads nothing for half a second."""
        self._outbox.put((kind, header, arrays))

    def close(self) -> None:
        """Kill the process if it still runs, and wait until its threads have let go of it."""
        self._closing = True
        self.popen.kill()
        self.ended.wait(5.0)
        self._outbox.put(None)
        self._writer.join(timeout=5.0)
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            with suppress(OSError):  # unsent bytes of a killed process: nobody wants them any more
                pipe.close()

    def _write_messages(self) -> None:
        assert self.popen.stdin is not None
        try:
            while (message := self._outbox.get()) is not None:
                write_message(self.popen.stdin, *message)
        except (OSError, ValueError):  # a closed pipe, from their side or ours
            self.popen.kill()  # the reading thread notices and fails the jobs

    def _read_log(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.log.append(line.decode(errors="replace").rstrip())
            self._log_file.write(self.log[-1])

    def _read_messages(self) -> None:
        problem = "the worker stopped unexpectedly"
        assert self.popen.stdout is not None
        try:
            while (message := read_message(self.popen.stdout)) is not None:
                self._handle(message)
        except (ProtocolError, OSError, KeyError, TypeError, ValueError) as error:
            problem = f"the worker and Blender lost their connection ({error})"
            self.popen.kill()
        code = self.popen.wait()
        self._log_reader.join(timeout=1.0)
        self._fail_all("the worker was ended" if self._closing else f"{problem} (exit code {code})")

    def _handle(self, message: protocol.Message) -> None:
        header = message.header
        if message.kind == "hello":
            theirs = header.get("protocol"), header.get("version")
            ours = protocol.PROTOCOL_VERSION, cine3d_core.__version__
            if theirs != ours:
                raise ProtocolError(f"it speaks version {theirs}, Blender {ours}")
            return
        job = self.jobs.get(header.get("id", -1))
        if job is None:
            return
        job.begun.set()
        if message.kind == "progress":
            job.stage, job.fraction = str(header["stage"]), float(header["fraction"])
            return
        error = None
        if message.kind == "result":
            job.value, job.arrays, job.fraction = header["value"], message.arrays, 1.0
        elif message.kind == "error" and header["kind_of_error"] == protocol.CANCELLED:
            error = JobCancelled()
        else:
            error = WorkerError(
                str(header["message"]), str(header["kind_of_error"]), str(header["details"])
            )
        self._answered(job, error)

    def _answered(self, job: Job, error: WorkerError | JobCancelled | None) -> None:
        with self.lock:
            self.jobs.pop(job.id, None)
        job.end(error)
        job.begun.set()
        job.answered.set()

    def _fail_all(self, problem: str) -> None:
        self._log_file.write(problem)
        tail = "\n".join(list(self.log)[-LOG_TAIL:])
        last = next((line for line in reversed(self.log) if line.strip()), "")
        text = f"{problem}: {last}" if last else problem
        self.crash = WorkerError(f"{text}; the next job starts it again", CRASHED, tail)
        with self.lock:
            self.ended.set()
            unfinished = list(self.jobs.values())
        for job in unfinished:
            self._answered(job, self.crash)


class Worker:
    """The worker of this Blender; its process starts with the first job and may be replaced."""

    def __init__(self, python: Path, memory_mb: int = 0, *, log_folder: Path | None = None) -> None:
        self.python = python
        self.memory_mb = memory_mb
        self._log_file = WorkerLog(log_folder)
        self._process: _Process | None = None
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Process id, None while no process runs."""
        process = self._process
        return process.popen.pid if process is not None and process.alive() else None

    def submit(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        arrays: dict[str, np.ndarray] | None = None,
    ) -> Job:
        """Queue a job, starting the process first where none runs.

        Raises:
            WorkerError: the process cannot be started.
        """
        with self._lock:
            process = self._started()
            job = Job(next(self._ids), name)
            header = {"id": job.id, "name": name, "arguments": arguments or {}}
            job.request = header, arrays or {}
            process.take(job)
        return job

    def cancel(self, job: Job) -> None:
        """Ask a job to end; within a second it has, and no other job suffers."""
        process = self._process
        if process is None or job.done.is_set():
            return
        job.unwanted = True
        process.send("cancel", {"id": job.id}, {})
        threading.Thread(target=self._enforce, args=(process, job), daemon=True).start()

    def withdraw(self, job: Job) -> None:
        """Tell the worker that a job is no longer wanted, and wait for nothing.

        Unlike `cancel` it leaves a job alone that does not give up: what it has loaded is kept.
        """
        process = self._process
        if process is None or job.done.is_set():
            return
        job.unwanted = True
        process.send("cancel", {"id": job.id}, {})

    def _enforce(self, process: _Process, job: Job) -> None:
        """End a job that was cancelled, with its process if it must be."""
        if not job.begun.wait(CANCEL_GRACE_S):
            job.end(JobCancelled())  # the worker, still busy or starting, will pass over it
            job.begun.wait()
        if not job.answered.wait(CANCEL_GRACE_S):
            job.end(JobCancelled())
            self._replace(process)

    def _replace(self, process: _Process) -> None:
        """Kill a process; the jobs that waited for it get another one."""
        with self._lock:
            if self._process is not process:  # ended already
                return
            waiting = process.taken_back()
            process.close()
            try:
                self._process = self._start() if waiting else None
            except WorkerError as error:
                self._process = None
                for job in waiting:
                    job.end(error)
                return
            for job in waiting:
                self._process.take(job)

    def wait(
        self,
        job: Job,
        should_cancel: Callable[[], bool] = lambda: False,
        on_progress: Callable[[str, float], None] = lambda stage, fraction: None,
        interval_s: float = 0.02,
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Block until a job has ended and give its result (see `Job.result`)."""
        asked, told = False, None
        while not job.done.wait(interval_s):
            if told != (told := (job.stage, job.fraction)):  # only news: Blender prints each
                on_progress(*told)
            if not asked and should_cancel():
                self.cancel(job)
                asked = True
        return job.result()

    def stop(self) -> None:
        """End the process, which frees its memory; the next job starts a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.close()
        self._log_file.close()  # opened again by the next line

    def _started(self) -> _Process:
        if self._process is None or not self._process.alive():
            if self._process is not None:
                self._process.close()
            self._process = self._start()
        return self._process

    def _start(self) -> _Process:
        core = str(Path(cine3d_core.__file__).parent)
        command = [str(self.python), "-I", "-c", _BOOTSTRAP, core]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment["CINE3D_MEMORY_MB"] = str(self.memory_mb)
        try:
            return _Process(command, environment, self._log_file)
        except OSError as error:
            raise WorkerError(
                f"the worker's Python cannot be started: {self.python} ({error.strerror}); "
                "choose another one in the add-on's preferences",
                protocol.INPUT_ERROR,
            ) from error
