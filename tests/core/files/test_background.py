import signal
import sys
import threading
import time
from types import FrameType

import pytest

from cine3d_core.files.video.background import BackgroundQueue


def test_pieces_run_in_order_and_all_are_done_at_the_end() -> None:
    done: list[int] = []
    with BackgroundQueue(depth=2) as queue:
        for number in range(50):
            queue.submit(lambda number=number: done.append(number))
    assert done == list(range(50))


def test_an_error_reaches_the_caller_and_nothing_more_runs() -> None:
    done: list[int] = []
    with pytest.raises(ZeroDivisionError), BackgroundQueue() as queue:
        queue.submit(lambda: 1 / 0)
        for number in range(50):
            queue.submit(lambda number=number: done.append(number))
    assert not done


def test_the_callers_own_error_drops_what_waits() -> None:
    started, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def first() -> None:
        started.set()
        go_on.wait(5)

    with pytest.raises(KeyboardInterrupt), BackgroundQueue() as queue:
        queue.submit(first)
        queue.submit(lambda: done.append(1))
        started.wait(5)
        threading.Timer(0.05, go_on.set).start()
        raise KeyboardInterrupt
    assert not done


def test_no_more_than_its_depth_waits() -> None:
    go_on = threading.Event()
    submitted: list[int] = []

    def submit_all(queue: BackgroundQueue) -> None:
        for number in range(6):
            queue.submit(lambda: go_on.wait(5))
            submitted.append(number)

    with BackgroundQueue(depth=2) as queue:
        thread = threading.Thread(target=submit_all, args=(queue,))
        thread.start()
        thread.join(0.1)
        assert len(submitted) == 3  # one runs, two wait
        go_on.set()
        thread.join()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGALRM to interrupt a wait")
def test_an_interruption_while_waiting_for_the_end_still_waits_for_the_running_piece() -> None:
    done: list[str] = []

    def slow() -> None:
        time.sleep(0.3)
        done.append("slow")

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), BackgroundQueue() as queue:
            queue.submit(slow)
            queue.submit(lambda: done.append("dropped"))
            signal.setitimer(signal.ITIMER_REAL, 0.1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert done == ["slow"]
