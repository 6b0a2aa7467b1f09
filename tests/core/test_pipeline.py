"""From a photo to frames through the library, on the sample photo at a small size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from cine3d_core.cameras import move_camera
from cine3d_core.errors import InputError
from cine3d_core.families import build_scene
from cine3d_core.files.drawing.hints import read_directions
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.output.clip import open_camera_path, shot_of
from cine3d_core.render.animation import PreparedScene, Shot, prepare
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import Camera, CinemagraphScene, RenderedFrame
from cine3d_core.settings import BuildSettings
from tests.command_line import HINTS, PHOTO, SIZE, psnr

ORIENTATION = 0x0112  # EXIF tag


@pytest.fixture(scope="module")
def prepared(sample_scene: Path) -> PreparedScene:
    return prepare(load_scene(sample_scene))


def drawn(prepared: PreparedScene, camera: Camera, frame: int = 0) -> RenderedFrame:
    return render_frame(prepared, Shot(camera, camera, camera), frame)


def quality(scene: CinemagraphScene, photo: Path, size: int) -> float:
    """PSNR of the first frame at the photo's own camera, over the whole picture."""
    frame = drawn(prepare(scene), scene.camera)
    return psnr(frame.rgb.numpy(), read_photo(photo, max_side=size).rgb.numpy())


def same_scene(ours: CinemagraphScene, theirs: CinemagraphScene) -> bool:
    mine, yours = (dataclasses.asdict(s.cloud) for s in (ours, theirs))
    arrays = ("layer_depth", "velocity", "cycles")
    return all(torch.equal(mine[name], yours[name]) for name in mine) and all(
        torch.equal(getattr(ours, name), getattr(theirs, name)) for name in arrays
    )


def small_sample(path: Path, *, width: int = 96, mode: str = "RGB") -> Image.Image:
    """The sample photo at `width` px, saved at `path`."""
    with Image.open(PHOTO) as image:
        small = image.resize((width, round(width * image.height / image.width))).convert(mode)
    small.save(path)
    return small


def ramp_and_mask(folder: Path) -> BuildSettings:
    """Depth from a picture (nearer below) and a mask of the lower half: no network is asked."""
    rows = np.arange(70, dtype=np.uint8)[:, None].repeat(96, 1)
    Image.fromarray(rows * 3).save(folder / "ramp.png")
    Image.fromarray((rows > 40).astype(np.uint8) * 255).save(folder / "mask.png")
    return BuildSettings(
        depth=str(folder / "ramp.png"), mask=folder / "mask.png", frames=4, size=96, device="cpu"
    )


class Cancelled(Exception):
    pass


def test_progress_rises_from_zero_to_one(tmp_path: Path) -> None:
    small_sample(tmp_path / "photo.png")
    told: list[tuple[str, float]] = []
    build_scene(
        tmp_path / "photo.png",
        ramp_and_mask(tmp_path),
        progress=lambda stage, share: told.append((stage, share)),
    )
    shares = [share for _, share in told]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(set(shares))
    assert all(stage for stage, _ in told)


@pytest.mark.parametrize("stage", ["reading the photo", "cutting into layers", "placing points"])
def test_what_the_callback_raises_stops_the_build(tmp_path: Path, stage: str) -> None:
    small_sample(tmp_path / "photo.png")
    settings = ramp_and_mask(tmp_path)
    before = sorted(tmp_path.iterdir())
    told: list[str] = []

    def cancel(now: str, share: float) -> None:
        told.append(now)
        if now == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        build_scene(tmp_path / "photo.png", settings, progress=cancel)
    assert told[-1] == stage
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("two_threads")
def test_the_same_photo_gives_the_same_scene(tmp_path: Path) -> None:
    small_sample(tmp_path / "photo.png")
    settings = ramp_and_mask(tmp_path)
    first, second = (build_scene(tmp_path / "photo.png", settings) for _ in range(2))
    assert same_scene(first, second)


def test_a_scene_says_what_it_was_made_from(prepared: PreparedScene, tmp_path: Path) -> None:
    assert {"see", "motion"} <= set(prepared.scene.models)
    assert prepared.scene.parameters["depth_source"] == "bundled network"
    assert prepared.scene.parameters["assumed"] == []  # arrows and mask were drawn
    small_sample(tmp_path / "photo.png")
    scene = build_scene(tmp_path / "photo.png", ramp_and_mask(tmp_path))
    assert "see" not in scene.models
    assert "ramp.png" in scene.parameters["depth_source"]
    assert (scene.num_frames, scene.fps) == (4, 25.0)


def test_at_the_photos_camera_and_time_zero_the_frame_is_the_photo(
    prepared: PreparedScene,
) -> None:
    assert quality(prepared.scene, PHOTO, SIZE) >= 38


@pytest.mark.parametrize("preset", ["default", "draft"])
def test_at_full_size_too_the_first_frame_is_the_photo(preset: str) -> None:
    settings = BuildSettings(hints=HINTS, preset=preset)  # type: ignore[arg-type]
    size = 1280 if preset == "default" else 640
    assert quality(build_scene(PHOTO, settings), PHOTO, size) >= 38


def test_every_frame_is_finite_covered_and_in_range(prepared: PreparedScene) -> None:
    path = open_camera_path(prepared.scene, "circle", None)
    for index in range(0, 7, 2):
        frame = render_frame(prepared, shot_of(path, index), index, motion_vectors=True)
        for plane in (frame.rgb, frame.alpha, frame.depth, frame.motion, frame.moving):
            assert torch.isfinite(plane).all()
        assert frame.rgb.min() >= 0 and frame.rgb.max() <= 1
        assert (frame.alpha > 0.5).float().mean() > 0.95
        assert frame.depth[frame.alpha > 0.5].min() > 0


@pytest.mark.usefixtures("two_threads")
def test_frames_in_any_order_have_the_same_bits(prepared: PreparedScene) -> None:
    path = open_camera_path(prepared.scene, "circle", None)
    rising = [render_frame(prepared, shot_of(path, i), i).rgb for i in range(4)]
    falling = [render_frame(prepared, shot_of(path, i), i).rgb for i in (3, 2, 1, 0)]
    afresh = render_frame(prepare(prepared.scene), shot_of(path, 2), 2).rgb
    assert all(torch.equal(a, b) for a, b in zip(rising, falling[::-1], strict=True))
    assert torch.equal(rising[2], afresh)


@pytest.mark.usefixtures("two_threads")
def test_the_loop_closes_for_any_camera(prepared: PreparedScene) -> None:
    camera = move_camera(prepared.scene.camera, "published-side", 2, 6)
    first, last = drawn(prepared, camera, 0), drawn(prepared, camera, 6)
    for name in ("rgb", "alpha", "depth", "moving"):
        assert torch.equal(getattr(first, name), getattr(last, name)), name


@pytest.mark.parametrize("preset", ["paper", "draft"])
def test_presets_build_and_draw_the_photo(tmp_path: Path, preset: str) -> None:
    small_sample(tmp_path / "photo.png")
    settings = dataclasses.replace(ramp_and_mask(tmp_path), preset=preset)  # type: ignore[arg-type]
    scene = build_scene(tmp_path / "photo.png", settings)
    assert quality(scene, tmp_path / "photo.png", 96) >= (38 if preset == "draft" else 20)
    ready = prepare(scene)
    assert not torch.equal(drawn(ready, scene.camera, 1).rgb, drawn(ready, scene.camera, 0).rgb)


def test_a_wider_lens_shows_the_photo_smaller(prepared: PreparedScene) -> None:
    camera = prepared.scene.camera
    wide = camera.intrinsics.clone()
    wide[0, 0] *= 0.5
    wide[1, 1] *= 0.5
    frame = drawn(prepared, dataclasses.replace(camera, intrinsics=wide))
    whole = drawn(prepared, camera)
    top, left = round(camera.height / 4), round(camera.width / 4)
    inner = frame.rgb[:, top : top + camera.height // 2, left : left + camera.width // 2]
    small = functional.interpolate(whole.rgb[None], inner.shape[1:], mode="area")[0]
    assert psnr(inner.numpy(), small.numpy()) > 22
    assert frame.alpha[:, 0, 0].item() == 0  # nothing was ever there


@pytest.mark.parametrize(("height", "width"), [(64, 300), (240, 90), (33, 47)])
def test_frames_of_any_shape_are_drawn(prepared: PreparedScene, height: int, width: int) -> None:
    focal = 0.9 * max(height, width)
    intrinsics = torch.tensor(
        [[focal, 0, width * 0.4], [0, focal, height * 0.6], [0, 0, 1]], dtype=torch.float64
    )
    pose = prepared.scene.camera.world_to_camera
    frame = drawn(prepared, Camera(intrinsics, pose, height, width), frame=1)
    assert frame.rgb.shape == (3, height, width) and torch.isfinite(frame.rgb).all()
    assert frame.alpha.mean() > 0.3


def sampled(plane: Tensor, motion: Tensor) -> Tensor:
    """`plane` [C, H, W] read where `motion` [2, H, W] px leads to."""
    height, width = plane.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    to_x, to_y = (x + 0.5 + motion[0]) / width, (y + 0.5 + motion[1]) / height
    grid = torch.stack([to_x, to_y], dim=-1) * 2 - 1
    return functional.grid_sample(plane[None], grid[None], align_corners=False)[0]


@pytest.mark.parametrize("move", ["still", "side", "zoom-in"])
def test_the_way_to_the_next_frame_is_the_way_back(prepared: PreparedScene, move: str) -> None:
    path = open_camera_path(prepared.scene, move, None)
    now, later = (render_frame(prepared, shot_of(path, i), i, motion_vectors=True) for i in (1, 2))
    there, back = now.motion[2:], sampled(later.motion[:2], now.motion[2:])
    inside = slice(12, -12)
    error = (there + back).norm(dim=0)[inside, inside]
    assert error.median() < 0.03 and error.quantile(0.9) < 0.5


def test_resting_surface_has_no_motion_under_a_still_camera(prepared: PreparedScene) -> None:
    path = open_camera_path(prepared.scene, "still", None)
    frame = render_frame(prepared, shot_of(path, 2), 2, motion_vectors=True)
    static = (frame.moving == 0)[0]
    assert static.float().mean() > 0.2
    assert frame.motion[:, static].abs().max() < 1e-4  # px


def test_motion_vectors_follow_the_arrows(prepared: PreparedScene) -> None:
    path = open_camera_path(prepared.scene, "still", None)
    frame = render_frame(prepared, shot_of(path, 0), 0, motion_vectors=True)
    height, width = frame.rgb.shape[1:]
    directions = read_directions(HINTS, height=height, width=width, original_size=(937, 1280))
    angles: list[float] = []
    for hint in directions.hints:
        arrow = torch.tensor(hint.end) - torch.tensor(hint.start)
        x, y = (int(value) for value in hint.start)
        flow = frame.motion[2:, y, x]
        angles.append(float(torch.dot(arrow, flow) / (arrow.norm() * flow.norm() + 1e-9)))
    assert np.median(angles) > 0.9, angles


def test_a_portrait_by_exif_stands_upright(tmp_path: Path) -> None:
    upright = small_sample(tmp_path / "upright.png").transpose(Image.Transpose.ROTATE_90)
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # shown turned by 90 degrees clockwise
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "photo.jpg", exif=exif, quality=100, subsampling=0)
    settings = dataclasses.replace(
        ramp_and_mask(tmp_path), depth=str(tmp_path / "flat.png"), mask=tmp_path / "flat.png"
    )
    Image.new("L", upright.size, 200).save(tmp_path / "flat.png")
    scene = build_scene(tmp_path / "photo.jpg", settings)
    assert (scene.camera.height, scene.camera.width) == (upright.height, upright.width) == (96, 70)
    assert quality(scene, tmp_path / "upright.png", 96) > 35  # JPEG takes some


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "CMYK"])
def test_grey_transparent_and_printed_photos_become_scenes(tmp_path: Path, mode: str) -> None:
    photo = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    image = small_sample(photo, mode=mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save(photo)
    scene = build_scene(photo, ramp_and_mask(tmp_path))
    assert quality(scene, photo, 96) >= 38
    if mode in ("L", "LA"):
        rgb = drawn(prepare(scene), scene.camera, 1).rgb
        assert (rgb.amax(dim=0) - rgb.amin(dim=0)).max() < 1e-3  # grey stays grey


def test_a_depth_picture_of_another_shape_is_refused_before_any_work(tmp_path: Path) -> None:
    small_sample(tmp_path / "photo.png")
    settings = ramp_and_mask(tmp_path)
    Image.new("L", (96, 20), 9).save(tmp_path / "ramp.png")
    with pytest.raises(InputError, match="another shape"):
        build_scene(tmp_path / "photo.png", settings)
