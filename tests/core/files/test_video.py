import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.exr import srgb_to_linear
from cine3d_core.files.video.frames import frame_name
from cine3d_core.files.video.rate import frame_rate
from cine3d_core.files.video.writer import FrameWriter, open_frame_writer
from cine3d_core.scene import Camera
from tests.pictures import picture8, rendered_frame

HEIGHT, WIDTH = 45, 63


def writer(path: Path, *, fingerprint: str = "scene a", **options: object) -> FrameWriter:
    settings = {"height": HEIGHT, "width": WIDTH, "fps": 25.0, **options}
    return open_frame_writer(path, fingerprint=fingerprint, **settings)  # type: ignore[arg-type]


def write(path: Path, frames: range = range(5), **options: object) -> None:
    with writer(path, **options) as out:
        for frame in frames:
            if out.needs(frame):
                out.write(frame, rendered_frame(HEIGHT, WIDTH, seed=frame))


def read_video(path: Path) -> tuple[list[np.ndarray], av.VideoStream]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], stream


def psnr(ours: np.ndarray, theirs: np.ndarray) -> float:
    return -10 * np.log10(np.mean((ours / 255.0 - theirs / 255.0) ** 2) + 1e-12)


@pytest.mark.parametrize(("name", "quality"), [("v.mp4", 38), ("v.webm", 36), ("v.gif", 20)])
def test_videos_hold_the_frames_in_order(tmp_path: Path, name: str, quality: float) -> None:
    write(tmp_path / name)
    frames, stream = read_video(tmp_path / name)
    assert len(frames) == 5 and stream.average_rate == 25
    for seed, frame in enumerate(frames):
        assert psnr(frame[:HEIGHT, :WIDTH], picture8(HEIGHT, WIDTH, seed)) > quality
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["v.mp4", "v.webm"])
def test_videos_are_tagged_bt709_with_even_sides(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    with av.open(tmp_path / name) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (context.width, context.height, context.pix_fmt) == (64, 46, "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert (context.color_range, frame.pts) == (1, 0)


def test_fractional_rates_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", fps=24000 / 1001)
    assert read_video(tmp_path / "v.mp4")[1].average_rate == Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001)),
     (23.98, Fraction(24000, 1001)), (59.94, Fraction(60000, 1001)), (25.0, Fraction(25)),
     (12.5, Fraction(25, 2))],
)  # fmt: skip
def test_televisions_rates_are_exact(fps: float, rate: Fraction) -> None:
    assert frame_rate(fps) == rate


def test_mp4_starts_with_its_index(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4")
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_gifs_loop_for_ever_at_the_right_speed(tmp_path: Path) -> None:
    write(tmp_path / "v.gif")
    with Image.open(tmp_path / "v.gif") as image:
        assert image.info["loop"] == 0 and image.info["duration"] == 40
        assert image.n_frames == 5  # type: ignore[attr-defined]


def test_gifs_faster_than_players_allow_keep_their_length(tmp_path: Path) -> None:
    write(tmp_path / "v.gif", fps=100.0)
    with Image.open(tmp_path / "v.gif") as image:
        assert image.info["duration"] == 20
        assert image.n_frames == 3  # type: ignore[attr-defined] # of 5 in 0.05 s


def test_png_frames_hold_the_picture_exactly(tmp_path: Path) -> None:
    write(tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [f"frame_000{i}.png" for i in range(5)]
    for seed in range(5):
        with Image.open(tmp_path / "out" / frame_name(seed, "png")) as image:
            assert image.mode == "RGB"
            assert np.array_equal(np.asarray(image), picture8(HEIGHT, WIDTH, seed))


def test_exr_frames_hold_every_channel(tmp_path: Path) -> None:
    write(tmp_path / "out", image_format="exr")
    frame = rendered_frame(HEIGHT, WIDTH, seed=3)
    with OpenEXR.File(str(tmp_path / "out/frame_0003.exr"), separate_channels=True) as file:
        stored = {name: torch.from_numpy(c.pixels) for name, c in file.channels().items()}
    linear = srgb_to_linear(frame.rgb).half()
    for name, plane in zip("RGB", linear, strict=True):
        assert torch.equal(stored[name], plane)
    assert torch.equal(stored["Z"], frame.depth[0])
    assert torch.equal(stored["backward.u"], frame.motion[0])
    assert torch.equal(stored["backward.v"], -frame.motion[1])
    assert torch.equal(stored["forward.u"], frame.motion[2])
    assert torch.equal(stored["forward.v"], -frame.motion[3])
    assert torch.equal(stored["mask.moving"], frame.moving[0].half())
    assert torch.equal(stored["mask.coverage"], frame.alpha[0].half())
    assert stored["A"].min() == 1


def test_exr_headers_state_rate_colours_and_camera(tmp_path: Path) -> None:
    turn = torch.eye(4, dtype=torch.float64)
    angle = torch.tensor(0.3, dtype=torch.float64)
    turn[0, 0] = turn[2, 2] = angle.cos()
    turn[0, 2], turn[2, 0] = angle.sin(), -angle.sin()
    turn[:3, 3] = torch.tensor([0.1, -0.2, 0.3])
    inside = [[50.0, 0, WIDTH / 2 + 1], [0, 55.0, HEIGHT / 2 - 2], [0, 0, 1]]
    camera = Camera(torch.tensor(inside, dtype=torch.float64), turn, HEIGHT, WIDTH)
    with writer(tmp_path / "out", image_format="exr", fps=29.97, cameras=lambda frame: camera) as w:
        w.write(0, rendered_frame(HEIGHT, WIDTH))
    with OpenEXR.File(str(tmp_path / "out/frame_0000.exr"), header_only=True) as file:
        header = dict(file.header())  # it is emptied when the file is closed
    assert header["framesPerSecond"] == Fraction(30000, 1001)
    assert header["chromaticities"] == pytest.approx((0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127,
                                                      0.329))  # fmt: skip
    assert header["focalLengthPx"] == 50.0
    # a point of ours, and the same with y upwards, as a row
    point = torch.tensor([0.4, 0.7, 5.0, 1.0], dtype=torch.float64)
    row = (point * torch.tensor([1, -1, 1, 1])).numpy()
    seen = turn @ point
    np.testing.assert_allclose(row @ header["worldToCamera"], seen * torch.tensor([1, -1, 1, 1]),
                               rtol=1e-6)  # fmt: skip
    pixel = camera.intrinsics @ seen[:3] / seen[2]
    x, y, z, w_ = row @ header["worldToNDC"]
    assert (x / w_ * WIDTH, y / w_ * HEIGHT) == pytest.approx(
        tuple(pixel[:2].tolist()), abs=1e-3
    )  # the file holds float32
    assert z / w_ == pytest.approx(1 - 1 / float(seen[2]), abs=1e-5)


@pytest.mark.parametrize("image_format", ["png", "exr"])
def test_frames_have_the_same_bytes_every_time(tmp_path: Path, image_format: str) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder, range(2), image_format=image_format)
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("image_format", ["png", "exr"])
def test_resume_writes_only_what_is_missing(tmp_path: Path, image_format: str) -> None:
    write(tmp_path / "whole", image_format=image_format)
    write(tmp_path / "out", range(3), image_format=image_format)
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    with writer(tmp_path / "out", resume=True, image_format=image_format) as out:
        assert [out.needs(frame) for frame in range(5)] == [False] * 3 + [True] * 2
    write(tmp_path / "out", resume=True, image_format=image_format)
    # frames are encoded beside the drawing: maybe none had been begun
    for path in (tmp_path / "out").glob("*"):
        assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes()
        assert path.stat().st_mtime_ns == kept.get(path.name, path.stat().st_mtime_ns)


@pytest.mark.parametrize("image_format", ["png", "exr"])
def test_resume_refuses_frames_of_another_scene(tmp_path: Path, image_format: str) -> None:
    write(tmp_path / "out", range(2), image_format=image_format, fingerprint="scene b")
    with pytest.raises(InputError, match="another scene"):
        writer(tmp_path / "out", image_format=image_format, resume=True)


@pytest.mark.parametrize("image_format", ["png", "exr"])
def test_resume_refuses_files_that_are_not_ours(tmp_path: Path, image_format: str) -> None:
    (tmp_path / f"frame_0000.{image_format}").write_bytes(b"something")
    with pytest.raises(InputError, match="another scene"):
        writer(tmp_path, image_format=image_format, resume=True)


def test_without_resume_frames_are_written_anew(tmp_path: Path) -> None:
    write(tmp_path / "out", range(2), fingerprint="scene b")
    with writer(tmp_path / "out") as out:
        assert out.needs(0)


@pytest.mark.parametrize("name", ["v.mp4", "v.webm", "v.gif"])
def test_an_interrupted_video_leaves_the_old_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / name) as out:
        out.write(0, rendered_frame(HEIGHT, WIDTH))
        raise KeyboardInterrupt
    assert (tmp_path / name).read_text() == "old"
    assert os.listdir(tmp_path) == [name]


def test_interrupted_frames_leave_only_whole_ones(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "out") as out:
        for frame in range(3):
            out.write(frame, rendered_frame(HEIGHT, WIDTH, seed=frame))
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("out/frame_*.png")) and time.monotonic() < deadline:
            time.sleep(0.01)  # frames are written beside the program
        raise KeyboardInterrupt
    written = list((tmp_path / "out").iterdir())
    assert written
    for path in written:
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("v.avi", {}, r"\.mp4, \.webm, \.gif"),
        ("v.mp4", {"resume": True}, "cannot be resumed"),
        ("missing/v.mp4", {}, "does not exist"),
        ("missing/out", {}, "does not exist"),
        ("out", {"image_format": "jpg"}, "png or exr"),
        ("file", {}, "that is a file"),
    ],
)
def test_outputs_that_cannot_be_are_refused_at_once(
    tmp_path: Path, name: str, options: dict[str, object], sentence: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=sentence):
        writer(tmp_path / name, **options)
    assert os.listdir(tmp_path) == ["file"]


def test_a_slash_at_the_end_means_a_folder(tmp_path: Path) -> None:
    with open_frame_writer(
        f"{tmp_path}/take.1/", height=HEIGHT, width=WIDTH, fps=25, fingerprint=""
    ) as out:
        out.write(0, rendered_frame(HEIGHT, WIDTH))
    assert os.listdir(tmp_path / "take.1") == ["frame_0000.png"]


_ON_FULL_DISK = """
import resource, sys
from cine3d_core.errors import InputError
from cine3d_core.files.video.writer import open_frame_writer
from tests.pictures import rendered_frame
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
for name in ("v.mp4", "v.webm", "v.gif", "png", "exr"):
    kind = name if name == "exr" else "png"
    try:
        with open_frame_writer(f"{sys.argv[1]}/{name}", height=90, width=120, fps=25,
                               fingerprint="", image_format=kind) as out:
            for frame in range(30):
                out.write(frame, rendered_frame(90, 120, seed=frame))
    except InputError as error:
        print(error)
"""


def test_a_full_disk_is_told_and_leaves_no_half_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ON_FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    sentences = done.stdout.splitlines()
    assert len(sentences) == 5 and all(s.startswith("cannot write") for s in sentences), sentences
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


_FOR_EVER = """
import sys
from cine3d_core.files.video.writer import open_frame_writer
from tests.pictures import rendered_frame
with open_frame_writer(sys.argv[1], height=45, width=63, fps=25, fingerprint="scene a") as out:
    for frame in range(100_000):
        out.write(frame, rendered_frame(45, 63, seed=frame))
"""


def test_a_killed_sequence_is_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _FOR_EVER, str(tmp_path / "out")]) as process:
        while not (tmp_path / "out" / "frame_0005.png").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    kept = len(list((tmp_path / "out").glob("frame_*.png")))
    write(tmp_path / "out", range(kept + 3), resume=True)
    write(tmp_path / "whole", range(kept + 3))
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
