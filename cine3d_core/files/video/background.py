"""Work done behind the caller's back, in order, with its errors handed over."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class BackgroundQueue:
    """One thread that runs what it is given, in order, while the caller goes on.

    At most `depth` pieces wait; then `submit` blocks, so memory stays bounded. What a piece raises
    is raised to the caller by the next `submit` or at the end of the block. When the block ends by
    an exception, what still waits is dropped.
    """

    def __init__(self, depth: int = 3) -> None:
        self._waiting: queue.Queue[Callable[[], object] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def submit(self, piece: Callable[[], object]) -> None:
        """Queue a piece of work; raises what an earlier piece raised."""
        if self._error is not None:
            raise self._error
        self._waiting.put(piece)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._error is None:
            self._error = error  # makes the thread drop what waits
        try:
            self._end()
        except BaseException as interruption:
            # Ctrl-C while waiting: the thread must still end before its files are closed
            self._error = interruption
            self._end()
            raise
        if error is None and self._error is not None:
            raise self._error

    def _end(self) -> None:
        self._waiting.put(None)
        # an event: an interrupted Thread.join takes a running thread for ended (Python 3.11)
        self._ended.wait()

    def _run(self) -> None:
        while (piece := self._waiting.get()) is not None:  # None: the block has ended
            if self._error is not None:
                continue  # keep emptying the queue: a blocked submit must wake up
            try:
                piece()
            except BaseException as error:  # handed to the caller, whatever it is
                self._error = error
        self._ended.set()
