"""The documentation's commands for Blender, run as their reader types them.

`blender` is `tests/blender/blender_program.py`: Blender's arguments on the `bpy` of these tests.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender import blender_program
from tests.docs_commands import PAGES, ROOT, SHARED, Command, commands

pytestmark = [
    pytest.mark.blender,
    pytest.mark.skipif(os.name != "posix", reason="a shell"),
]
# What the pages give in numbers -> what the small photo of the tests is built and drawn with.
SMALL = {"--frames 60": "--frames 8", "--size 1280": "--size 160", "1:30": "1:3", " 1 20 ": " 1 3 ",
         "--frame 12": "--frame 2"}  # fmt: skip


@pytest.fixture
def desk(river_files, river_blend, tmp_path: Path) -> Path:
    """A reader's folder with a photo, a mask, a scene, and a program named `blender`."""
    folder = tmp_path / "desk"
    for place in (folder / "shared/frames", folder / "docs"):
        place.mkdir(parents=True)
    shutil.copy(river_files.photo, folder / "photo.jpg")
    shutil.copy(river_files.mask, folder / "mask.png")
    shutil.copy(river_blend, folder / "shared/lake.blend")
    shutil.copytree(river_blend.with_name("cine3d"), folder / "shared/cine3d")
    shutil.copytree(ROOT / "docs/farm", folder / "docs/farm")
    program = tmp_path / "bin/blender"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m tests.blender.blender_program "$@"\n'
    )
    program.chmod(0o755)
    return folder


def small(command: Command, desk: Path) -> list[str]:
    line = shlex.join(command.words).replace(SHARED, str(desk / "shared"))
    for printed, ours in SMALL.items():
        line = line.replace(printed, ours)
    return shlex.split(line)


def run_in_a_shell(words: list[str], desk: Path) -> None:
    surroundings = {
        **os.environ,
        "PATH": f"{desk.with_name('bin')}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BLENDER_USER_RESOURCES": str(desk.with_name("profile")),
        "CINE3D_WORKER_PYTHON": os.environ.get("CINE3D_WORKER_PYTHON", sys.executable),
    }
    line = shlex.join(words)
    done = subprocess.run(
        ["sh", "-c", line], cwd=desk, env=surroundings, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"


PAGES_FOR_BLENDER = [page for page in PAGES if commands(page, "blender", "sh")]


@pytest.mark.parametrize("page", PAGES_FOR_BLENDER, ids=lambda page: page.name)
def test_commands_for_blender_run_as_printed(
    page: Path, scene, desk: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(desk)
    for command in commands(page, "blender", "sh"):
        before, words = times(desk), small(command, desk)
        if words[0] == "blender":  # in this process: its worker has started already
            assert blender_program.run(words[1:]) == 0, command.text
        else:
            run_in_a_shell(words, desk)
        written = [path for path, time in times(desk).items() if before.get(path) != time]
        assert written and all(path.stat().st_size for path in written), command.text


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_both_pages_have_commands_for_blender():
    assert {page.name for page in PAGES_FOR_BLENDER} == {"blender-rendering.md", "farm.md"}
