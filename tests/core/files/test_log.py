from pathlib import Path

import pytest

from cine3d_core.cli import main
from cine3d_core.files import log
from tests.command_line import PHOTO


def cine3d(*words: object) -> int:
    return main([str(word) for word in words])


def test_a_log_tells_command_stages_results_and_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, preview = tmp_path / "lög.txt", tmp_path / "p.png"
    assert cine3d("--log", file, "motion", PHOTO, "-o", preview, "--size", "64") == 0
    said = capsys.readouterr().out.splitlines()
    assert cine3d("--log", file, "info", tmp_path / "none.cine3d") == 2
    text = file.read_text(encoding="utf-8")
    assert f"motion {PHOTO}" in text and "writing (90%)" in text and " done\n" in text
    assert all(line in text for line in said)
    assert "refused: " in text and "none.cine3d" in text and "Traceback" not in text


def test_what_goes_wrong_by_our_fault_is_logged_with_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), log.logged_to(tmp_path / "log", ["x"]):
        print(1 / 0)
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_log_that_has_grown_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * log.LOG_BYTES)
    with log.logged_to(file, ["info"]):
        log.note("ü")
    assert file.stat().st_size < 1000 and (tmp_path / "log.1").stat().st_size == log.LOG_BYTES


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    assert cine3d("--log", tmp_path / "no/where/log", "doctor") == 2


def test_without_a_log_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with log.logged_to(None, []):
        log.note("unheard")
    assert capsys.readouterr() == ("", "")
