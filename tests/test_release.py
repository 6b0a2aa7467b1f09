"""What `make dist` has built: the same bytes again, complete, and good for a new environment."""

from __future__ import annotations

import hashlib
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
WHEEL = DIST / f"cine3d-{__version__}-py3-none-any.whl"
SDIST = DIST / f"cine3d-{__version__}.tar.gz"
MODELS = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("models/*/*")]


def built(folder: Path) -> dict[str, bytes]:
    command = [str(UV), "build", "--quiet", "--python", sys.executable, "--out-dir", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return {path.name: path.read_bytes() for path in folder.glob("cine3d*")}


def test_the_checksums_are_those_of_what_is_published() -> None:
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    told = {line.split()[1]: line.split()[0] for line in lines}
    assert set(told) == {WHEEL.name, SDIST.name, f"cine3d-{__version__}.zip"}
    for name, digest in told.items():
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == digest


def test_wheel_and_sdist_are_the_same_bytes_again(tmp_path: Path) -> None:
    again = built(tmp_path)
    assert sorted(again) == [WHEEL.name, SDIST.name]
    for name, data in again.items():
        assert (DIST / name).read_bytes() == data, name


def test_wheel_and_sdist_hold_models_sample_and_licences() -> None:
    with zipfile.ZipFile(WHEEL) as wheel:
        names = wheel.namelist()
    with tarfile.open(SDIST) as sdist:
        names_of_sdist = sdist.getnames()
    weights = {name.split("/")[1] for name in MODELS if name.endswith("weights.safetensors")}
    assert weights == {"decoder", "motion", "see"}  # the networks that are bundled
    for wanted in (*MODELS, "photo.jpg", "LICENSE", "THIRD_PARTY.md"):
        assert any(name.replace("_models", "models").endswith(wanted) for name in names), wanted
        assert any(name.endswith(wanted) for name in names_of_sdist), wanted


@pytest.mark.parametrize("published", [WHEEL, SDIST], ids=["wheel", "sdist"])
def test_it_renders_the_sample_in_a_new_environment(tmp_path: Path, published: Path) -> None:
    python = tmp_path / "venv/bin/python"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CINE3D"))}
    links = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")}
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"],
        [UV, "pip", "install", "--quiet", "--python", python, published],
        [python.with_name("cine3d"), "doctor"],
        [python.with_name("cine3d"), "demo", "-o", "sample.mp4", "--size", "160"],
    ):
        words = [str(word) for word in command]
        subprocess.run(words, check=True, cwd=tmp_path, env={**environment, **links})
    assert (tmp_path / "sample.mp4").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
