"""The kernels for graphics cards, run by Warp on the CPU, against what they must equal."""

from __future__ import annotations

import pytest
import torch

from cine3d_core.cameras import move_camera
from cine3d_core.geometry import photo_camera
from cine3d_core.imaging import launch
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.motion.euler import displacement_at, displacement_keys
from cine3d_core.render.blend import BlendParams, blend_directions, splat_channels
from cine3d_core.render.fragments import Points, SplatParams, rasterize_torch
from cine3d_core.render.lift import flowed_positions
from cine3d_core.render.place import place_points, screen_motion
from cine3d_core.render.sharpen import restore_detail
from cine3d_core.render.splat import CloudAttributes, Clouds, composite, rasterize, splat_clouds
from cine3d_core.scene import SplatImage
from tests.core.render.test_place import slope
from tests.core.render.test_splat import STYLES, features_of, random_points
from tests.core.render.test_splat_clouds import PHASES, some_attributes
from tests.pretended_card import CARD, pretended_card
from tests.reference.naive_splatter import splat as naive_splat

pytestmark = pytest.mark.skipif(not launch.is_installed(), reason="the extra gpu is not installed")


def there(points: Points) -> Points:
    return Points(points.pixels.to(CARD), points.depth.to(CARD), points.radius.to(CARD))


@pytest.mark.parametrize("params", STYLES)
def test_fragments_are_those_of_the_cpu_bit_for_bit(params: SplatParams):
    points, more = (random_points(400, 12, 17, seed=seed) for seed in (1, 2))
    wanted = rasterize(points, 12, 17, params=params)
    both = rasterize(more, 12, 17, params=params, base=wanted)
    with pretended_card():
        found = rasterize(there(points), 12, 17, params=params)
        added = rasterize(there(more), 12, 17, params=params, base=found)
        for fragments, truth in ((found, wanted), (added, both)):
            for name in ("index", "depth", "weight"):
                assert torch.equal(getattr(fragments, name).cpu(), getattr(truth, name)), name


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("params", STYLES)
def test_values_and_gradients_are_the_naive_twins(params: SplatParams, kernels: bool):
    points = random_points(80, 6, 7, seed=3)
    weights = torch.rand(4, 6, 7, generator=torch.Generator().manual_seed(4))
    truth = features_of(points).requires_grad_()
    wanted, _ = naive_splat(points, truth, 6, 7, params)
    (wanted * weights).sum().backward()
    with pretended_card(kernels=kernels):
        features = features_of(points).to(CARD).requires_grad_()
        image, _ = composite(rasterize(there(points), 6, 7, params=params), features, params)
        (image * weights.to(CARD)).sum().backward()
        assert features.grad is not None and truth.grad is not None
        torch.testing.assert_close(image.detach().cpu(), wanted.detach(), atol=1e-6, rtol=0)
        torch.testing.assert_close(features.grad.cpu(), truth.grad, atol=1e-5, rtol=0)


@pytest.mark.parametrize("params", STYLES)
@pytest.mark.parametrize("vectors", [False, True])
def test_a_pair_of_clouds_is_that_of_the_cpu_bit_for_bit(params: SplatParams, vectors: bool):
    own = torch.rand(2, 800, 4, generator=torch.Generator().manual_seed(5)) if vectors else None
    rest, moving = random_points(500, 11, 23, seed=1), random_points(600, 11, 11, seed=2)
    attributes = some_attributes(500, 300, 5)
    wanted = splat_clouds(Clouds(rest, moving, attributes, PHASES, own), 11, 23, params=params)
    with pretended_card():
        moved = type(attributes)(attributes.rows.to(CARD), 5, attributes.group.to(CARD))
        vectors_there = None if own is None else own.to(CARD)
        clouds = Clouds(there(rest), there(moving), moved, PHASES.to(CARD), vectors_there)
        for _ in range(2):
            found = splat_clouds(clouds, 11, 23, params=params)
            for one, other in zip(found, wanted, strict=True):
                for name in ("features", "alpha", "disparity"):
                    assert torch.equal(getattr(one, name).cpu(), getattr(other, name)), name


def test_nothing_drawn_is_an_empty_picture():
    none = Points(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))
    with pretended_card():
        nobody = torch.zeros(0, dtype=torch.int16, device=CARD)
        attributes = CloudAttributes(torch.zeros(0, 8, device=CARD), 5, nobody)
        clouds = Clouds(there(none), there(none), attributes, PHASES.to(CARD))
        images = splat_clouds(clouds, 4, 5, params=SplatParams())
        assert float(images[1].features.abs().sum() + images[0].alpha.sum()) == 0


def test_points_are_placed_as_on_the_cpu_bit_for_bit():
    positions, neighbours = slope(1.0)
    cameras = [
        move_camera(photo_camera(12, 16), "published-side", frame, 60) for frame in (0, 7, 9)
    ]
    way = {"zoom": 1.1, "params": SplatParams()}
    wanted = place_points(positions, neighbours, cameras[0], **way)
    motion = screen_motion(positions, positions * 1.1, wanted.pixels, *cameras[1:])
    with pretended_card():
        found = place_points(positions.to(CARD), neighbours.to(CARD), cameras[0], **way)
        for name in ("pixels", "depth", "radius"):
            assert torch.equal(getattr(found, name).cpu(), getattr(wanted, name)), name
        later = (positions * 1.1).to(CARD)
        seen = screen_motion(positions.to(CARD), later, found.pixels, *cameras[1:])
        assert torch.equal(seen.cpu(), motion)


@pytest.mark.parametrize("backward", [False, True])
def test_the_flow_carries_points_as_on_the_cpu_bit_for_bit(backward: bool):
    generator = torch.Generator().manual_seed(6)
    start = torch.rand(200, 2, generator=generator) * 9
    velocity = torch.randn(2, 2, 7, 9, generator=generator)
    layer = torch.randint(0, 2, (200,), generator=generator)
    depth = torch.rand(2, 1, 7, 9, generator=generator) + 1
    camera = photo_camera(7, 9)
    keys = displacement_keys(start, velocity, 20, layer=layer, backward=backward, max_keys=3)
    way = displacement_at(keys, 13.25)
    with pretended_card():
        arrays = (tensor.to(CARD) for tensor in (start, velocity, layer))
        start_, velocity_, layer_ = arrays
        keys_ = displacement_keys(
            start_, velocity_, 20, layer=layer_, backward=backward, max_keys=3
        )
        assert torch.equal(keys_.keys.cpu(), keys.keys)
        assert torch.equal(displacement_at(keys_, 13.25).cpu(), way)
        for lift in ("surface", "source"):
            wanted = flowed_positions(start, layer, way, depth, camera, lift=lift)
            found = flowed_positions(
                start_, layer_, way.to(CARD), depth.to(CARD), camera, lift=lift
            )
            assert torch.equal(found.cpu(), wanted)


def pair_of_pictures(height: int, width: int) -> tuple[SplatImage, SplatImage]:
    """Half moving, with holes and a pixel grid."""
    generator = torch.Generator().manual_seed(7)
    pictures = []
    for _ in range(2):
        alpha = (torch.rand(1, height, width, generator=generator) * 1.3).clamp(0, 1)
        features = torch.rand(8, height, width, generator=generator) * (alpha > 0)
        features[3:5] = features[3:5] * 2 - 1
        features[7, :, : width // 2] = 0  # share of what moves
        features[5] *= 0.1 * features[7]  # texture
        features[6] *= features[7]
        pictures.append(SplatImage(features, alpha, torch.rand(1, height, width) * (alpha > 0)))
    return pictures[0], pictures[1]


def moved(image: SplatImage) -> SplatImage:
    return SplatImage(image.features.to(CARD), image.alpha.to(CARD), image.disparity.to(CARD))


@pytest.mark.parametrize("weights", ["variance", "linear", "eq4"])
def test_pictures_are_sharpened_and_mixed_as_on_the_cpu(weights):
    channels = splat_channels(2)
    pair = pair_of_pictures(33, 90)
    way = {"loop_phase": 0.3, "disparity_range": (0.1, 0.9), "params": BlendParams(weights)}
    sharp = [restore_detail(image, channels) for image in pair]
    wanted = blend_directions(*sharp, channels, **way)
    with pretended_card() as waits:
        found = [restore_detail(moved(image), channels) for image in pair]
        for one, other in zip(found, sharp, strict=True):
            torch.testing.assert_close(one.features.cpu(), other.features, atol=2e-7, rtol=0)
        waits.clear()
        mixed = blend_directions(*found, channels, **way)
        assert not waits
        torch.testing.assert_close(mixed.features.cpu(), wanted.features, atol=1e-5, rtol=0)
        torch.testing.assert_close(mixed.alpha.cpu(), wanted.alpha, atol=0, rtol=0)
        torch.testing.assert_close(mixed.disparity.cpu(), wanted.disparity, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (32, 64)])
def test_holes_are_filled_as_on_the_cpu(size: tuple[int, int]):
    generator = torch.Generator().manual_seed(8)
    values = torch.rand(3, *size, generator=generator)
    weights = (torch.rand(1, *size, generator=generator) - 0.6).clamp(0, 1) * 2.5
    wanted = push_pull(values, weights)
    with pretended_card() as waits:
        there = values.to(CARD), weights.to(CARD)
        waits.clear()
        found = push_pull(*there)
        assert not waits
        torch.testing.assert_close(found.cpu(), wanted, atol=1e-6, rtol=0)


def test_torch_sorts_once_and_waits_once():
    points = random_points(400, 12, 17, seed=1)
    with pretended_card(kernels=False) as waits:
        placed = there(points)
        waits.clear()
        rasterize_torch(placed, 12, 17, params=SplatParams())
        assert waits == ["item"]
