"""Every wrong input: exit code 2, one sentence, nothing written."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cine3d_core.cli import main
from tests.command_line import HINTS, PHOTO, Maker, Refused, environment, files_below, options
from tests.pictures import picture8

HEIGHT, WIDTH = 24, 32  # px of the photo that bad masks and arrows are given with


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


AREA = {"label": "water", "points": [[0, 9], [30, 9], [30, 20]], "shape_type": "polygon"}
BUILD_OPTIONS = {
    "mask of another size": mask(HEIGHT + 9, WIDTH, 255),
    "mask that is empty": mask(HEIGHT, WIDTH, 0),
    "mask that is not there": options("--mask", "{folder}/none.png"),
    "arrow outside the picture": arrow([5, 5], [5, 500]),
    "arrow without length": arrow([5, 5], [5, 5]),
    "arrow of words": hints({"hints": [{"start": ["a", 1], "end": [2, 3]}]}),
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
    "fps too low for a video": options("--fps", "0.0001"),
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


def test_an_outline_smaller_than_a_pixel(tmp_path: Path, refused: Refused) -> None:
    hints = tmp_path / "hints.json"
    speck = [[600.1, 600.1], [600.9, 600.1], [600.9, 600.9]]
    hints.write_text(json.dumps({"mask": [speck]}))
    build = ["build", PHOTO, "-o", tmp_path / "s.cine3d", "--size", "64", "--hints", hints]
    assert "enclose no pixel" in refused(*build)


def test_the_official_networks_need_arrows_and_their_checkpoints(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    build = ["build", PHOTO, "-o", tmp_path / "s.cine3d", "--size", "64", "--models", "official"]
    assert "arrow" in refused(*build)
    assert "no model" in refused(*build, "--hints", HINTS)


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


def test_an_output_without_a_name_is_not_the_current_folder(
    tmp_path: Path, sample_scene: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no name" in refused("render", sample_scene, "-o", "")
    assert ".cine3d" in refused("build", PHOTO, "-o", "")
    assert ".ply" in refused("export", sample_scene, "-o", "")


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
    assert files_below(out) == ["old.mp4"]
    assert (out / "old.mp4").read_text() == "the old file"
