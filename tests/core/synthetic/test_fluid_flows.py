"""Synthetic flows: physics, perspective, pictures."""

import numpy as np
import pytest

from cine3d_core.errors import InputError
from cine3d_core.synthetic.flow_pictures import PhotoBank, make_scene, read_photos
from cine3d_core.synthetic.flow_rivers import speeds_along
from cine3d_core.synthetic.flow_solver import channel_flow
from cine3d_core.synthetic.flow_stirred import random_current
from cine3d_core.synthetic.flow_test import HELD_OUT_FAMILIES, viscous_flow
from cine3d_core.synthetic.flow_validation import VALIDATION_FAMILIES
from cine3d_core.synthetic.flows import Plane, Size, draw_surfaces, sky
from cine3d_core.training.motion.shards import TRAINING_FAMILIES

FAMILY_SETS = (TRAINING_FAMILIES, VALIDATION_FAMILIES, HELD_OUT_FAMILIES)
SIZE = Size(48, 64)


def noise_bank() -> PhotoBank:
    photo = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return PhotoBank((photo,), skies=(0,), waters=())


def rock_channel(bank_layer: float):
    y, x = np.mgrid[-1:1:64j, 0:4:128j]
    low, high = np.full(128, -0.8), np.full(128, 0.8)
    return channel_flow(low, high, (x - 2) ** 2 + y**2 < 0.09, length=4.0, bank_layer=bank_layer)


def test_as_much_water_passes_beside_a_rock_as_before_it():
    channel = rock_channel(bank_layer=1e-6)
    flux = channel.velocity[..., 0].sum(0)
    assert flux[64] == pytest.approx(flux[0], rel=0.05)
    assert channel.velocity[32, 40, 0] < channel.velocity[10, 64, 0]  # faster beside the rock


def test_banks_slow_the_water():
    fast, slow = rock_channel(1e-6), rock_channel(0.2)
    edge = np.nonzero(fast.water[:, 0])[0][1]
    assert slow.velocity[edge, 0, 0] < 0.5 * fast.velocity[edge, 0, 0]


def test_a_round_profile_is_slow_at_the_sides_and_keeps_the_flux():
    low, high, dry = np.full(64, -0.8), np.full(64, 0.8), np.zeros((64, 64), bool)
    even, round_ = (
        channel_flow(low, high, dry, length=2.0, bank_layer=1e-6, roundness=amount).velocity[..., 0]
        for amount in (0.0, 1.0)
    )
    assert round_[10, 0] < 0.5 * even[10, 0] and round_[32, 0] > 1.3 * even[32, 0]
    assert round_.sum() == pytest.approx(even.sum(), rel=0.02)


def test_a_random_current_has_no_sources_and_unit_speed():
    current = random_current(np.random.default_rng(3), longest=50.0, octaves=2.0)
    y, x = np.mgrid[:400, :400] + 0.5
    (u_left, _), (u_right, _) = current(x - 0.01, y), current(x + 0.01, y)
    (_, v_low), (_, v_high) = current(x, y - 0.01), current(x, y + 0.01)
    divergence = (u_right - u_left + v_high - v_low) / 0.02
    assert np.abs(divergence).max() < 1e-6
    u, v = current(x, y)
    assert np.sqrt((u * u + v * v).mean()) == pytest.approx(1, rel=0.2)


def test_rapids_are_slower_on_level_stretches():
    steep = np.repeat([1.0, 0.0, 1.0], 50)
    speed = speeds_along(steep, gain=5.0, reach=0.1)
    assert speed[99] < 0.5 * speed[49] and speed[149] > 2 * speed[99]


@pytest.mark.parametrize("turned", [False, True])
def test_flow_on_a_plane_is_the_motion_of_its_projected_points(turned: bool):
    plane = Plane(horizon=30.0, centre=33.0, focal=50.0, turned=turned)
    x, y = np.array([[10.0, 50.0]]), np.array([[20.0, 5.0]] if turned else [[35.0, 60.0]])
    right, forward = plane.world(x, y)
    step = 1e-6
    moved_x, moved_z = right + 0.3 * step, forward - 0.8 * step
    image_x = plane.centre + plane.focal * moved_x / moved_z
    image_y = plane.horizon + (-1 if turned else 1) * plane.focal / moved_z
    moved = np.stack([image_x - x, image_y - y], -1) / step
    np.testing.assert_allclose(plane.flow(x, y, 0.3, -0.8), moved, rtol=1e-4)


def test_viscous_flow_keeps_its_flux_and_rests_on_walls():
    water = np.zeros((16, 30), bool)
    water[2:-2] = True
    water[6:10, 12:16] = False
    flow = viscous_flow(water, friction=0.02)
    flux = flow[..., 0].sum(0)
    np.testing.assert_allclose(flux[2:-2], flux[2], rtol=1e-2)
    assert (flow[~water] == 0).all()
    assert flow[2, 4, 0] < 0.7 * flow[8, 4, 0]  # slow beside the bank


@pytest.mark.parametrize("families", FAMILY_SETS)
def test_a_seed_gives_the_same_picture_again(families):
    def draw():
        rng = np.random.default_rng(5)
        return make_scene(rng, SIZE, draw_surfaces(rng, SIZE, families, sky), noise_bank())

    first, second = draw(), draw()
    for name in ("rgb", "kind", "flow", "nearness"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("families", FAMILY_SETS)
def test_nothing_flows_where_nothing_is_fluid(families):
    for seed in range(4):
        rng = np.random.default_rng([7, seed])
        scene = make_scene(rng, SIZE, draw_surfaces(rng, SIZE, families, sky), noise_bank())
        assert np.isfinite(scene.flow).all()
        assert (scene.flow[scene.kind == 0] == 0).all()
        assert scene.flow[scene.kind > 0].any(-1).mean() > 0.9


def test_training_validation_and_held_out_flows_share_no_family():
    names = [{family for _, family in families} for families in FAMILY_SETS]
    assert not names[0] & names[1] and not names[0] & names[2] and not names[1] & names[2]


def test_a_folder_without_a_list_of_photographs_is_refused(tmp_path):
    with pytest.raises(InputError, match="photos.csv"):
        read_photos(tmp_path)
