"""Scene files, cameras and frames that cannot be: exit code 2, one sentence, nothing written."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.cli import main
from tests.command_line import PHOTO, Maker, Refused, options


def rewritten(scene: Path, path: Path, **changes: object) -> None:
    """A scene file with entries of its scene.json changed."""
    with zipfile.ZipFile(scene) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == "scene.json":
                data = json.dumps({**json.loads(data), **changes}).encode()
            new.writestr(member.filename, data)


def truncated(scene: Path, path: Path) -> None:
    data = scene.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def another_version(scene: Path, path: Path) -> None:
    rewritten(scene, path, version=99)


def an_unknown_animation(scene: Path, path: Path) -> None:
    rewritten(scene, path, parameters={"stages": {"animation": {"lift": "from the future"}}})


def no_animation(scene: Path, path: Path) -> None:
    rewritten(scene, path, parameters={})


def no_camera(scene: Path, path: Path) -> None:
    rewritten(scene, path, camera=None)


def flipped_bits(scene: Path, path: Path) -> None:
    data = bytearray(scene.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def a_zip_that_unpacks_to_much(scene: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scene.json", "{}")
        archive.writestr("positions.npy", bytes(10_000_000))


def a_zip_that_climbs_out(scene: Path, path: Path) -> None:
    shutil.copyfile(scene, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../stolen.txt", "mine")


def a_picture(scene: Path, path: Path) -> None:
    shutil.copyfile(PHOTO, path)


def nothing(scene: Path, path: Path) -> None:
    path.touch()


def a_folder(scene: Path, path: Path) -> None:
    path.mkdir()


def absent(scene: Path, path: Path) -> None:
    pass


DAMAGES = [
    truncated,
    another_version,
    no_camera,
    flipped_bits,
    a_zip_that_unpacks_to_much,
    a_zip_that_climbs_out,
    a_picture,
    nothing,
    a_folder,
    absent,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_scenes_that_cannot_be_used(
    tmp_path: Path, sample_scene: Path, refused: Refused, damage: Callable[[Path, Path], None]
) -> None:
    scene = tmp_path / "s.cine3d"
    damage(sample_scene, scene)
    assert "scene file" in refused("info", scene)
    assert "scene file" in refused("render", scene, "-o", tmp_path / "x.mp4")
    assert "scene file" in refused("export", scene, "-o", tmp_path / "x.ply")


@pytest.mark.parametrize("damage", [an_unknown_animation, no_animation])
def test_scenes_of_an_unknown_animation_are_not_drawn(
    tmp_path: Path, sample_scene: Path, refused: Refused, damage: Callable[[Path, Path], None]
) -> None:
    scene = tmp_path / "s.cine3d"
    damage(sample_scene, scene)
    assert "how it is drawn" in refused("render", scene, "-o", tmp_path / "x.mp4")
    assert "how it is drawn" in refused("export", scene, "-o", tmp_path / "x.ply")


def test_scenes_of_the_official_networks_need_them(
    tmp_path: Path, sample_scene: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    rewritten(sample_scene, tmp_path / "s.cine3d", parameters={"models": "official"})
    assert "official networks" in refused("render", tmp_path / "s.cine3d", "-o", tmp_path / "x.mp4")


def camera_file(content: object) -> Maker:
    def make(folder: Path) -> list[str]:
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "camera.json").write_text(text)
        return ["--camera", str(folder / "camera.json")]

    return make


POSE = np.eye(4).tolist()
INTRINSICS = [[100.0, 0.0, 32.0], [0.0, 100.0, 24.0], [0.0, 0.0, 1.0]]


def path_of(**changes: object) -> dict[str, object]:
    """A sound camera path of one frame, with changes."""
    frame = {"K": INTRINSICS, "world_to_camera": POSE} | changes
    return {"version": 1, "width": 64, "height": 48, "frames": [frame]}


RENDER_OPTIONS = {
    "frames backwards": options("--frames", "5:2"),
    "frames without length": options("--frames", "3:3"),
    "frames below 0": options("--frames=-3:2"),
    "frames of words": options("--frames", "first:last"),
    "frames with a fraction": options("--frames", "0:1.5"),
    "frames by the million": options("--frames", "0:99999999"),
    "frames past the camera path": lambda f: [*camera_file(path_of())(f), "--frames", "0:2"],
    "size 3": options("--size", "3"),
    "size 0": options("--size", "0"),
    "negative size": options("--size", "-640"),
    "size of a wall": options("--size", "1000000"),
    "unknown camera": options("--camera", "loop-the-loop"),
    "camera file that is not there": options("--camera", "{folder}/none.json"),
    "malformed camera file": camera_file('{"version": 1,'),
    "camera file of another version": camera_file({**path_of(), "version": 7}),
    "camera file without frames": camera_file({**path_of(), "frames": []}),
    "camera file with NaN": camera_file(path_of(K=[[float("nan")] * 3] * 3)),
    "camera that is no rotation": camera_file(path_of(world_to_camera=[[2.0] * 4] * 4)),
    "camera without focal length": camera_file(path_of(K=np.zeros((3, 3)).tolist())),
    "resumed video": options("--resume"),
    "unknown device": options("--device", "abacus"),
    "device that is no number": options("--device", "cpu:two"),
}


@pytest.mark.parametrize("kind", RENDER_OPTIONS)
def test_render_options_that_cannot_be(
    tmp_path: Path, sample_scene: Path, refused: Refused, kind: str
) -> None:
    made = tmp_path / "input"
    made.mkdir()
    refused("render", sample_scene, "-o", tmp_path / "x.mp4", *RENDER_OPTIONS[kind](made))


@pytest.mark.parametrize("choice", ["--frame=-1", "--frames=4:2", "--frames=a:b", "--frames=-1:2"])
def test_exports_of_frames_that_cannot_be(
    tmp_path: Path, sample_scene: Path, refused: Refused, choice: str
) -> None:
    assert "frames" in refused("export", sample_scene, "-o", tmp_path / "x.ply", choice)


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
