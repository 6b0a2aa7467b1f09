"""What `make dist` has built: the same bytes again, complete, and good for a new environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from cine3d_core import __version__
from tests.command_line import ROOT

pytestmark = pytest.mark.slow
DIST = ROOT / "dist"
UV = Path(sys.executable).with_name("uv")
MUST_HOLD = ("models/depth/weights.safetensors", "models/depth/model.json", "photo.jpg")


def built(folder: Path) -> dict[str, bytes]:
    command = [str(UV), "build", "--quiet", "--python", sys.executable, "--out-dir", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return {path.name: path.read_bytes() for path in folder.glob("cine3d*")}


def test_wheel_and_sdist_are_the_same_bytes_again(tmp_path: Path) -> None:
    again = built(tmp_path)
    assert sorted(again) == [
        f"cine3d-{__version__}-py3-none-any.whl",
        f"cine3d-{__version__}.tar.gz",
    ]
    for name, data in again.items():
        assert (DIST / name).read_bytes() == data, name


def test_wheel_and_sdist_hold_models_sample_and_licences() -> None:
    with zipfile.ZipFile(DIST / f"cine3d-{__version__}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
    with tarfile.open(DIST / f"cine3d-{__version__}.tar.gz") as sdist:
        names_of_sdist = sdist.getnames()
    for wanted in (*MUST_HOLD, "LICENSE", "THIRD_PARTY.md"):
        assert any(name.replace("_models", "models").endswith(wanted) for name in names), wanted
        assert any(name.endswith(wanted) for name in names_of_sdist), wanted


def test_the_wheel_renders_the_sample_in_a_new_environment(tmp_path: Path) -> None:
    wheel = DIST / f"cine3d-{__version__}-py3-none-any.whl"
    python = tmp_path / "venv/bin/python"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CINE3D"))}
    links = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")}
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"],
        [UV, "pip", "install", "--quiet", "--python", python, wheel],
        [python.with_name("cine3d"), "doctor"],
        [python.with_name("cine3d"), "demo", "-o", "sample.mp4", "--size", "160"],
    ):
        words = [str(word) for word in command]
        subprocess.run(words, check=True, cwd=tmp_path, env={**environment, **links})
    assert (tmp_path / "sample.mp4").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
