"""The log file of one command: `cine3d --log FILE COMMAND ...`."""

from __future__ import annotations

import logging
import platform
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from cine3d_core import __version__
from cine3d_core.errors import InputError
from cine3d_core.progress import Progress

LOG_BYTES = 1 << 20  # then FILE.1 takes what was written, and FILE begins anew
_LOGGER = logging.getLogger("cine3d")
_LOGGER.addHandler(logging.NullHandler())  # else Python prints errors where no log is wanted
_LOGGER.propagate = False


@contextmanager
def logged_to(path: Path | None, words: Sequence[str]) -> Iterator[None]:
    """Append to a log what the block notes, and how it ends; None keeps no log.

    Raises:
        InputError: the log cannot be written.
    """
    if path is None:
        yield
        return
    handler = _opened(path)
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
    note(f"cine3d {__version__}, Python {platform.python_version()}, {platform.platform()}")
    note(f"cine3d {shlex.join(words)}")
    try:
        yield
        note("done")
    except InputError as error:
        note(f"refused: {error}")
        raise
    except BaseException as error:  # noqa: B036 - Ctrl-C too; it goes on its way
        _LOGGER.error("ended: %s", type(error).__name__, exc_info=True)
        raise
    finally:
        _LOGGER.removeHandler(handler)
        handler.close()


def note(sentence: str) -> None:
    """Write a line where there is a log."""
    _LOGGER.info("%s", sentence)


def noting_stages(progress: Progress) -> Progress:
    """The same callback, whose new stages are noted."""
    last = ""

    def told(stage: str, fraction: float) -> None:
        nonlocal last
        if stage != last:
            last = stage
            note(f"{stage} ({fraction:.0%})")
        progress(stage, fraction)

    return told


def _opened(path: Path) -> logging.Handler:
    try:
        handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write the log {path} ({error}); name another file") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    handler.handleError = lambda record: None  # a disk that is full must not stop the work
    return handler
