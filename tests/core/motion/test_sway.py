import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cine3d_core.cameras import move_camera
from cine3d_core.files.scene.scene_file import load_scene, save_scene
from cine3d_core.motion.sway import HARMONICS, STEEPEST, Sway, sway_at, sway_of_points
from cine3d_core.output.clip import cloud_at
from cine3d_core.output.viewport_points import viewport_points
from cine3d_core.render.animation import AnimationParams, Shot, prepare, splat_directions
from cine3d_core.render.blend import splat_channels
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import CinemagraphScene
from tests.river import HEIGHT, WIDTH, river_depth, river_scene, texture

POST = river_depth()[0] == 1.5  # [H, W]


def bending_post(amplitude: float = 2.0) -> Tensor:  # [3, H, W]
    """The river's post bends sideways, rooted at its bottom."""
    rows = torch.arange(HEIGHT)[:, None].expand(-1, WIDTH)
    way = amplitude * POST * (HEIGHT - 1 - rows) / HEIGHT
    phase = 0.1 * torch.arange(WIDTH).expand(HEIGHT, -1)
    return torch.stack([way, torch.zeros_like(way), phase * POST])


def swaying_river(cycles: int = 1) -> CinemagraphScene:
    return river_scene(cycles=cycles, sway=bending_post())


def still(scene: CinemagraphScene) -> Shot:
    return Shot(scene.camera, scene.camera, scene.camera)


def test_a_sway_is_its_sum_of_harmonics():
    amplitude, phase = torch.tensor([[3.0, -1.0]]), torch.tensor([0.7])

    def wave(angle: Tensor) -> Tensor:
        return sum((c * torch.sin(k * angle + s) for k, c, s in HARMONICS), torch.zeros(1))

    for time in (0.0, 2.5, 7.0):
        expected = amplitude * (wave(phase + math.tau * time / 10) - wave(phase))
        found = sway_at(sway_of_points(amplitude, phase, 10), time)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_amplitude_is_the_way_to_either_side():
    sway = sway_of_points(torch.tensor([[1.0, 0.0]]), torch.zeros(1), 1000)
    way = torch.stack([sway_at(sway, t)[0, 0] for t in range(1000)])
    assert float(way.max() - way.min()) == pytest.approx(2.0, abs=0.01)
    assert float((way[1:] - way[:-1]).abs().max()) * 1000 / math.tau <= STEEPEST


def test_forward_and_backward_are_the_same_motion():
    generator = torch.Generator().manual_seed(5)
    amplitude, phase = torch.rand(50, 2, generator=generator), torch.rand(50, generator=generator)
    forward = sway_of_points(amplitude, phase, 12)
    backward = sway_of_points(amplitude, phase, 12, backward=True)
    assert not sway_at(forward, 0).any() and not sway_at(backward, 12).any()
    for time in (1, 5.5, 11):
        torch.testing.assert_close(sway_at(forward, time), sway_at(backward, 12 - time))


@pytest.mark.parametrize("cycles", [1, 2, 5])
def test_the_loop_closes_to_the_bit_for_any_camera(cycles: int):
    scene = swaying_river(cycles)
    prepared = prepare(scene)
    camera = move_camera(scene.camera, "published-circle", 3, 12)
    shot = Shot(camera, camera, camera)
    first, last = (render_frame(prepared, shot, frame) for frame in (0, scene.num_frames))
    assert torch.equal(first.rgb, last.rgb)
    assert torch.equal(first.depth, last.depth)


def test_the_first_frame_is_the_photo():
    frame = render_frame(prepare(swaying_river()), still(swaying_river()), 0)
    torch.testing.assert_close(frame.rgb, texture(HEIGHT, WIDTH, seed=3), atol=2e-3, rtol=0)


def test_what_sways_stands_at_one_place_in_both_clouds():
    scene = river_scene(velocity=(0.0, 0.0), sway=bending_post())
    pair = splat_directions(prepare(scene), still(scene), 5, AnimationParams())
    colours = [image.features[splat_channels(0).rgb] for image in pair]
    torch.testing.assert_close(*colours, atol=1e-4, rtol=0)


def test_a_bent_post_uncovers_what_is_behind_it_and_leaves_no_hole():
    scene = river_scene(velocity=(0.0, 0.0), sway=bending_post())
    prepared = prepare(scene)
    frames = [render_frame(prepared, still(scene), frame) for frame in range(scene.num_frames)]
    assert min(float(frame.alpha.min()) for frame in frames) > 0.99
    top = torch.stack([frame.depth[0, 20] for frame in frames])  # [T, W] across the post
    assert bool(((top < 2).any(0) & (top > 2).any(0)).any())  # at times the post, at times water
    bottom = torch.stack([frame.depth[0, HEIGHT - 1] for frame in frames])
    assert torch.equal(bottom < 2, (bottom[:1] < 2).expand_as(bottom))  # rooted


def test_bending_keeps_the_depth_of_the_post():
    _, moving = viewport_points(prepare(swaying_river()))  # flow and sway in one entry
    assert len(moving.positions) > 1.2 * int(POST.sum())
    post = moving.positions[:, 2] == 1.5
    keys = moving.forward[:, post]
    assert 0 < post.sum() < len(post)
    assert abs(keys[..., 2]).max() < 1e-6
    assert abs(keys).max() > 0.01
    assert keys[0] == pytest.approx(0, abs=1e-7) and keys[-1] == pytest.approx(0, abs=1e-7)
    np.testing.assert_allclose(keys, moving.backward[::-1, post], atol=1e-6)


def test_motion_vectors_lead_to_the_next_frame():
    scene = river_scene(velocity=(0.0, 0.0), sway=bending_post())
    prepared, frame = prepare(scene), 4
    vectors = render_frame(prepared, still(scene), frame, motion_vectors=True).motion
    group = prepared.groups[0]
    assert isinstance(group.forward, Sway)
    step = sway_at(group.forward, frame + 1) - sway_at(group.forward, frame)
    row = scene.cloud.pixel[group.index] // WIDTH == 30
    expected = float(step[row, 0].mean())  # the post's phases differ little
    assert float(vectors[2, 30, 24]) == pytest.approx(expected, abs=0.2 * abs(expected))
    assert float(vectors[:, :, 60:].abs().max()) < 1e-4


def test_exported_points_sway_too():
    scene = swaying_river()
    first, later = (cloud_at(prepare(scene), frame) for frame in (0, 4))
    post = first["z"] == 1.5
    assert abs(later["x"] - first["x"])[post].max() > 0.01


def test_a_swaying_scene_comes_back_from_its_file(tmp_path: Path):
    scene = swaying_river()
    save_scene(scene, tmp_path / "s.cine3d")
    loaded = load_scene(tmp_path / "s.cine3d")
    assert torch.equal(loaded.in_place["sway"], scene.in_place["sway"])
    save_scene(river_scene(), tmp_path / "still.cine3d")
    assert load_scene(tmp_path / "still.cine3d").in_place == {}
