"""Libraries that print their own lines beside the error they raise."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

_STDERR = 2  # C writes there whatever Python's sys.stderr is


@contextlib.contextmanager
def without_own_lines() -> Iterator[None]:
    """Nothing of the block is printed: C's stderr and Python's stdout are shut.

    For the length of one call into a library, since it holds for all threads.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # a program without a console has none
        kept = None
    try:
        if kept is not None:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, _STDERR)
            os.close(null)
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, _STDERR)
            os.close(kept)
