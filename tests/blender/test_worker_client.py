"""The worker process from Blender's side: progress, cancel, crash, restart, end."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from blender_addon.worker import client
from blender_addon.worker.client import JobCancelled, Worker, WorkerError

pytestmark = pytest.mark.blender
PYTHON = Path(os.environ.get("CINE3D_WORKER_PYTHON", sys.executable))


@pytest.fixture
def worker():
    worker = Worker(PYTHON)
    yield worker
    worker.stop()


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_job_gives_back_value_and_arrays(worker):
    array = np.random.default_rng(0).random((300, 400), np.float32)
    job = worker.submit("ping", {"echo": {"text": "ü"}}, {"a": array})
    value, arrays = worker.wait(job)
    assert value["echo"] == {"text": "ü"}
    np.testing.assert_array_equal(arrays["a"], array)


def test_progress_is_seen_while_a_job_runs(worker):
    seen = []
    job = worker.submit("ping", {"seconds": 0.5})
    worker.wait(job, on_progress=lambda stage, fraction: seen.append(fraction))
    assert sorted(seen) == seen and any(0.2 < fraction < 0.9 for fraction in seen)


def test_cancel_takes_less_than_a_second_and_the_worker_lives_on(worker):
    worker.wait(worker.submit("ping"))
    pid = worker.pid
    job = worker.submit("ping", {"seconds": 60})
    start = time.monotonic()
    with pytest.raises(JobCancelled):
        worker.wait(job, should_cancel=lambda: True)
    assert time.monotonic() - start < 1.0
    worker.wait(worker.submit("ping"))
    assert worker.pid == pid


def test_a_waiting_job_can_be_cancelled_before_its_turn(worker):
    first = worker.submit("ping", {"seconds": 0.4})
    second = worker.submit("ping", {"seconds": 60})
    worker.cancel(second)
    worker.wait(first)
    with pytest.raises(JobCancelled):
        worker.wait(second)


def test_a_slow_start_does_not_turn_a_cancelled_job_into_a_crash_of_another(tmp_path):
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nsleep 2\nexec "{PYTHON}" "$@"\n')
    program.chmod(0o755)
    worker = Worker(program)
    first, second = worker.submit("ping", {"echo": 1}), worker.submit("ping", {"seconds": 60})
    start = time.monotonic()
    with pytest.raises(JobCancelled):
        worker.wait(second, should_cancel=lambda: True)
    assert time.monotonic() - start < 1.5  # nobody waits for the start
    assert worker.wait(first)[0]["echo"] == 1
    assert worker.wait(worker.submit("ping", {"echo": 3}))[0]["echo"] == 3  # not 60 s later
    worker.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_the_jobs_behind_one_that_cannot_be_cancelled_are_done_by_a_new_worker(worker):
    stubborn = worker.submit("ping", {"seconds": 60})
    assert stubborn.begun.wait(30)
    pid = worker.pid
    behind = worker.submit("ping", {"echo": "ü"}, {"a": np.arange(3)})
    os.kill(pid, signal.SIGSTOP)  # hears nothing any more
    unwanted = worker.submit("ping", {"seconds": 60})
    worker.cancel(unwanted)
    with pytest.raises(JobCancelled):
        worker.wait(stubborn, should_cancel=lambda: True)
    value, arrays = worker.wait(behind)
    assert value["echo"] == "ü" and value["pid"] != pid
    np.testing.assert_array_equal(arrays["a"], np.arange(3))
    with pytest.raises(JobCancelled):
        worker.wait(unwanted)
    assert not process_exists(pid)


def test_a_killed_worker_is_reported_and_the_next_job_starts_it_again(worker):
    worker.wait(worker.submit("ping"))
    pid = worker.pid
    job = worker.submit("ping", {"seconds": 60})
    os.kill(pid, 9)
    with pytest.raises(WorkerError, match="stopped unexpectedly") as caught:
        worker.wait(job)
    assert caught.value.kind == client.CRASHED
    assert worker.wait(worker.submit("ping"))[0]["pid"] != pid


def test_an_unknown_job_is_an_error_in_one_sentence(worker):
    with pytest.raises(WorkerError, match="no job 'dance'"):
        worker.wait(worker.submit("dance"))


def test_a_missing_python_is_an_error_in_one_sentence(tmp_path):
    with pytest.raises(WorkerError, match="cannot be started"):
        Worker(tmp_path / "python").submit("ping")


def test_a_python_without_the_packages_is_an_error_with_the_log(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'No module named numpy' >&2\nexit 1\n")
    program.chmod(0o755)
    worker = Worker(program)
    with pytest.raises(WorkerError, match="No module named numpy"):
        worker.wait(worker.submit("ping"))
    worker.stop()


def test_the_log_tells_an_end_that_was_wanted_from_a_crash(tmp_path):
    worker = Worker(PYTHON, log_folder=tmp_path)
    worker.wait(worker.submit("ping"))
    worker.stop()
    text = (tmp_path / client.LOG_NAME).read_text(encoding="utf-8")
    assert "the worker was ended" in text and "unexpectedly" not in text


def test_two_workers_do_not_disturb_each_other(worker):
    other = Worker(PYTHON)
    long_job = worker.submit("ping", {"seconds": 0.5, "echo": 1})
    assert other.wait(other.submit("ping", {"echo": 2}))[0]["echo"] == 2
    other.stop()
    assert worker.wait(long_job)[0]["echo"] == 1


def test_the_worker_ends_when_its_pipe_closes(worker):
    pid = worker.wait(worker.submit("ping"))[0]["pid"]
    worker.submit("ping", {"seconds": 60})
    worker._process.popen.stdin.close()
    assert worker._process.ended.wait(3.0)
    assert not process_exists(pid)
