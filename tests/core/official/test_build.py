"""The published pipeline from photo to frame, with rule-filled networks."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from cine3d_core.cameras import move_camera
from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.store import LoadedNetwork, ModelInfo
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.files.scene.scene_file import load_scene, save_scene
from cine3d_core.networks.official import (
    feature_net,
    image_decoder,
    inpainting_nets,
    motion_net,
)
from cine3d_core.official.build import Loop, OfficialParams, build_official, official_decoder
from cine3d_core.official.frame import (
    official_frames,
    prepare_official,
    render_official_frame,
)
from cine3d_core.scene import MotionHint
from tests.golden.filler import filled_state_dict

HEIGHT, WIDTH = 120, 176
CPU = torch.device("cpu")
HINTS = (MotionHint((40.0, 90.0), (80.0, 100.0)),)
NETWORKS = {
    "official-feature": ("feature_net", feature_net.build),
    "official-decoder": ("img_decoder", image_decoder.build),
    "official-motion": ("motion_netG", motion_net.build),
    "official-inpaint-color": ("inpaint_color", lambda: inpainting_nets.build(kind="color")),
    "official-inpaint-depth": ("inpaint_depth", lambda: inpainting_nets.build(kind="depth")),
}


def load(name):
    rule, build = NETWORKS[name]
    network = build()
    network.load_state_dict(filled_state_dict(rule))
    info = ModelInfo(name, name, {}, rule, "", "", Path())
    return LoadedNetwork(network.eval().requires_grad_(False), info)


def networks():
    """The official networks, filled by rule."""
    return Networks(load=load)


@cache
def decoder():
    return official_decoder(CPU, networks())


def photo():
    generator = torch.Generator().manual_seed(5)
    rgb = torch.rand(3, HEIGHT, WIDTH, generator=generator)
    return Photo(rgb, None, None, "0" * 64, HEIGHT, WIDTH)


def moving():
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, 60:] = True
    return mask


@cache
def scene():
    """Two layers: a near square before a ground that slopes away, its lower half moving."""
    inverse = torch.linspace(0.0, 0.5, HEIGHT)[:, None].expand(HEIGHT, WIDTH).clone()
    inverse[30:90, 60:120] = 1.0
    loop, params = Loop(num_frames=6, fps=25.0), OfficialParams(flow_scale=0.05)
    return build_official(
        photo(), moving(), HINTS, networks(), inverse_depth=inverse, loop=loop, params=params
    )


@cache
def prepared():
    return prepare_official(scene())


def camera(name="side", frame=20):
    return move_camera(scene().camera, f"published-{name}", frame, 60)


def frame(index, seed=None):
    jittered = replace(prepared(), jitter_seed=seed)
    return render_official_frame(jittered, camera(), index, decoder())


def test_the_loop_closes_at_the_last_frame():
    assert torch.equal(frame(6).rgb, frame(0).rgb)
    assert not torch.equal(frame(3).rgb, frame(0).rgb)


def test_a_saved_scene_gives_the_same_bits(tmp_path):
    save_scene(scene(), tmp_path / "official.cine3d")
    draw = official_frames(load_scene(tmp_path / "official.cine3d"), networks(), CPU)
    assert torch.equal(draw(camera(), 4).rgb, frame(4).rgb)


def test_the_scene_records_its_networks_and_choices():
    assert set(scene().models) == set(NETWORKS) - {"official-decoder"}
    assert scene().parameters["official"]["hint_seed"] is None


def test_points_at_rest_project_to_their_own_pixels():
    cloud, canvas = scene().cloud, scene().canvas_camera
    homogeneous = cloud.positions.double() @ canvas.intrinsics.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    own = torch.stack((cloud.pixel % WIDTH, cloud.pixel // WIDTH), 1) + 0.5
    # a point that would lie before a nearer layer stands behind that layer's same pixel
    assert_close(pixels, own.double(), rtol=0, atol=1e-3)


def test_radius_jitter_is_off_unless_seeded_and_then_repeatable():
    # of this frame, seed 0 belongs to the 60 % that are left alone and seed 11 to the others
    still, jittered = frame(2), frame(2, seed=11)
    assert torch.equal(frame(2, seed=0).rgb, still.rgb)
    assert not torch.equal(jittered.alpha, still.alpha)
    assert torch.equal(frame(2, seed=11).rgb, jittered.rgb)
    assert_close(jittered.alpha, still.alpha, rtol=0, atol=0.3)


def test_a_scene_of_other_networks_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="--models official"):
        prepare_official(replace(scene(), parameters={"preset": "paper"}))


def test_a_photo_without_hints_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="draw an arrow"):
        build_official(photo(), moving(), (), networks(), inverse_depth=torch.rand(HEIGHT, WIDTH))
