"""Features on points, the residual decoder, and how a scene is bound to them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.store import save_network
from cine3d_core.networks import decoder, features
from cine3d_core.output.clip import fingerprint, frame_drawer, open_camera_path
from cine3d_core.render import decoder_choice
from cine3d_core.render.animation import Shot, prepare
from cine3d_core.render.blend import splat_channels
from cine3d_core.render.decode import LearnedDecoder, decoder_planes, pass_through
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import CinemagraphScene, SplatImage
from tests.river import river_scene

CPU = torch.device("cpu")


def splat(height: int, width: int, num_features: int = 6, seed: int = 0) -> SplatImage:
    generator = torch.Generator().manual_seed(seed)

    def rand(channels: int) -> torch.Tensor:
        return torch.rand(channels, height, width, generator=generator)

    return SplatImage(rand(3 + num_features + 3), torch.ones(1, height, width), rand(1))


def trained(seed: int = 0, **architecture: int) -> decoder.ResidualDecoder:
    """A decoder whose last layer is no longer zero."""
    torch.manual_seed(seed)
    network = decoder.build(**architecture).eval().requires_grad_(False)
    torch.nn.init.normal_(network.leave.weight, std=0.05)
    return network


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with small untrained features and a decoder that does something."""
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    torch.manual_seed(1)
    parts = (("features", features.build(), {}), ("decoder", trained(), {"features": 6}))
    for name, network, architecture in parts:
        save_network(
            tmp_path / name,
            network,
            kind=name,
            architecture=architecture,
            license="GPL-3.0-or-later",
            description="of a test",
        )
    return tmp_path


# the networks


@pytest.mark.parametrize("size", [(16, 20), (17, 22), (5, 3), (1, 1)])
def test_an_untrained_decoder_passes_the_picture_through(size: tuple[int, int]):
    image, channels = splat(*size), splat_channels(6)
    decode = LearnedDecoder(decoder.build().eval())
    assert torch.equal(decode(image, channels), pass_through(image, channels))


def test_a_cloud_without_features_is_drawn_with_zeros_in_their_place():
    image, channels = splat(12, 16, num_features=0), splat_channels(0)
    planes = decoder_planes(image, channels, 6)
    assert planes.shape == (12, 12, 16)
    assert not planes[6:-2].any()


def test_the_sign_of_the_pixel_grid_does_not_matter():
    network, image = trained(), splat(16, 16)
    planes = decoder_planes(image, splat_channels(6), 6)[None]
    other = planes.clone()
    other[:, -2:] *= -1
    assert torch.equal(network(planes), network(other))


def test_a_gated_decoder_leaves_alone_what_lies_on_pixels():
    network, image = trained(features=2, gated=True), splat(16, 16, num_features=2)
    channels = splat_channels(2)
    image.features[channels.features] = 1
    assert torch.equal(LearnedDecoder(network)(image, channels), pass_through(image, channels))
    image.features[channels.features] = 0
    assert not torch.equal(LearnedDecoder(network)(image, channels), pass_through(image, channels))


def test_far_pixels_do_not_depend_on_each_other():
    network = trained()
    planes = torch.rand(1, 12, 16, 128, generator=torch.Generator().manual_seed(2))
    changed = planes.clone()
    changed[..., :16] = 0
    moved = (network(planes) - network(changed)).abs().amax(dim=(0, 1, 2))
    assert moved[:16].max() > 0
    assert moved[16 + 40 :].max() == 0


def test_the_decoder_costs_less_than_it_may():
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        decoder.build()(torch.empty(1, 12, 720, 1280))
    assert counter.get_total_flops() <= 25e9


def test_features_of_a_point_come_from_its_own_layer_alone():
    cloud = river_scene().cloud
    torch.manual_seed(0)
    network = features.build()
    height, width = river_scene().velocity.shape[-2:]
    before = features.features_of_points(network, cloud, height, width)
    other = cloud.layer != cloud.layer[0]
    recoloured = replace(cloud, rgb=torch.where(other[:, None], 1 - cloud.rgb, cloud.rgb))
    after = features.features_of_points(network, recoloured, height, width)
    assert torch.equal(before[~other], after[~other])


def test_features_do_not_depend_on_where_a_layer_is_cut_out():
    torch.manual_seed(0)
    network = features.build()
    cloud = river_scene().cloud
    height, width = river_scene().velocity.shape[-2:]
    found = features.features_of_points(network, cloud, height, width)
    for layer in torch.unique(cloud.layer).tolist():
        own = cloud.layer == layer
        planes = features.layer_planes(cloud, layer, height, width)
        with torch.no_grad():
            maps = network(planes[None])[0].flatten(1)
        torch.testing.assert_close(found[own], maps[:, cloud.pixel[own]].T, atol=1e-5, rtol=0)


def test_the_pixel_grid_alternates_along_both_axes():
    signs = features.pixel_grid(torch.zeros(1, 1, 3, 4))[0]
    assert signs[0].tolist() == [[1, -1, 1, -1]] * 3
    assert signs[1].tolist() == [[1] * 4, [-1] * 4, [1] * 4]


# scenes


def bound(networks: Networks | None = None) -> CinemagraphScene:
    networks = networks or Networks()
    scene = decoder_choice.with_features(river_scene(), networks, CPU)
    return decoder_choice.with_decoder(scene, networks)


def test_a_scene_is_drawn_by_the_decoder_it_was_built_with(installed: Path):
    scene = bound()
    still = Shot(scene.camera, scene.camera, scene.camera)
    drawn = frame_drawer(scene, CPU)(still, 1, False).rgb
    plain = frame_drawer(scene, CPU, decoder="none")(still, 1, False).rgb
    assert not torch.equal(drawn, plain)
    splat = prepare(decoder_choice.without_features(scene))
    assert torch.equal(plain, render_frame(splat, still, 1).rgb)


def test_the_loop_closes_and_frames_repeat_bit_for_bit(installed: Path):
    scene = bound()
    still = Shot(scene.camera, scene.camera, scene.camera)
    draw = frame_drawer(scene, CPU)
    first = draw(still, 0, False).rgb
    draw(still, 1, False)
    assert torch.equal(first, draw(still, scene.num_frames, False).rgb)
    assert torch.equal(first, frame_drawer(scene, CPU)(still, 0, False).rgb)


def test_another_decoder_than_the_scene_was_built_for_is_refused(installed: Path):
    scene = bound()
    other = replace(scene, models={**scene.models, "decoder": "0" * 64})
    with pytest.raises(InputError, match="--decoder none"):
        frame_drawer(other, CPU)
    frame_drawer(other, CPU, decoder="none")


def test_without_networks_scenes_stay_plain_and_say_so():
    none_here = Networks(listed=list)
    scene = bound(none_here)
    assert scene.cloud.features.shape[1] == 0
    assert decoder_choice.open_decoder(scene, none_here, CPU) is pass_through
    assert "holes are filled" in decoder_choice.describe_decoder(scene)


def test_the_shipped_decoder_gives_the_photo_back_at_rest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CINE3D_MODELS", raising=False)
    scene = bound()
    assert scene.cloud.features.shape[1] == 2
    still = Shot(scene.camera, scene.camera, scene.camera)
    drawn, plain = (frame_drawer(scene, CPU, decoder=d)(still, 0, False) for d in ("scene", "none"))
    assert (drawn.rgb - plain.rgb).abs().max() < 1 / 255


def test_the_choice_of_decoder_is_part_of_what_resuming_compares(installed: Path):
    scene = bound()
    path = open_camera_path(scene, "still", None)
    marks = {fingerprint(scene, "0" * 64, "still", path, decoder=d) for d in ("scene", "none")}
    assert len(marks) == 2
