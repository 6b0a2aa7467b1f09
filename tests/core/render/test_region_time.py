"""A drawn region can show another frame of the loop than the rest of the photo."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cine3d_core.files.scene.scene_file import load_scene, save_scene
from cine3d_core.motion.direct import direct_regions
from cine3d_core.motion.flow import MotionParams
from cine3d_core.output.clip import cloud_at
from cine3d_core.output.viewport_points import viewport_points
from cine3d_core.render.animation import Shot, prepare
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import (
    CinemagraphScene,
    DepthMap,
    Drawing,
    MotionHint,
    MotionRegion,
    RenderedFrame,
)
from tests.river import HEIGHT, WIDTH, river_depth, river_motion, river_scene, texture

HALF = WIDTH * 5 // 8  # right of the post
REACH = 14  # px that what flows goes, and that the contrast of a cross-fade looks around it


def two_regions() -> Tensor:
    """Region 1 on the left, 2 on the right: [1, H, W]."""
    region = torch.ones(1, HEIGHT, WIDTH, dtype=torch.uint8)
    region[..., HALF:] = 2
    return region


@pytest.fixture(scope="module")
def scene() -> CinemagraphScene:
    return river_scene(velocity=(0.2, 0.0), region=two_regions())


def drawn(scene: CinemagraphScene, frame: float, times: dict[int, float]) -> RenderedFrame:
    shot = Shot(scene.camera, scene.camera, scene.camera, times)
    return render_frame(prepare(scene), shot, frame, motion_vectors=True)


def test_a_region_shows_its_own_frame_and_the_rest_the_photos(scene: CinemagraphScene):
    mixed, here, there = (drawn(scene, *at) for at in ((3, {2: 8.5}), (3, {}), (8.5, {})))
    left, right = slice(0, HALF - REACH), slice(HALF + REACH, WIDTH)
    torch.testing.assert_close(mixed.rgb[..., left], here.rgb[..., left], atol=1e-5, rtol=0)
    torch.testing.assert_close(mixed.rgb[..., right], there.rgb[..., right], atol=1e-5, rtol=0)
    moving = river_motion().moving[..., right].expand(3, -1, -1)
    assert float((mixed.rgb - here.rgb)[..., right][moving].abs().max()) > 0.05


def test_all_regions_at_one_time_are_the_photo_at_that_time(scene: CinemagraphScene):
    mixed, whole = drawn(scene, 2, {1: 7.0, 2: 7.0}), drawn(scene, 7, {})
    torch.testing.assert_close(mixed.rgb, whole.rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(mixed.motion, whole.motion, atol=1e-4, rtol=0)
    for frame in (-5.0, 19.0):  # a time outside the loop goes on in it
        assert torch.equal(drawn(scene, 2, {1: frame, 2: frame}).rgb, mixed.rgb)


def test_the_points_of_a_region_are_at_its_own_frame(scene: CinemagraphScene):
    prepared = prepare(scene)
    mixed = cloud_at(prepared, 3, {2: 8})
    here, there = (cloud_at(prepared, frame) for frame in (3, 8))
    own = torch.isin(
        torch.arange(len(scene.cloud.positions)),
        torch.cat([group.index for group in prepared.groups if group.region == 2]),
    ).numpy()
    assert own.any() and not own.all()
    assert (mixed["x"][own] == there["x"][own]).all() and (mixed["x"] != here["x"]).any()
    assert (mixed["x"][~own] == here["x"][~own]).all()
    kinds = [(points.region, points.cycles) for points in viewport_points(prepared)]
    assert kinds == [(0, 0), (1, 1), (2, 1)]


def test_a_file_and_a_smaller_scene_keep_the_regions(scene: CinemagraphScene, tmp_path: Path):
    save_scene(scene, tmp_path / "a.cine3d")
    kept = load_scene(tmp_path / "a.cine3d").region
    assert kept is not None and scene.region is not None and torch.equal(kept, scene.region)
    smaller = smaller_scene(scene, 2).region
    assert smaller is not None and set(smaller.unique().tolist()) == {0, 1, 2}
    save_scene(river_scene(), tmp_path / "b.cine3d")
    assert load_scene(tmp_path / "b.cine3d").region is None


def test_what_moves_knows_the_region_that_was_drawn():
    def box(left: int, right: int) -> tuple[tuple[float, float], ...]:
        return ((left, 26.0), (right, 26.0), (right, 46.0), (left, 46.0))

    arrow = MotionHint((40.0, 36.0), (50.0, 36.0))
    regions = (
        MotionRegion(polygons=(box(32, 52),), hints=(arrow,)),
        MotionRegion(polygons=(box(56, 76),), mode="sway"),
        MotionRegion(polygons=(box(60, 64),), rests=True),
    )
    rgb, depth = texture(HEIGHT, WIDTH, seed=3), river_depth()
    depth = DepthMap(depth, torch.zeros_like(depth, dtype=torch.bool))
    motion = direct_regions(rgb, depth, Drawing(regions=regions), MotionParams()).motion
    assert motion.region is not None
    assert set(motion.region[motion.moving].tolist()) == {1}
    assert set(motion.region[motion.swinging].tolist()) == {2}
    assert direct_regions(rgb, depth, Drawing(), MotionParams()).motion.region is None
