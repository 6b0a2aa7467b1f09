from dataclasses import replace

import pytest
import torch

from cine3d_core.render.fragments import PAPER_SPLAT, Points, SplatParams
from cine3d_core.render.splat import (
    CloudAttributes,
    Clouds,
    cloud_attributes,
    composite,
    rasterize,
    splat_clouds,
    splat_clouds_torch,
)
from cine3d_core.scene import SplatImage
from tests.core.render.test_splat import random_points
from tests.reference.naive_splatter import splat as naive_splat

HEIGHT, WIDTH = 11, 23
STYLES = [SplatParams(), PAPER_SPLAT, SplatParams(max_points=3, crack_gain=1.0)]
FIELDS = ("pixels", "depth", "radius")
PHASES = torch.tensor([[0.25, 0.5], [0.75, 0.5]])
NOBODY = torch.zeros(0, dtype=torch.int16)
NOTHING = Points(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))


def drawn(
    draw=splat_clouds,
    *,
    params: SplatParams,
    static: int = 500,
    moving: int = 300,
    vectors: bool = False,
    channels: int = 5,
) -> list[SplatImage]:
    generator = torch.Generator().manual_seed(4)
    own = torch.rand(2, static + moving, 4, generator=generator) if vectors else None
    clouds = Clouds(
        random_points(static, HEIGHT, WIDTH, seed=1),
        random_points(2 * moving, HEIGHT, WIDTH // 2, seed=2),  # none on the right
        some_attributes(static, moving, channels),
        PHASES,
        own,
    )
    return draw(clouds, HEIGHT, WIDTH, params=params)


def some_attributes(static: int, moving: int, channels: int) -> CloudAttributes:
    generator = torch.Generator().manual_seed(3)
    columns = torch.rand(static + moving, channels, generator=generator)
    return cloud_attributes(columns, torch.arange(moving) % 2)


def assert_alike(a: list[SplatImage], b: list[SplatImage], atol: float) -> None:
    for one, other in zip(a, b, strict=True):
        for name in ("features", "alpha", "disparity"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=atol, rtol=0)


@pytest.mark.parametrize("params", STYLES)
@pytest.mark.parametrize("vectors", [False, True])
def test_the_compiled_clouds_equal_their_torch_twin(params: SplatParams, vectors: bool):
    fast = drawn(params=params, vectors=vectors)
    assert_alike(fast, drawn(splat_clouds_torch, params=params, vectors=vectors), atol=2e-6)


@pytest.mark.parametrize("channels", [3, 4, 11])
def test_any_number_of_channels_is_carried(channels: int):
    fast = drawn(params=SplatParams(), channels=channels)
    assert fast[0].features.shape == (channels + 2, HEIGHT, WIDTH)
    slow = drawn(splat_clouds_torch, params=SplatParams(), channels=channels)
    assert_alike(fast, slow, atol=2e-6)


@pytest.mark.parametrize(("static", "moving"), [(0, 40), (200, 0), (0, 0)])
def test_nothing_static_or_nothing_moving_is_drawn_too(static: int, moving: int):
    fast = drawn(params=SplatParams(), static=static, moving=moving)
    slow = drawn(splat_clouds_torch, params=SplatParams(), static=static, moving=moving)
    assert_alike(fast, slow, atol=2e-6)


@pytest.mark.parametrize("params", STYLES)
def test_a_cloud_equals_the_naive_splatter(params: SplatParams):
    rest, moving = random_points(60, 7, 9, seed=5), random_points(40, 7, 9, seed=6)
    attributes = some_attributes(60, 40, 4)
    (image,) = splat_clouds(Clouds(rest, moving, attributes, PHASES[:1]), 7, 9, params=params)
    columns = (torch.cat([getattr(p, n) for p in (rest, moving)]) for n in FIELDS)
    total, alpha = naive_splat(Points(*columns), attributes.rows, 7, 9, params)
    torch.testing.assert_close(image.alpha, alpha, atol=2e-6, rtol=0)
    torch.testing.assert_close(image.features[:4] * alpha, total, atol=5e-6, rtol=0)


def test_neither_threads_nor_clouds_beside_it_change_a_bit_of_a_cloud():
    threads, images = torch.get_num_threads(), []
    for count in (1, 3):
        torch.set_num_threads(count)
        images.append(drawn(params=SplatParams()))
    torch.set_num_threads(threads)
    assert_alike(images[0], images[1], atol=0)


@pytest.mark.parametrize("params", STYLES)
def test_the_twins_gradient_is_the_compiled_clouds_answer_to_a_change(params: SplatParams):
    attributes, generator = some_attributes(50, 30, 3), torch.Generator().manual_seed(9)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        rest, moving = random_points(50, 6, 6, seed=1), random_points(60, 6, 6, seed=2)
        clouds = Clouds(rest, moving, replace(attributes, rows=rows), PHASES)
        images = splat_clouds(clouds, 6, 6, params=params)
        colours = torch.stack([image.features[:3] for image in images])
        return (colours * torch.rand(colours.shape, generator=generator.manual_seed(7))).sum()

    rows = attributes.rows.clone().requires_grad_()
    loss(rows).backward()  # torch operations, since gradients are asked for
    change = torch.rand(attributes.rows.shape, generator=generator)
    assert rows.grad is not None
    # colours are linear in the attributes: the compiled clouds of a change are the change
    torch.testing.assert_close((rows.grad * change).sum(), loss(change), rtol=1e-5, atol=1e-5)


def test_a_picture_higher_than_a_band_has_no_seams():
    points = random_points(4000, 70, 900, seed=8)
    attributes = cloud_attributes(
        torch.rand(4000, 3, generator=torch.Generator().manual_seed(1)), NOBODY
    )
    clouds = Clouds(points, NOTHING, attributes, torch.zeros(1, 1))
    fast = splat_clouds(clouds, 70, 900, params=SplatParams())
    slow = splat_clouds_torch(clouds, 70, 900, params=SplatParams())
    assert_alike(fast, slow, atol=2e-6)


@pytest.mark.parametrize("params", STYLES)
def test_a_cloud_is_its_fragments_added_up_bit_for_bit(params: SplatParams):
    points, attributes = random_points(400, 12, 17, seed=9), some_attributes(400, 0, 5)
    clouds = Clouds(points, NOTHING, attributes, PHASES[:1])
    (image,) = splat_clouds(clouds, 12, 17, params=params)
    fragments = rasterize(points, 12, 17, params=params)
    rows = torch.cat([attributes.rows[:, :5], 1 / points.depth[:, None]], dim=1)
    total, alpha = composite(fragments, rows, params)
    assert torch.equal(image.alpha, alpha)
    average = total * (1 / alpha.clamp(min=1e-6))
    assert torch.equal(image.features[:5], average[:5])
    torch.testing.assert_close(image.disparity, average[5:], atol=1e-6, rtol=1e-6)
