from dataclasses import replace

import torch

from cine3d_core.cameras import move_camera
from cine3d_core.render.animation import (
    AnimationParams,
    Shot,
    cycle_phase,
    prepare,
    splat_directions,
)
from cine3d_core.render.blend import (
    BlendParams,
    blend_directions,
    blend_share,
    splat_channels,
)
from cine3d_core.render.contrast import restore_contrast
from cine3d_core.render.fragments import PAPER_SPLAT
from cine3d_core.scene import CinemagraphScene, SplatImage
from tests.river import HEIGHT, WIDTH, river_motion, river_scene, texture

CHANNELS = splat_channels(0)


def still(scene: CinemagraphScene) -> Shot:
    return Shot(scene.camera, scene.camera, scene.camera)


def blended(scene: CinemagraphScene, frame: int, params: AnimationParams) -> SplatImage:
    pair = splat_directions(prepare(scene), still(scene), frame, params)
    return blend_directions(
        *pair,
        CHANNELS,
        loop_phase=frame / scene.num_frames,
        disparity_range=scene.disparity_range,
        params=params.blend,
    )


def test_the_first_frame_at_the_source_camera_is_the_photo():
    image = blended(river_scene(), 0, AnimationParams())
    photo = texture(HEIGHT, WIDTH, seed=3)
    torch.testing.assert_close(image.features[CHANNELS.rgb], photo, atol=2e-3, rtol=0)
    assert float(image.alpha.min()) > 0.999


def test_resting_parts_keep_every_bit_at_every_frame():
    scene = river_scene()
    static = ~river_motion().moving[0]
    static &= torch.nn.functional.avg_pool2d(static.float()[None], 9, 1, 4)[0] == 1
    first = blended(scene, 0, AnimationParams())
    for frame in (3, 7):
        now = blended(scene, frame, AnimationParams())
        difference = (now.features - first.features)[CHANNELS.rgb][:, static]
        assert float(difference.abs().max()) < 1e-6


def test_water_moves_by_its_velocity():
    scene = river_scene(velocity=(1.0, 0.0))
    pair = splat_directions(prepare(scene), still(scene), 2, AnimationParams())
    photo = texture(HEIGHT, WIDTH, seed=3)
    rows, columns = slice(40, 46), slice(45, 60)
    moved = pair[0].features[CHANNELS.rgb][:, rows, columns]
    torch.testing.assert_close(moved, photo[:, rows, 43:58], atol=0.02, rtol=0)


def test_negated_velocity_and_mirrored_time_give_the_same_frame():
    for params in (AnimationParams(), AnimationParams(blend=BlendParams("eq4"), lift="source")):
        there = blended(river_scene(velocity=(0.4, 0.1)), 3, params)
        back = blended(river_scene(velocity=(-0.4, -0.1)), 9, params)
        torch.testing.assert_close(
            there.features[CHANNELS.rgb], back.features[CHANNELS.rgb], atol=1e-5, rtol=0
        )


def test_cycles_divide_the_loop_and_shorten_the_way():
    assert [cycle_phase(frame, 12, 3) for frame in (0, 2, 4, 11)] == [0.0, 0.5, 0.0, 0.75]
    once, thrice = river_scene(velocity=(1.0, 0.0)), river_scene(velocity=(1.0, 0.0), cycles=3)
    assert prepare(once).groups[0].forward.num_steps > prepare(thrice).groups[0].forward.num_steps
    start = blended(thrice, 0, AnimationParams()).features[CHANNELS.rgb]
    after_one_cycle = blended(thrice, 4, AnimationParams()).features[CHANNELS.rgb]
    torch.testing.assert_close(start, after_one_cycle, atol=1e-5, rtol=0)


def test_flowing_points_stay_on_the_water():
    scene = river_scene(velocity=(0.0, 0.6))
    for lift, largest in (("surface", 0.02), ("source", None)):
        params = AnimationParams(lift=lift)
        forward, _ = splat_directions(prepare(scene), still(scene), 8, params)
        rest, _ = splat_directions(prepare(scene), still(scene), 0, params)
        off = (forward.disparity / rest.disparity - 1)[0, 34:46, 40:70].abs()
        if largest is None:
            assert float(off.median()) > 0.02
        else:
            assert float(off.median()) < largest


def test_motion_vectors_follow_flow_and_camera():
    scene = river_scene(velocity=(1.0, 0.0))
    camera = [move_camera(scene.camera, "published-side", frame, 12) for frame in (4, 5, 6)]
    shot = Shot(camera[1], previous=camera[0], next=camera[2])
    forward, _ = splat_directions(prepare(scene), shot, 5, AnimationParams(), motion_vectors=True)
    motion = forward.features[CHANNELS.motion]
    hill_shift = float(-(0.18 / 11) * scene.camera.intrinsics[0, 0] / 8)
    torch.testing.assert_close(motion[2, :20].median(), torch.tensor(hill_shift), atol=0.02, rtol=0)
    # Either way 1 px of flow, and the camera's own move, which water at depth 2.2 feels more.
    camera_shift = hill_shift * 8 / float(1 / forward.disparity[0, 44, 50])
    assert abs(float(motion[2, 44, 50]) - (1 + camera_shift)) < 0.05
    assert abs(float(motion[0, 44, 50]) + (1 + camera_shift)) < 0.05


def test_one_cloud_fills_the_others_gaps():
    params = AnimationParams()
    features = torch.rand(6, 4, 4, generator=torch.Generator().manual_seed(1))
    features[CHANNELS.phase] = 0.5
    whole = SplatImage(features, torch.ones(1, 4, 4), torch.full((1, 4, 4), 0.5))
    gaps = replace(whole, alpha=torch.zeros(1, 4, 4), features=torch.zeros(6, 4, 4))
    for pair in ((whole, gaps), (gaps, whole)):
        image = blend_directions(
            *pair, CHANNELS, loop_phase=0.5, disparity_range=(0.1, 1.0), params=params.blend
        )
        torch.testing.assert_close(image.features[CHANNELS.rgb], features[CHANNELS.rgb])
        assert float(image.alpha.min()) == 1


def noise_texture(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, 128, 128, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)[0].repeat(3, 1, 1)
    return 0.5 + (smooth - smooth.mean()) * 1.5


def variance_of(texture: torch.Tensor) -> torch.Tensor:
    """What points of a picture [3, H, W] of one texture bring along: [1, H, W]."""
    return torch.full_like(texture[:1], float(texture.mean(dim=0).var()))


def test_contrast_lost_by_mixing_unrelated_textures_comes_back():
    a, b = noise_texture(1), noise_texture(2)
    share = torch.full((1, 128, 128), 0.5)
    mixed = torch.lerp(a, b, share)
    ones = torch.ones_like(share)
    restored = restore_contrast(mixed, variance_of(a), share, ones, step=4)
    assert float(mixed.std() / a.std()) < 0.75
    assert 0.95 < float(restored.std() / a.std()) < 1.05


def test_contrast_lost_between_pixels_comes_back():
    a = noise_texture(3)
    between = (a + a.roll((1, 1), dims=(1, 2))) / 2
    share = torch.full((1, 128, 128), 0.3)
    ones = torch.ones_like(share)
    restored = restore_contrast(between, variance_of(a), share, ones, step=4)
    assert float(between.std() / a.std()) < 0.9
    assert 0.95 < float(restored.std() / a.std()) < 1.05


def test_nothing_changes_where_nothing_moves_or_only_one_cloud_is_shown():
    a = noise_texture(4)
    share, moving = torch.full((1, 128, 128), 0.3), torch.ones(1, 128, 128)
    share[..., :32], share[..., 32:64], moving[..., 64:96] = 0, 1, 0
    texture = 9 * variance_of(a) * moving
    restored = restore_contrast(a, texture, share, moving, step=4)
    assert torch.equal(restored[..., :96], a[..., :96])
    assert not torch.equal(restored[..., 96:], a[..., 96:])


def test_a_bank_beside_the_water_is_not_its_texture():
    picture = torch.full((3, 60, 60), 0.5)
    picture[..., 40:] = 0.9
    share, moving = torch.full((1, 60, 60), 0.5), torch.ones(1, 60, 60)
    moving[..., 40:] = 0
    texture = 0.001 * moving
    restored = restore_contrast(picture, texture, share, moving, step=2)
    torch.testing.assert_close(restored, picture, atol=1e-6, rtol=0)


def test_the_style_of_the_paper_runs_through_the_same_code():
    scene = river_scene(velocity=(0.3, 0.6))
    params = AnimationParams(splat=PAPER_SPLAT, lift="source", blend=BlendParams("eq4"))
    image = blended(scene, 5, params)
    assert float(image.alpha[:, 2:-2, 2:-2].min()) > 0.9
    for name in ("splat", "lift", "blend"):  # each of its parts has a say
        own = replace(params, **{name: getattr(AnimationParams(), name)})
        assert not torch.equal(blended(scene, 5, own).features, image.features), name


def test_the_compiled_shares_equal_their_torch_twin():
    scene = river_scene(velocity=(1.5, 0.3))
    pair = splat_directions(prepare(scene), still(scene), 5, AnimationParams())
    for params in (BlendParams("linear"), BlendParams("eq4")):
        image = blend_directions(
            *pair,
            CHANNELS,
            loop_phase=5 / 12,
            disparity_range=scene.disparity_range,
            params=params,
        )
        share = blend_share(*pair, CHANNELS, 5 / 12, scene.disparity_range, params)
        wanted = torch.lerp(pair[0].features, pair[1].features, share)
        torch.testing.assert_close(image.features, wanted, atol=1e-5, rtol=0)


def test_what_only_the_cloud_without_weight_shows_is_shown():
    forward, backward = (torch.zeros(CHANNELS.moving + 1, 2, 2) for _ in range(2))
    backward[CHANNELS.rgb] = 0.6
    backward[CHANNELS.moving] = 1.0  # phase 0: a cycle begins
    empty, full = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    pair = SplatImage(forward, empty, empty), SplatImage(backward, full, full * 0.5)
    for weights in ("variance", "linear", "eq4"):
        params = BlendParams(weights)
        args = {"loop_phase": 0.0, "disparity_range": (0.1, 1.0)}
        image = blend_directions(*pair, CHANNELS, **args, params=params)
        assert bool((image.features[CHANNELS.rgb] == 0.6).all())
        assert bool((blend_share(*pair, CHANNELS, *args.values(), params) == 1).all())


def test_a_scene_without_motion_can_be_prepared():
    assert prepare(river_scene(velocity=(0.0, 0.0))).groups == ()


def test_what_is_seen_outweighs_what_was_invented():
    scene = river_scene(velocity=(1.5, 0.0))
    below = scene.cloud.pixel // WIDTH >= 40  # water alone
    invented = below & (scene.cloud.pixel % WIDTH < WIDTH // 2)  # of the forward cloud, at 60
    scene = replace(scene, cloud=replace(scene.cloud, inpainted=invented))
    shares = []
    for weight in (1.0, 0.05):
        params = AnimationParams(invented_weight=weight)
        pair = splat_directions(prepare(scene), still(scene), 6, params)
        args = (CHANNELS, 6 / scene.num_frames, scene.disparity_range, params.blend)
        shares.append(blend_share(*pair, *args)[0, 44])
    # Half a loop of 9 px each way: the forward cloud invents up to 49, the backward up to 31.
    torch.testing.assert_close(shares[0][35:45], torch.full((10,), 0.5), atol=0.05, rtol=0)
    assert float(shares[1][35:45].min()) > 0.9
    torch.testing.assert_close(shares[1][15:28], shares[0][15:28], atol=0.05, rtol=0)
