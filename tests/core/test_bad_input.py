"""Every wrong input: exit code 2, one sentence, nothing written."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.cli import main
from tests.command_line import PHOTO, environment, files_below
from tests.pictures import picture8

HEIGHT, WIDTH = 24, 32  # px of the photo that bad masks and arrows are given with

# Makes the bad input in an empty folder and gives the arguments that name it.
Maker = Callable[[Path], list[str]]
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must be refused, and returns its one sentence."""

    def run(*arguments: object) -> str:
        before = files_below(tmp_path)
        assert main([str(argument) for argument in arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("cine3d: ") and "Traceback" not in lines[0]
        assert files_below(tmp_path) == before
        return lines[0]

    return run


def small_photo(folder: Path) -> Path:
    path = folder / "photo.png"
    Image.fromarray(picture8(HEIGHT, WIDTH)).save(path)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises much and holds nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + bytes(64)


PHOTOS = {
    "a text": b"this is no picture\n",
    "nothing": b"",
    "1x1": b"P6 1 1 255\n\x10\x20\x30",
    "20000x20000": png_header(20_000, 20_000),
    "a truncated JPEG": PHOTO.read_bytes()[:30_000],
    "a truncated PNG": png_header(64, 64),
}


@pytest.mark.parametrize("kind", PHOTOS)
def test_photos_that_cannot_be_read(tmp_path: Path, refused: Refused, kind: str) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTOS[kind])
    assert "photo" in refused("build", photo, "-o", tmp_path / "s.cine3d")


def test_a_photo_that_is_not_there_or_a_folder(tmp_path: Path, refused: Refused) -> None:
    assert "does not exist" in refused("build", tmp_path / "a.jpg", "-o", tmp_path / "s.cine3d")
    assert "is a folder" in refused("build", tmp_path, "-o", tmp_path / "s.cine3d")


def test_a_name_with_a_line_break_stays_one_line(tmp_path: Path, refused: Refused) -> None:
    refused("build", tmp_path / "two\nlines.jpg", "-o", tmp_path / "s.cine3d")


def mask(height: int, width: int, level: int) -> Maker:
    def make(folder: Path) -> list[str]:
        Image.fromarray(np.full((height, width), level, np.uint8)).save(folder / "mask.png")
        return ["--mask", str(folder / "mask.png")]

    return make


def hints(content: object) -> Maker:
    def make(folder: Path) -> list[str]:
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "hints.json").write_text(text)
        return ["--hints", str(folder / "hints.json")]

    return make


def arrow(start: list[float], end: list[float]) -> Maker:
    return hints({"hints": [{"start": start, "end": end}]})


def options(*words: str) -> Maker:
    return lambda folder: [word.format(folder=folder) for word in words]


AREA = {"label": "water", "points": [[0, 9], [30, 9], [30, 20]], "shape_type": "polygon"}
BUILD_OPTIONS = {
    "mask of another size": mask(HEIGHT + 9, WIDTH, 255),
    "mask that is empty": mask(HEIGHT, WIDTH, 0),
    "mask that is not there": options("--mask", "{folder}/none.png"),
    "arrow outside the picture": arrow([5, 5], [5, 500]),
    "arrow without length": arrow([5, 5], [5, 5]),
    "arrow of words": hints({"hints": [{"start": ["a", 1], "end": [2, 3]}]}),
    "labelme without hints": hints({"shapes": [AREA], "imageHeight": HEIGHT, "imageWidth": WIDTH}),
    "malformed JSON": hints('{"hints": [{"start"'),
    "JSON of something else": hints({"colour": "blue"}),
    "JSON list": hints([1, 2]),
    "hints that are not there": options("--hints", "{folder}/none.json"),
    "unknown depth": options("--depth", "no-such-network"),
    "depth picture that is not there": options("--depth", "{folder}/none.png"),
    "depth of another shape": lambda f: ["--depth", mask(64, 16, 9)(f)[1]],
    "no frames": options("--frames", "0"),
    "one frame": options("--frames", "1"),
    "negative frames": options("--frames", "-5"),
    "fps 0": options("--fps", "0"),
    "fps nan": options("--fps", "nan"),
    "fps infinite": options("--fps", "inf"),
    "size 3": options("--size", "3"),
    "negative size": options("--size", "-640"),
    "unknown device": options("--device", "abacus"),
}


@pytest.mark.parametrize("kind", BUILD_OPTIONS)
def test_build_options_that_cannot_be(tmp_path: Path, refused: Refused, kind: str) -> None:
    photo = small_photo(tmp_path)
    made = tmp_path / "input"
    made.mkdir()
    refused("build", photo, "-o", tmp_path / "s.cine3d", *BUILD_OPTIONS[kind](made))


def no_parent(folder: Path, suffix: str) -> Path:
    return folder / "none" / f"x{suffix}"


def parent_is_a_file(folder: Path, suffix: str) -> Path:
    (folder / "file").write_text("a file")
    return folder / "file" / f"x{suffix}"


def is_a_folder(folder: Path, suffix: str) -> Path:
    (folder / f"x{suffix}").mkdir()
    return folder / f"x{suffix}"


@pytest.mark.parametrize("place", [no_parent, parent_is_a_file, is_a_folder])
def test_scenes_and_clouds_where_no_file_can_be(
    tmp_path: Path, sample_scene: Path, refused: Refused, place: Callable[[Path, str], Path]
) -> None:
    refused("build", PHOTO, "-o", place(tmp_path, ".cine3d"))
    refused("export", sample_scene, "-o", place(tmp_path, ".ply"))


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", "", "/"])
@pytest.mark.parametrize("place", [no_parent, parent_is_a_file])
def test_frames_where_nothing_can_be_written(
    tmp_path: Path,
    sample_scene: Path,
    refused: Refused,
    place: Callable[[Path, str], Path],
    suffix: str,
) -> None:
    refused("render", sample_scene, "-o", f"{place(tmp_path, '')}{suffix}")


def test_frames_into_a_file_that_is_no_folder(
    tmp_path: Path, sample_scene: Path, refused: Refused
) -> None:
    (tmp_path / "frames").write_text("a file")
    refused("render", sample_scene, "-o", tmp_path / "frames")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path, sample_scene: Path, refused: Refused) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert "permission" in refused("build", PHOTO, "-o", closed / "s.cine3d")
    assert "permission" in refused("render", sample_scene, "-o", closed)


def test_extensions_that_nothing_is_written_as(
    tmp_path: Path, sample_scene: Path, refused: Refused
) -> None:
    assert ".cine3d" in refused("build", PHOTO, "-o", tmp_path / "s.zip")
    assert ".mp4" in refused("render", sample_scene, "-o", tmp_path / "x.avi")
    assert ".ply" in refused("export", sample_scene, "-o", tmp_path / "x.obj")


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


def an_unknown_preset(scene: Path, path: Path) -> None:
    rewritten(scene, path, parameters={"preset": "from the future"})


def no_preset(scene: Path, path: Path) -> None:
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


@pytest.mark.parametrize("damage", [an_unknown_preset, no_preset])
def test_scenes_of_an_unknown_preset_are_not_drawn(
    tmp_path: Path, sample_scene: Path, refused: Refused, damage: Callable[[Path, Path], None]
) -> None:
    scene = tmp_path / "s.cine3d"
    damage(sample_scene, scene)
    assert "preset" in refused("render", scene, "-o", tmp_path / "x.mp4")
    assert "preset" in refused("export", scene, "-o", tmp_path / "x.ply")


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


def test_a_folder_of_another_scene_is_not_resumed(
    tmp_path: Path, sample_scene: Path, refused: Refused
) -> None:
    render = ["render", str(sample_scene), "-o", str(tmp_path / "f"), "--size", "48"]
    assert main([*render, "--frames", "0:1"]) == 0
    assert "another scene" in refused(*render, "--camera", "still", "--resume")


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
    moving = mask(HEIGHT, WIDTH, 255)(tmp_path)
    build = ["build", str(photo), *moving, "--depth", moving[1], "--preset", "draft", "-o"]
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
    assert files_below(out) == ["exr", "old.mp4", "png"]  # the folders are empty
    assert (out / "old.mp4").read_text() == "the old file"
