"""The `cine3d` command: parses, calls, prints.

Exit codes: 0 done, 1 our fault (a traceback, and where to report it), 2 wrong input (one sentence),
130 stopped with Ctrl-C, 141 the reader of stdout is gone. Nothing half-written is left in any case.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from cine3d_core import __version__
from cine3d_core.cli.build import add_batch, add_build, add_motion
from cine3d_core.cli.depth import add_depth
from cine3d_core.cli.render import add_export, add_info, add_render
from cine3d_core.cli.say import ReaderGone
from cine3d_core.cli.tools import add_demo, add_doctor, add_learning, add_models, add_worker
from cine3d_core.errors import InputError
from cine3d_core.files.log import logged_to

# The modules that import torch are imported by the command that needs them: `cine3d --help` and
# wrong options answer at once.


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name must not fail where it is printed
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with logged_to(args.log, sys.argv[1:] if argv is None else argv):
            args.run(args)
    except InputError as error:
        sentence = " ".join(str(error).splitlines())  # names of files may break lines
        print(f"cine3d: {sentence}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cine3d: stopped; nothing unfinished was left behind", file=sys.stderr)
        return 130
    except ReaderGone:
        # Python flushes stdout once more at its end, which must not fail aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what a shell says of a program that a closed pipe has ended
    except Exception:  # the program's last line of defence, and a loud one
        traceback.print_exc()
        print(
            "cine3d: this is a bug in Cine3D; please report the lines above",
            file=sys.stderr,
        )
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line of all commands."""
    parser = argparse.ArgumentParser(
        prog="cine3d", description="One still photo becomes a moving 3D scene."
    )
    parser.add_argument("--version", action="version", version=f"cine3d {__version__}")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="append commands and messages to a log file"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_build(commands)
    add_depth(commands)
    add_motion(commands)
    add_render(commands)
    add_batch(commands)
    add_export(commands)
    add_info(commands)
    add_doctor(commands)
    add_demo(commands, _run)
    add_models(commands)
    add_learning(commands)
    add_worker(commands)
    return parser


def _run(words: list[str]) -> None:
    chosen = make_parser().parse_args(words)
    chosen.run(chosen)
