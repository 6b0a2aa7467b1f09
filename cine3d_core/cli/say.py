"""What the commands say: lines on stdout, progress as a bar or as JSON lines, the log."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cine3d_core.files.log import note, noting_stages


class ReaderGone(Exception):
    """The reader of our stdout has closed it, as `head` does; not an OSError, which a file has."""


def add_progress(parser: argparse.ArgumentParser) -> None:
    """The option that `showing_progress` and `tell` read."""
    parser.add_argument(
        "--progress", default="bar", choices=("bar", "json", "none"), help="how to show it (bar)"
    )


@contextmanager
def showing_progress(kind: str) -> Iterator[Callable[[str, float], None]]:
    """A progress callback; its stages are noted in the log too."""
    with _shown_progress(kind) as progress:
        yield noting_stages(progress)


@contextmanager
def _shown_progress(kind: str) -> Iterator[Callable[[str, float], None]]:
    """A bar on stderr, JSON lines on stdout, or nothing."""
    if kind == "json":
        yield lambda stage, share: _put(json.dumps({"stage": stage, "fraction": round(share, 4)}))
    elif kind == "none" or not sys.stderr.isatty():
        yield lambda stage, share: None
    else:
        from tqdm import tqdm

        bar_format = "{desc:<28} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        with tqdm(total=100, bar_format=bar_format) as bar:

            def show(stage: str, share: float) -> None:
                bar.set_description_str(stage)
                bar.update(share * 100 - bar.n)

            yield show


def tell(sentence: str, args: argparse.Namespace) -> None:
    """What came out; a JSON line where JSON lines are read."""
    say(json.dumps({"message": sentence}) if args.progress == "json" else sentence)


def say(line: str) -> None:
    """A line on stdout, and in the log."""
    note(line)
    _put(line)


def _put(line: str) -> None:
    """A line on stdout, at once."""
    try:
        print(line, flush=True)
    except BrokenPipeError as error:
        raise ReaderGone from error
