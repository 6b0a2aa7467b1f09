"""Frames of any size are whole where the photo is, and look like the photo brought down."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.output.clip import frame_drawer, open_camera_path, shot_of
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.scene import CinemagraphScene, RenderedFrame
from tests.river import river_scene

CPU = torch.device("cpu")
SHARES = (0.12, 0.25, 0.5, 0.7, 1.0, 2.0)


def drawn(
    scene: CinemagraphScene, move: str, share: float, frame: int, decoder: str = "none"
) -> RenderedFrame:
    path = open_camera_path(scene, move, round(scene.camera.width * share))
    return frame_drawer(scene, CPU, decoder=decoder)(shot_of(path, frame), frame, True)  # type: ignore[arg-type]


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    """PSNR, dB."""
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


@pytest.fixture(scope="module")
def scene(sample_scene: Path) -> CinemagraphScene:
    return load_scene(sample_scene)


@pytest.mark.parametrize("share", SHARES)
def test_at_rest_a_frame_of_any_size_is_whole(scene: CinemagraphScene, share: float) -> None:
    frame = drawn(scene, "still", share, 0)
    assert frame.rgb.shape[2] == round(scene.camera.width * share)
    assert frame.alpha.min() >= 0.99 and frame.depth.min() > 0.5
    for plane in (frame.rgb, frame.motion, frame.moving):
        assert torch.isfinite(plane).all()


@pytest.mark.parametrize("decoder", ["none", "scene"])
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_small_frame_at_rest_is_the_photo_brought_down(
    scene: CinemagraphScene, share: float, decoder: str
) -> None:
    small, whole = (drawn(scene, "still", s, 0, decoder).rgb for s in (share, 1.0))
    wanted = interpolate(whole[None], small.shape[1:], mode="area")[0]
    assert likeness(small, wanted) > 28.5  # 20 when all points were splatted


@pytest.mark.parametrize("share", [0.12, 0.25, 0.5])
def test_a_small_frame_at_rest_shows_nothing_invented(
    scene: CinemagraphScene, share: float
) -> None:
    invented = scene.cloud.inpainted[:, None].float().expand(-1, 3)
    marked = dataclasses.replace(scene, cloud=dataclasses.replace(scene.cloud, rgb=invented))
    whole = drawn(marked, "still", 1.0, 0)
    assert whole.rgb.mean() < 0.01
    assert drawn(marked, "still", share, 0).rgb.mean() < 0.01  # .045 at .25 without care


def test_a_small_frame_of_a_move_shows_what_the_large_one_does(scene: CinemagraphScene) -> None:
    small, whole = (drawn(scene, "slide", s, 5) for s in (0.7, 1.0))
    wanted = interpolate(whole.rgb[None], small.rgb.shape[1:], mode="bilinear", antialias=True)[0]
    assert likeness(small.rgb, wanted) > 30
    known = (small.depth > 0) & (small.alpha > 0.9)
    depth = interpolate(whole.depth[None], small.depth.shape[1:], mode="nearest")[0]
    assert float(((small.depth - depth).abs() / depth)[known].median()) < 0.02
    speeds = [float(f.motion[2].mean()) / f.rgb.shape[2] for f in (small, whole)]
    assert speeds[0] == pytest.approx(speeds[1], rel=0.1)  # shares of the width


def test_blocks_begin_at_the_photos_corner(scene: CinemagraphScene) -> None:
    for factor in (2, 3, 5):
        small = smaller_scene(scene, factor)
        corner = small.canvas_camera.intrinsics[:2, 2] - small.camera.intrinsics[:2, 2]
        np.testing.assert_allclose(corner, corner.round(), atol=1e-9)


def test_no_colour_of_a_bank_goes_with_the_water() -> None:
    scene = river_scene()
    red = torch.tensor([1.0, 0.0, 0.0])
    cloud = scene.cloud
    speed = scene.velocity.abs().sum(dim=1).flatten(1)[cloud.layer.long(), cloud.pixel]
    rgb = torch.where(speed[:, None] > 0, red, red.flip(0))
    small = smaller_scene(dataclasses.replace(scene, cloud=dataclasses.replace(cloud, rgb=rgb)), 4)
    flow = small.velocity.abs().sum(dim=1).flatten(1)[small.cloud.layer.long(), small.cloud.pixel]
    flowing = (flow > 0) & ~small.cloud.inpainted
    pure = (small.cloud.rgb[flowing] == red).all(dim=1)
    assert pure.float().mean() > 0.8  # other blocks hold both on one layer
