"""Another commit and this tree beside one another: processor seconds and memory of the commands.

Both run `cine3d build` and `cine3d render` on the same photo, by turns and each in a process of its
own, so that whatever else the machine does meets both. Older commits measure by their commands
alone: nothing of theirs has to know how they are measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.sample import ROOT, sample_hints, sample_photo

ALLOWED = 0.05  # more than before of anything
FRAMES = 12  # rendered of the loop
TURNS = 3  # the least of these counts: others on the machine can only add


@dataclass(frozen=True)
class Used:
    """What a command took."""

    seconds: float  # of the processors, user and system
    gib: float  # largest resident memory


@dataclass(frozen=True)
class Row:
    """One figure of both."""

    name: str
    before: float
    now: float

    @property
    def change(self) -> float:
        """Share by which it grew; 0.05 is 5 % more."""
        return self.now / self.before - 1


def used_by(tree: Path, *words: object) -> Used:
    """A command of the `cine3d` in a tree, run to its end."""
    command = [sys.executable, "-m", "cine3d_core.cli", *map(str, words), "--progress", "none"]
    variables = {**os.environ, "PYTHONPATH": str(tree)}
    process = subprocess.Popen(command, cwd=tree, env=variables, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for already
    if process.returncode:
        sys.exit(f"in {tree}: {' '.join(command)} ended with {process.returncode}")
    unit = 1024**3 if sys.platform == "darwin" else 1024**2
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def least(runs: list[Used]) -> Used:
    """The least seconds and the least memory of some runs."""
    return Used(min(run.seconds for run in runs), min(run.gib for run in runs))


def unpacked(commit: str, folder: Path) -> Path:
    """The files of a commit, in a folder of their own.

    Raises:
        SystemExit: there is no such commit.
    """
    place = folder / "before"
    place.mkdir()
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True)
    if archive.returncode:
        sys.exit(f"no commit {commit!r}: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "x", "-C", place], input=archive.stdout, check=True)
    return place


def compared(commit: str, width: int, folder: Path) -> Iterator[Row]:
    """Build and frames of the sample photo, by the commit and by this tree."""
    trees = {"before": unpacked(commit, folder), "now": ROOT}
    photo, hints = sample_photo(folder, width), sample_hints(folder, width)
    build = ["build", photo, "--hints", hints, "--frames", 60, "--size"]
    for name, tree in trees.items():  # compiles what is compiled at the first call
        used_by(tree, *build, 160, "-o", folder / f"{name}-small.cine3d")
        small = [folder / f"{name}-small.cine3d", "-o", f"{folder}/{name}-small/"]
        used_by(tree, "render", *small, "--camera", "still", "--frames", "0:2")
    runs: dict[str, dict[str, list[Used]]] = {}
    for _ in range(TURNS):
        for name, tree in trees.items():
            scene, frames = folder / f"{name}.cine3d", f"{folder}/{name}/"
            render = ["render", scene, "-o", frames, "--camera", "still"]
            commands = {
                "build": [*build, width, "-o", scene],
                "no frame": [*render, "--frames", "0:1"],  # what a render takes before its second
                "frames": [*render, "--frames", f"0:{FRAMES + 1}"],
            }
            for what, words in commands.items():
                runs.setdefault(what, {}).setdefault(name, []).append(used_by(tree, *words))
    best = {what: {name: least(r) for name, r in both.items()} for what, both in runs.items()}
    for what, label in (("build", "build"), ("frames", f"render, {FRAMES + 1} frames")):
        before, now = best[what]["before"], best[what]["now"]
        yield Row(f"{label}, processor seconds", before.seconds, now.seconds)
        yield Row(f"{label}, peak GiB", before.gib, now.gib)
    each = (
        (best["frames"][name].seconds - best["no frame"][name].seconds) / FRAMES for name in trees
    )
    yield Row("a frame more, processor seconds", *each)


def report(commit: str, width: int) -> tuple[str, bool]:
    """The table, and whether nothing grew by more than is allowed."""
    with tempfile.TemporaryDirectory(prefix="cine3d-before-") as name:
        rows = list(compared(commit, width, Path(name)))
    lines = [f"| {width} px | {commit} | now | change |", "|---|---|---|---|"]
    lines += [f"| {r.name} | {r.before:.2f} | {r.now:.2f} | {r.change:+.1%} |" for r in rows]
    return "\n".join(lines), all(row.change <= ALLOWED for row in rows)
