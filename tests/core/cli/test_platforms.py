"""Machines that are not like ours: other locales, no home folder, no place to write."""

from __future__ import annotations

import json
import locale
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cine3d_core.cli import main
from cine3d_core.files.models.places import model_folders
from tests.command_line import environment, files_below
from tests.pictures import picture8


@pytest.fixture
def build(tmp_path: Path) -> list[str]:
    """A quick build of a small photo."""
    for name, pixels in (("p.png", picture8(24, 32)), ("m.png", np.full((24, 32), 255, np.uint8))):
        Image.fromarray(pixels).save(tmp_path / name)
    photo, mask = str(tmp_path / "p.png"), str(tmp_path / "m.png")
    return ["build", photo, "--mask", mask, "--depth", mask, "--frames", "4"]


@pytest.fixture
def decimal_comma() -> Iterator[None]:
    """A locale that writes 1,5; as Qt and some tools set it for the whole process."""
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "German"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("this machine has no such locale")
    yield
    locale.setlocale(locale.LC_NUMERIC, before)


def test_numbers_in_files_have_points_under_any_locale(
    tmp_path: Path, build: list[str], decimal_comma: None
) -> None:
    scene, cloud = tmp_path / "s.cine3d", tmp_path / "c.ply"
    assert main([*build, "-o", str(scene), "--fps", "23.976"]) == 0
    assert main(["export", str(scene), "-o", str(cloud), "--ascii"]) == 0
    rows = cloud.read_text().split("end_header\n")[1].splitlines()
    assert "," not in rows[0] and len(rows[0].split()) == 11


CLOSED = "/proc/self/none"  # a place where nobody, not even root, can make anything


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    "missing",
    [
        {"HOME": None, "XDG_DATA_HOME": None, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"},
        {"HOME": CLOSED, "XDG_DATA_HOME": None, "XDG_CACHE_HOME": CLOSED, "TMPDIR": CLOSED},
    ],
    ids=["no home, plain ASCII", "closed home and temporary folder"],
)
def test_builds_need_no_home_and_no_temporary_folder(
    tmp_path: Path, build: list[str], missing: dict[str, str | None]
) -> None:
    variables = {k: v for k, v in environment().items() if k not in missing}
    variables |= {key: value for key, value in missing.items() if value is not None}
    scene = tmp_path / "out 海.cine3d"
    done = subprocess.run(
        [sys.executable, "-m", "cine3d_core.cli", *build, "-o", str(scene), "--progress", "none"],
        capture_output=True, env=variables, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Traceback" not in done.stderr and scene.is_file()


def test_a_models_folder_that_cannot_be_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINE3D_MODELS", "\\\\server\\share\\models")
    assert len(model_folders()) == 3
    assert main(["models", "verify"]) == 0


def test_names_of_any_script_and_sign(tmp_path: Path, build: list[str]) -> None:
    folder = tmp_path / "Ordner mit 'Zeichen' & 海 🌊 %20"
    folder.mkdir()
    assert main([*build, "-o", str(folder / "s -1.cine3d")]) == 0
    assert files_below(folder) == ["s -1.cine3d"]
    (folder / "camera é.json").write_text(json.dumps({"version": 1}))
    words = ["render", str(folder / "s -1.cine3d"), "-o", str(folder / "f")]
    assert main([*words, "--camera", str(folder / "camera é.json")]) == 2
