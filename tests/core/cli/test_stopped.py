"""Commands that are stopped: by a kill, by Ctrl-C, by a reader that goes away; and go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.command_line import PHOTO, files_below, running
from tests.core.cli.test_cli import SMALL, cine3d


def test_a_half_folder_is_resumed_to_the_same_bytes(
    tmp_path: Path, sample_scene: Path, still_frames: Path
) -> None:
    shutil.copytree(still_frames, tmp_path / "f")
    for name in ("frame_0001.png", "frame_0005.png"):
        (tmp_path / "f" / name).unlink()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "f").iterdir()}
    words = ["render", sample_scene, "-o", tmp_path / "f", "--camera", "still", "--frames", "0:7"]
    assert cine3d(*words, "--resume") == 0
    for path in (tmp_path / "f").iterdir():
        assert path.read_bytes() == (still_frames / path.name).read_bytes()
        assert path.stat().st_mtime_ns == kept.get(path.name, path.stat().st_mtime_ns)


def test_after_kill_a_folder_is_resumed_to_the_same_bytes(
    tmp_path: Path, sample_scene: Path, still_frames: Path
) -> None:
    words = ["render", sample_scene, "-o", tmp_path / "f", "--camera", "still", "--frames", "0:7"]
    with running(*words, until="frame 3") as process:
        process.kill()  # SIGKILL
    written = [name for name in files_below(tmp_path / "f") if not name.startswith(".")]
    for name in written:  # by another process, each whole
        assert (tmp_path / "f" / name).read_bytes() == (still_frames / name).read_bytes()
    assert cine3d(*words, "--resume") == 0
    for name in files_below(still_frames):
        assert (tmp_path / "f" / name).read_bytes() == (still_frames / name).read_bytes()


@pytest.mark.parametrize("output", ["x.mp4", "frames"])
def test_a_reader_that_goes_away_ends_the_command_quietly(
    tmp_path: Path, sample_scene: Path, output: str
) -> None:
    words = ["render", sample_scene, "-o", tmp_path / output, "--frames", "0:100000", *SMALL]
    with running(*words, until="frame 1") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == ("", 141)
    written = [name for name in files_below(tmp_path) if name != "frames"]
    assert all(name.startswith("frames/frame_") for name in written)


def interrupted(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code and lines on stderr after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors.splitlines()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT to send")
def test_ctrl_c_leaves_no_video(tmp_path: Path, sample_scene: Path) -> None:
    words = ["render", sample_scene, "-o", tmp_path / "x.mp4", "--frames", "0:100000"]
    with running(*words, until="frame 2") as process:
        code, lines = interrupted(process)
    assert code == 130 and len(lines) == 1, lines
    assert files_below(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT to send")
def test_ctrl_c_leaves_no_scene(tmp_path: Path) -> None:
    words = ["build", PHOTO, "-o", tmp_path / "s.cine3d"]
    with running(*words, until="estimating depth") as process:
        code, lines = interrupted(process)
    assert code == 130 and len(lines) == 1, lines
    assert files_below(tmp_path) == []
