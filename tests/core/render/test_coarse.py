"""Scenes with fewer points look like themselves, smaller."""

import math

import pytest
import torch
from torch.nn.functional import avg_pool2d

from cine3d_core.render.animation import Shot, prepare
from cine3d_core.render.coarse import preview_of, smaller_scene
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import CinemagraphScene, RenderedFrame, resized_camera
from tests.river import river_scene


def drawn(scene: CinemagraphScene, shot: Shot, frame: int) -> RenderedFrame:
    return render_frame(prepare(scene), shot, frame)


@pytest.mark.parametrize("frame", [0, 5])
def test_a_smaller_scene_shows_about_the_same(frame: int):
    scene = river_scene()
    camera = resized_camera(scene.camera, scene.camera.height // 2, scene.camera.width // 2)
    shot = Shot(camera, camera, camera)
    full, small = drawn(scene, shot, frame), drawn(smaller_scene(scene, 2), shot, frame)
    # The texture is noise: only its local means survive.
    assert float(avg_pool2d(full.rgb - small.rgb, 4).abs().mean()) < 0.03
    assert float((full.moving - small.moving).abs().mean()) < 0.05
    known = (full.depth > 0) & (small.depth > 0)
    assert float(((full.depth - small.depth).abs() / full.depth)[known].median()) < 0.01


def test_points_and_maps_become_fewer_by_the_square_of_the_factor():
    scene = river_scene()
    small = smaller_scene(scene, 3)
    layers, _, height, width = scene.velocity.shape
    assert small.velocity.shape == (layers, 2, math.ceil(height / 3), math.ceil(width / 3))
    assert len(small.cloud.pixel) < len(scene.cloud.pixel) / 6
    assert int(small.cloud.pixel.max()) < math.ceil(height / 3) * math.ceil(width / 3)
    assert torch.equal(small.cloud.layer.unique(), scene.cloud.layer.unique())


def test_the_loop_of_a_smaller_scene_closes_and_repeats_itself():
    scene = smaller_scene(river_scene(), 2)
    shot = Shot(scene.camera, scene.camera, scene.camera)
    prepared = prepare(scene)
    first = render_frame(prepared, shot, 0).rgb
    assert torch.equal(first, render_frame(prepared, shot, scene.num_frames).rgb)
    assert not torch.equal(first, render_frame(prepared, shot, 5).rgb)


def test_small_scenes_stay_as_they_are():
    scene = river_scene()
    assert preview_of(scene) is scene
    assert smaller_scene(scene, 1) is scene
