"""Every command of the command line, from its words to its files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest
from PIL import Image
from plyfile import PlyData

from cine3d_core import __version__
from cine3d_core.cli import main
from cine3d_core.files.scene.scene_file import load_scene
from tests.camera_files import write_camera_path
from tests.command_line import (
    HINTS,
    PHOTO,
    SIZE,
    Refused,
    environment,
    files_below,
    pixels,
    psnr,
)

COMMANDS = "demo build depth motion render export info doctor models train evaluate worker".split()
SMALL = ("--size", "64")  # px; where only the file matters


def cine3d(*words: object) -> int:
    return main([str(word) for word in words])


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    told = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(name in told for name in COMMANDS)


OPTIONS = {
    "build": "--depth --mask --hints --frames --fps --size --models --preset --device --progress",
    "render": "--camera --frames --size --format --resume --decoder --device --progress",
    "export": "--frame --frames --binary --ascii --progress",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    told = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(option in told for option in OPTIONS.get(name, "").split())


def test_help_and_typos_are_answered_without_torch() -> None:
    code = "import sys; from cine3d_core.cli.program import make_parser as m; m()"
    code += "; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment())
    assert done.returncode == 0


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"cine3d {__version__}\n"


def test_info_tells_what_a_scene_holds(
    sample_scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cine3d("info", sample_scene) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["height"]) == (SIZE, round(SIZE * 937 / 1280))
    assert (told["frames"], told["fps"]) == (6, 25.0)
    assert told["layers"] > 1 and 0.05 < told["moving_share"] < 0.95
    assert told["bytes"] == sample_scene.stat().st_size
    assert list(told["models"])  # the depth network and its checksum


def test_doctor_finds_this_installation_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert cine3d("doctor", "--json") == 0
    findings = {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {"python", "torch", "numba", "devices", "model see"} <= set(findings)
    assert all(finding["ok"] and finding["text"] for finding in findings.values())
    assert cine3d("doctor") == 0
    assert all(line.startswith("ok ") for line in capsys.readouterr().out.splitlines())


def test_doctor_survives_a_model_whose_description_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/model.json").write_text("{")
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    assert cine3d("doctor") == 2
    told = capsys.readouterr()
    assert "NO  models: the model description" in told.out
    assert told.err.startswith("cine3d: problems found with: models; ")
    assert cine3d("doctor", "--json") == 2
    assert [f["subject"] for f in json.loads(capsys.readouterr().out) if not f["ok"]] == ["models"]


def test_the_demo_renders_the_sample_that_comes_along(tmp_path: Path) -> None:
    assert cine3d("demo", "-o", tmp_path / "f", "--size", "48") == 0
    assert len(files_below(tmp_path / "f")) == 60


def test_models_are_listed_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert cine3d("models", "list") == 0
    assert "see" in capsys.readouterr().out
    assert cine3d("models", "verify") == 0
    assert "see: OK" in capsys.readouterr().out


def test_a_damaged_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PHOTO.parents[2] / "models/see", tmp_path / "see")
    with (tmp_path / "see/weights.safetensors").open("r+b") as file:
        file.write(b"damage")
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    assert cine3d("models", "verify") == 2
    told = capsys.readouterr()
    assert "checksum" in told.out and told.err.startswith("cine3d: ")


def stages(text: str) -> list[float]:
    """The fractions of JSON lines, all of which must be JSON."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [line["fraction"] for line in lines if "fraction" in line]


@pytest.mark.parametrize("name", ["render", "export"])
def test_progress_as_json_lines_rises_to_one(
    tmp_path: Path, sample_scene: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    output = tmp_path / ("x.mp4" if name == "render" else "x.ply")
    extra = SMALL if name == "render" else ()
    assert cine3d(name, sample_scene, "-o", output, "--progress", "json", *extra) == 0
    fractions = stages(capsys.readouterr().out)
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions)


def test_without_a_terminal_nothing_is_drawn(
    tmp_path: Path, sample_scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cine3d("export", sample_scene, "-o", tmp_path / "x.ply") == 0
    assert capsys.readouterr().err == ""


def on_a_terminal(*words: object) -> tuple[int, str]:
    """Exit code of a command whose stderr is a terminal, and what stands there."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")  # not on Windows
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with os.fdopen(theirs, "w") as terminal, contextlib.redirect_stderr(terminal):
        code = cine3d(*words)
    text = ""
    with contextlib.suppress(OSError):  # how Linux says that nothing more will come
        while block := os.read(ours, 10_000):
            text += block.decode()
    os.close(ours)
    return code, text


def test_a_terminal_shows_a_bar(tmp_path: Path, sample_scene: Path) -> None:
    code, text = on_a_terminal("export", sample_scene, "-o", tmp_path / "x.ply")
    assert code == 0 and "100%" in text and text.endswith("\n")


def test_an_error_stands_on_a_line_below_the_bar(tmp_path: Path, sample_scene: Path) -> None:
    (tmp_path / "hints.json").write_text('{"hints": [{"start": [1, 1], "end": [1, 1]}]}')
    output, hints = tmp_path / "s.cine3d", tmp_path / "hints.json"
    code, text = on_a_terminal("build", PHOTO, "-o", output, "--size", "64", "--hints", hints)
    assert code == 2
    assert text.splitlines()[-1].startswith("cine3d: arrow 1")


def test_a_build_is_the_same_file_every_time(tmp_path: Path, sample_scene: Path) -> None:
    again = tmp_path / "again.cine3d"
    options = ["--hints", HINTS, "--frames", "6", "--size", SIZE, "--device", "cpu"]
    assert cine3d("build", PHOTO, "-o", again, *options) == 0
    assert again.read_bytes() == sample_scene.read_bytes()


def test_what_was_assumed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "s.cine3d"
    assert cine3d("build", PHOTO, "-o", output, "--size", "96", "--progress", "json") == 0
    text = capsys.readouterr().out
    messages = [line["message"] for line in map(json.loads, text.splitlines()) if "message" in line]
    assert [message for message in messages if message.startswith("assumed: ")]
    assert str(output) in messages[-1]
    assert stages(text)[-1] == 1
    assert load_scene(output).num_frames == 60  # the default


def test_a_photo_in_which_nothing_flows_gets_a_moving_camera_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = (np.indices((48, 64)).sum(axis=0) // 4 % 2)[:, :, None] * np.array([90, 40, 20])
    photo, depth, scene = (tmp_path / name for name in ("bricks.png", "flat.png", "s.cine3d"))
    Image.fromarray(checks.astype(np.uint8)).save(photo)
    Image.fromarray(np.full((48, 64), 128, np.uint8)).save(depth)
    assert cine3d("build", photo, "-o", scene, "--depth", depth) == 0
    assert "assumed: nothing that flows was found" in capsys.readouterr().out
    assert not load_scene(scene).velocity.any()


def test_names_with_spaces_and_letters_of_any_script(tmp_path: Path) -> None:
    folder = tmp_path / "Ünïcode sea 海"
    folder.mkdir()
    photo, mask = folder / "mein Foto ß.png", folder / "маска.png"
    with Image.open(PHOTO) as image:
        image.resize((64, 47)).save(photo)
    Image.fromarray(np.repeat(np.uint8([0, 255]), [30, 17])[:, None].repeat(64, 1)).save(mask)
    scene = folder / "scene 1.cine3d"
    build = ["build", photo, "-o", scene, "--mask", mask, "--depth", mask, "--frames", "2"]
    script = "import sys, json; from cine3d_core.cli import main\n"
    script += "sys.exit(max(main(words) for words in json.loads(sys.argv[1])))"
    outputs = ["film é.mp4", "film é.gif", "frames ø", "exr ø"]
    renders = [["render", scene, "-o", folder / name] for name in outputs]
    renders[-1] += ["--format", "exr"]
    words = [build, *renders, ["export", scene, "-o", folder / "points 点.ply"]]
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(words, default=str)],
        capture_output=True, check=False, env=environment(PYTHONIOENCODING="ascii"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {*outputs, "points 点.ply", "exr ø/frame_0001.exr"} <= set(files_below(folder))


def test_frame_n_is_frame_zero(still_frames: Path) -> None:
    first, last = still_frames / "frame_0000.png", still_frames / "frame_0006.png"
    assert np.array_equal(pixels(first), pixels(last))
    assert not np.array_equal(pixels(first), pixels(still_frames / "frame_0003.png"))
    assert last.read_bytes() == first.read_bytes()


def test_the_first_still_frame_is_the_photo(still_frames: Path) -> None:
    frame = pixels(still_frames / "frame_0000.png")
    with Image.open(PHOTO) as image:
        photo = np.asarray(image.resize((frame.shape[1], frame.shape[0]), Image.Resampling.BOX))
    assert psnr(frame / 255, photo / 255) > 36  # resized by another program: not quite the same


@pytest.mark.parametrize("name", ["x.mp4", "x.webm", "x.gif"])
def test_videos_hold_the_loop(
    tmp_path: Path, sample_scene: Path, still_frames: Path, name: str
) -> None:
    assert cine3d("render", sample_scene, "-o", tmp_path / name, "--camera", "still") == 0
    with av.open(tmp_path / name) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    truth = pixels(still_frames / "frame_0002.png")
    assert len(frames) == 6
    height, width = truth.shape[:2]
    assert psnr(frames[2][:height, :width] / 255, truth / 255) > 24
    assert files_below(tmp_path) == [name]


def test_exr_frames_hold_depth_and_motion(tmp_path: Path, sample_scene: Path) -> None:
    folder = tmp_path / "exr"
    words = ["render", sample_scene, "-o", folder, "--format", "exr", "--camera", "side", *SMALL]
    assert cine3d(*words, "--frames", "2:4") == 0
    assert files_below(folder) == ["frame_0002.exr", "frame_0003.exr"]
    with OpenEXR.File(str(folder / "frame_0002.exr"), separate_channels=True) as file:
        planes = {name: channel.pixels for name, channel in file.channels().items()}
    assert planes["R"].shape == (round(64 * 117 / SIZE), 64)
    assert planes["Z"].max() > planes["Z"][planes["Z"] > 0].min() > 0
    assert np.abs(planes["forward.u"]).mean() > 0.1  # the camera goes sideways


@pytest.mark.parametrize("camera", ["still", "circle"])
def test_exr_of_a_closed_move_loops_too(tmp_path: Path, sample_scene: Path, camera: str) -> None:
    words = ["render", sample_scene, "-o", tmp_path / "exr", "--format", "exr", *SMALL]
    for frames in ("0", "6"):
        assert cine3d(*words, "--camera", camera, "--frames", frames) == 0
    first, last = ((tmp_path / f"exr/frame_000{i}.exr").read_bytes() for i in (0, 6))
    assert first == last


@pytest.mark.parametrize("camera", ["published-circle", "side", "arc", "dolly-zoom"])
def test_every_camera_move_moves(
    tmp_path: Path, sample_scene: Path, still_frames: Path, camera: str
) -> None:
    words = ["render", sample_scene, "-o", tmp_path / "f", "--camera", camera, "--frames", "5"]
    assert cine3d(*words) == 0
    frame, still = pixels(tmp_path / "f/frame_0005.png"), pixels(still_frames / "frame_0005.png")
    assert frame.shape == still.shape
    assert 12 < psnr(frame / 255, still / 255) < 35


def test_the_default_move_begins_at_the_photo_and_a_strength_enlarges_it(
    tmp_path: Path, sample_scene: Path, still_frames: Path
) -> None:
    words = ["render", sample_scene, "--frames"]
    assert cine3d(*words, "0", "-o", tmp_path / "begin") == 0
    first = pixels(tmp_path / "begin/frame_0000.png")
    assert np.array_equal(first, pixels(still_frames / "frame_0000.png"))
    likeness = []
    for strength in ("0.5", "1.5"):
        folder = tmp_path / f"{strength[0]}-{strength[2]}"
        assert cine3d(*words, "2", "-o", folder, "--strength", strength) == 0
        frames = (pixels(f / "frame_0002.png") / 255 for f in (folder, still_frames))
        likeness.append(psnr(*frames))
    assert likeness[0] > likeness[1] + 2


def test_a_strength_that_no_move_bears_is_refused(
    tmp_path: Path, sample_scene: Path, refused: Refused
) -> None:
    words = ["render", sample_scene, "-o", tmp_path / "f", "--strength", "4"]
    assert "a strength of 4 was asked for" in refused(*words)


def test_a_camera_file_at_the_photos_place_is_still(
    tmp_path: Path, sample_scene: Path, still_frames: Path
) -> None:
    write_camera_path(tmp_path / "camera.json", [load_scene(sample_scene).camera] * 3)
    words = ["render", sample_scene, "-o", tmp_path / "f", "--camera", tmp_path / "camera.json"]
    assert cine3d(*words) == 0
    assert files_below(tmp_path / "f") == [f"frame_000{i}.png" for i in range(3)]
    for name in files_below(tmp_path / "f"):
        assert np.array_equal(pixels(tmp_path / "f" / name), pixels(still_frames / name))


@pytest.mark.parametrize("width", [40, 250])
def test_size_is_the_width_of_the_frames(tmp_path: Path, sample_scene: Path, width: int) -> None:
    words = ["render", sample_scene, "-o", tmp_path / "f", "--frames", "1", "--size", width]
    assert cine3d(*words) == 0
    frame = pixels(tmp_path / "f/frame_0001.png")
    assert frame.shape == (round(width * 117 / SIZE), width, 3)


def test_a_frame_alone_is_the_frame_of_the_clip(
    tmp_path: Path, sample_scene: Path, still_frames: Path
) -> None:
    for frame in (4, 1):
        words = ["render", sample_scene, "-o", tmp_path, "--camera", "still", "--frames", frame]
        assert cine3d(*words) == 0
        name = f"frame_000{frame}.png"
        assert (tmp_path / name).read_bytes() == (still_frames / name).read_bytes()


def test_binary_and_ascii_clouds_are_the_same(tmp_path: Path, sample_scene: Path) -> None:
    binary, text = tmp_path / "b.ply", tmp_path / "a.ply"
    assert cine3d("export", sample_scene, "-o", binary, "--frame", "2", "--binary") == 0
    assert cine3d("export", sample_scene, "-o", text, "--frame", "2", "--ascii") == 0
    clouds = [PlyData.read(path)["vertex"].data for path in (binary, text)]
    assert len(clouds[0]) == len(load_scene(sample_scene).cloud.positions)
    for name in clouds[0].dtype.names:
        assert np.array_equal(clouds[0][name], clouds[1][name]), name


def test_clouds_of_many_frames_are_numbered_and_loop(tmp_path: Path, sample_scene: Path) -> None:
    assert cine3d("export", sample_scene, "-o", tmp_path / "c.ply", "--frames", "0:7") == 0
    assert files_below(tmp_path) == [f"c_000{i}.ply" for i in range(7)]
    data = [(tmp_path / name).read_bytes() for name in files_below(tmp_path)]
    assert data[6] == data[0] != data[1]


def test_the_cloud_at_rest_is_the_scenes(tmp_path: Path, sample_scene: Path) -> None:
    assert cine3d("export", sample_scene, "-o", tmp_path / "c.ply") == 0
    vertices = PlyData.read(tmp_path / "c.ply")["vertex"]
    positions = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    assert np.array_equal(positions, load_scene(sample_scene).cloud.positions.numpy())
    assert np.abs(vertices["flow_x"]).max() > 0
