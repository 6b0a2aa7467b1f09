import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing

_LIMITED = """
import resource, sys
from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with replacing(sys.argv[1]) as temporary:
        temporary.write_bytes(bytes(5000))
except InputError as error:
    print(error)
    sys.exit(2)
"""
_ENDLESS = """
import sys, time
from cine3d_core.files.atomic import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_the_file_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(error), replacing(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as first, replacing(tmp_path / "a.txt") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a.txt").read_text() == "first"


def test_a_link_keeps_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with replacing(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_new_files_get_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("")
    with replacing(tmp_path / "out.txt") as temporary:
        temporary.write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("name", ["missing/out.txt", ".", "x" * 300 + ".txt"])
def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(InputError, match="cannot write"),
        replacing(tmp_path / name) as temporary,
    ):
        temporary.write_text("new")


def test_devices_are_never_replaced() -> None:
    with pytest.raises(InputError, match="device"), replacing(os.devnull):
        pass


def test_a_full_disk_is_told_in_a_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("cannot write")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_kill_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(target)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert target.read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot flush a folder")
def test_a_power_cut_finds_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flush(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        fsync(descriptor)

    def rename(source: Path, target: Path) -> None:
        order.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert order == ["content", "rename", "folder"]
    assert (tmp_path / "a.txt").read_text() == "whole"
