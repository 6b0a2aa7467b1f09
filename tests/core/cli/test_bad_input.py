"""Wrong input that is more than one bad file or option: those are cases of `tests.faults`.

Exit code 2, one sentence, nothing written.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.cli import main
from tests.command_line import HINTS, PHOTO, Refused, environment, files_below
from tests.pictures import picture8

HEIGHT, WIDTH = 24, 32  # px of a small photo


def small_photo(folder: Path) -> Path:
    path = folder / "photo.png"
    Image.fromarray(picture8(HEIGHT, WIDTH)).save(path)
    return path


def test_the_official_networks_need_arrows_and_their_checkpoints(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    build = ["build", PHOTO, "-o", tmp_path / "s.cine3d", "--size", "64", "--models", "official"]
    assert "arrow" in refused(*build)
    assert "no model" in refused(*build, "--hints", HINTS)


def test_scenes_of_the_official_networks_need_them(
    tmp_path: Path, sample_scene: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    with zipfile.ZipFile(sample_scene) as old, zipfile.ZipFile(tmp_path / "s.cine3d", "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == "scene.json":
                data = json.dumps(
                    {**json.loads(data), "parameters": {"models": "official"}}
                ).encode()
            new.writestr(member.filename, data)
    assert "official networks" in refused("render", tmp_path / "s.cine3d", "-o", tmp_path / "x.mp4")


def test_checkpoints_that_are_not_there(tmp_path: Path, refused: Refused) -> None:
    refused("models", "import-official", tmp_path / "none")
    refused("models", "import-official", tmp_path)


TYPOS = [
    [],
    ["biuld", "photo.jpg"],
    ["build"],
    ["build", "photo.jpg"],
    ["build", "photo.jpg", "-o", "s.cine3d", "--preset", "papre"],
    ["build", "photo.jpg", "-o", "s.cine3d", "--models", "large"],
    ["build", "photo.jpg", "-o", "s.cine3d", "--frames", "many"],
    ["build", "photo.jpg", "-o", "s.cine3d", "--colour"],
    ["render", "s.cine3d", "-o", "x", "--format", "bmp"],
    ["render", "s.cine3d", "-o", "x.mp4", "--size", "wide"],
    ["export", "s.cine3d", "-o", "x.ply", "--frame", "1", "--frames", "1:2"],
    ["models", "forget"],
]


@pytest.mark.parametrize("words", TYPOS, ids=" ".join)
def test_typos_are_answered_with_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    told = capsys.readouterr().err
    assert stop.value.code == 2
    assert told.startswith("usage: cine3d") and "error: " in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda(tmp_path: Path, sample_scene: Path, refused: Refused) -> None:
    for command in (["build", PHOTO, "-o", tmp_path / "s.cine3d"],
                    ["render", sample_scene, "-o", tmp_path / "x.mp4"]):  # fmt: skip
        assert "'cuda' is not available" in refused(*command, "--device", "cuda")


def test_a_folder_of_another_scene_or_version_is_not_resumed(
    tmp_path: Path, sample_scene: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = ["render", str(sample_scene), "-o", str(tmp_path / "f"), "--size", "48"]
    assert main([*render, "--frames", "0:1"]) == 0
    assert "another scene" in refused(*render, "--camera", "still", "--resume")
    assert "other settings" in refused(*render, "--size", "40", "--resume")
    with monkeypatch.context() as other:
        other.setattr("cine3d_core.output.clip.__version__", "0.0.9")
        assert "other settings" in refused(*render, "--resume")
    assert main([*render, "--frames", "0:1", "--resume"]) == 0


_ON_A_FULL_DISK = """
import json, resource, sys
from cine3d_core.cli import main
commands = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(json.dumps([main(command) for command in commands]))
"""


def test_a_disk_that_fills_up(tmp_path: Path, sample_scene: Path) -> None:
    photo = small_photo(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.mp4").write_text("the old file")
    render = ["render", str(sample_scene), "--size", "64", "--frames", "0:2", "-o"]
    commands = [[*render, str(out / name)] for name in ("old.mp4", "x.webm", "x.gif")]
    commands += [[*render, str(out / kind), "--format", kind] for kind in ("png", "exr")]
    commands += [["export", str(sample_scene), "-o", str(out / "x.ply")]]
    plane = str(tmp_path / "plane.png")  # will do as mask and as depth
    Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint8)).save(plane)
    build = ["build", str(photo), "--mask", plane, "--depth", plane, "--preset", "draft", "-o"]
    commands += [[*build, str(out / "s.cine3d")]]
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    lines = done.stderr.splitlines()
    assert json.loads(done.stdout) == [2] * len(commands), done.stderr
    assert len(lines) == len(commands) and all("cannot write" in line for line in lines), lines
    assert files_below(out) == ["old.mp4"]
    assert (out / "old.mp4").read_text() == "the old file"
