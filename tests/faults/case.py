"""One bad or odd input, and what must come of it."""

from __future__ import annotations

import contextlib
import io
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from cine3d_core.cli import main
from tests.command_line import files_below
from tests.pictures import picture8

HEIGHT, WIDTH = 24, 32  # px of the photo that other inputs are given with

# refused: exit code 2, one sentence, nothing written; survives: exit code 0;
# either: both are fine, since libraries differ in what they can read
Outcome = Literal["refused", "survives", "either"]
Command = list[str]


@dataclass(frozen=True)
class Workshop:
    """Where a case makes its input, and what it may use beside it."""

    inputs: Path  # empty folder for bad files
    output: Path  # empty folder for results
    scene: Path  # a sound scene; not to be written

    def photo(self) -> Path:
        """A sound photo."""
        return self.picture("photo.png", picture8(HEIGHT, WIDTH))

    def picture(self, name: str, pixels: np.ndarray) -> Path:
        """A picture file of the given samples."""
        Image.fromarray(pixels).save(self.inputs / name)
        return self.inputs / name

    def file(self, name: str, content: bytes | str) -> Path:
        """A file of the given bytes."""
        path = self.inputs / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def build(self, photo: Path | str | None = None, *options: object) -> Command:
        """A build that is quick because depth and mask are given, unless `options` say so too."""
        words = ["build", photo or self.photo(), "-o", self.output / "s.cine3d", "--frames", "4"]
        given = list(map(str, options))
        # any picture of the photo's shape will do as depth
        for name, level in (("--mask", 255), ("--depth", 90)):
            if name not in given and (name == "--depth" or "--hints" not in given):
                plane = np.full((HEIGHT, WIDTH), level, np.uint8)
                words += [name, self.picture(f"plain{name[1:]}.png", plane)]
        return [*map(str, words), *given]

    def render(self, scene: Path | None = None, *options: object) -> Command:
        """One small frame."""
        words = ["render", scene or self.scene, "-o", self.output / "frames", "--frames", "0:1"]
        return [*map(str, words), "--size", "32", *map(str, options)]

    def export(self, scene: Path | None = None, *options: object) -> Command:
        """The points of one frame."""
        return [*map(str, ["export", scene or self.scene, "-o", self.output / "c.ply", *options])]


@dataclass(frozen=True)
class Case:
    """A named input of one door."""

    door: str
    name: str
    outcome: Outcome
    make: Callable[[Workshop], Sequence[Command]]  # the commands that meet the input
    says: str = ""  # what the sentence of each refusal must hold


@dataclass(frozen=True)
class Deed:
    """A case that is more than commands; `do` gives None, or what went wrong."""

    door: str
    name: str
    do: Callable[[Workshop], str | None]


@cache
def sound_scene(folder: Path) -> Path:
    """A scene of the small photo."""
    for name in ("inputs", "output"):
        (folder / name).mkdir()
    shop = Workshop(folder / "inputs", folder / "output", folder)
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(shop.build()) == 0
    return shop.output / "s.cine3d"


def problem_of(case: Case | Deed, folder: Path, scene: Path) -> str | None:
    """None when a case ends as it must, else what went wrong; `folder` must be empty."""
    shop = Workshop(folder / "inputs", folder / "output", scene)
    shop.inputs.mkdir()
    shop.output.mkdir()
    before = scene.stat().st_mtime_ns, Path.cwd()
    with _same_environment():
        if isinstance(case, Deed):
            return _problem_of_deed(case, shop)
        for command in case.make(shop):
            problem = _problem_of_command(command, case, shop.output)
            if problem:
                return f"{' '.join(command)[:200]}: {problem}"
    assert (scene.stat().st_mtime_ns, Path.cwd()) == before, "a case changed what is not its own"
    return None


def _problem_of_deed(deed: Deed, shop: Workshop) -> str | None:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return deed.do(shop)
    except Exception:  # told as what it is: a fault
        return traceback.format_exc()


@contextlib.contextmanager
def _same_environment() -> Iterator[None]:
    """Whatever a case sets in the environment is taken back."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _problem_of_command(command: Command, case: Case, output: Path) -> str | None:
    before = files_below(output)
    code, told = run(command)
    lines = told.splitlines()
    if "Traceback" in told or code not in (0, 2):
        return f"exit code {code}: {told[-600:]}"
    if code == 2:
        if case.outcome == "survives":
            return f"refused: {told}"
        if len(lines) != 1 or not lines[0].startswith("cine3d: "):
            return f"not one sentence: {lines}"
        if case.says not in told:
            return f"{case.says!r} is not in {told}"
        return None if files_below(output) == before else f"left {files_below(output)}"
    if case.outcome == "refused":
        return "accepted"
    half = [name for name in files_below(output) if ".tmp" in name]
    return f"left {half}" if half else None


def run(command: Command) -> tuple[int, str]:
    """Exit code of a command within this process, and what it said on stderr."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        with warnings.catch_warnings():
            warnings.simplefilter("always")  # a warning beside the sentence counts as a line
            try:
                code = main(command)
            except SystemExit as leaving:  # argparse: usage and an error, both wanted
                return (2 if leaving.code == 2 else 1), "cine3d: usage"
            except BaseException:  # told as what it is: a fault
                return 1, errors.getvalue() + traceback.format_exc()
    return code, errors.getvalue()


def is_root() -> bool:
    """Root reads and writes what others may not."""
    return os.name == "posix" and os.geteuid() == 0
