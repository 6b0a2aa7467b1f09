from dataclasses import replace

import pytest
import torch

from cine3d_core.geometry import pixel_centres
from cine3d_core.render.fragments import (
    EMPTY,
    PAPER_SPLAT,
    Fragments,
    Points,
    SplatParams,
    composite_torch,
    fragment_shares,
    rasterize_torch,
)
from cine3d_core.render.splat import composite, rasterize
from tests.reference.naive_splatter import splat as naive_splat
from tests.tolerances import ABSOLUTE

STYLES = [SplatParams(), PAPER_SPLAT, SplatParams(max_points=3, crack_gain=1.0)]


def random_points(count: int, height: int, width: int, seed: int) -> Points:
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([width, height]) + 4.0
    return Points(
        pixels=torch.rand(count, 2, generator=generator) * size - 2,
        # few different depths, so that ties happen; some points behind the camera
        depth=torch.randint(-1, 6, (count,), generator=generator).float() / 3,
        radius=torch.rand(count, generator=generator) * 2 + 1,
    )


def features_of(points: Points, channels: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.rand(len(points.depth), channels, generator=generator)


@pytest.mark.parametrize("params", STYLES)
def test_kernel_and_torch_find_the_same_fragments(params: SplatParams):
    points = random_points(400, 12, 17, seed=1)
    fast = rasterize(points, 12, 17, params=params)
    slow = rasterize_torch(points, 12, 17, params=params)
    assert torch.equal(fast.index, slow.index)
    assert torch.equal(fast.depth, slow.depth)
    torch.testing.assert_close(fast.weight, slow.weight, atol=1e-6, rtol=0)


@pytest.mark.parametrize("params", STYLES)
def test_the_splat_equals_its_naive_twin(params: SplatParams):
    points = random_points(150, 9, 11, seed=2)
    features = features_of(points)
    image, alpha = composite(rasterize(points, 9, 11, params=params), features, params)
    truth, truth_alpha = naive_splat(points, features, 9, 11, params)
    torch.testing.assert_close(image, truth, atol=ABSOLUTE[torch.float32], rtol=0)
    torch.testing.assert_close(alpha, truth_alpha, atol=ABSOLUTE[torch.float32], rtol=0)


@pytest.mark.parametrize("params", STYLES)
def test_gradients_of_the_features_equal_the_naive_twins(params: SplatParams):
    points = random_points(80, 6, 7, seed=3)
    weights = torch.rand(4, 6, 7, generator=torch.Generator().manual_seed(4))
    gradients = []
    for splat in ("fast", "naive"):
        features = features_of(points).requires_grad_()
        if splat == "fast":
            image, _ = composite(rasterize(points, 6, 7, params=params), features, params)
        else:
            image, _ = naive_splat(points, features, 6, 7, params)
        (image * weights).sum().backward()
        gradients.append(features.grad)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("params", STYLES)
def test_compiled_and_torch_compositing_agree(params: SplatParams):
    points = random_points(400, 12, 17, seed=5)
    fragments = rasterize(points, 12, 17, params=params)
    features = features_of(points)
    for fast, slow in zip(
        composite(fragments, features, params),
        composite_torch(fragments, features, params),
        strict=True,
    ):
        torch.testing.assert_close(fast, slow, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rasterizer", [rasterize, rasterize_torch])
def test_drawing_in_two_goes_is_drawing_at_once(rasterizer):
    points = random_points(300, 10, 10, seed=6)
    parts = [
        Points(points.pixels[rows], points.depth[rows], points.radius[rows])
        for rows in (slice(0, 120), slice(120, 300))
    ]
    base = rasterizer(parts[0], 10, 10, params=SplatParams())
    before = base.index.clone()
    both = rasterizer(parts[1], 10, 10, params=SplatParams(), base=base)
    whole = rasterizer(points, 10, 10, params=SplatParams())
    assert torch.equal(both.index, whole.index)
    assert torch.equal(both.weight, whole.weight)
    assert both.drawn == whole.drawn == 300
    assert torch.equal(base.index, before)


def test_the_number_of_threads_does_not_change_a_bit():
    points = random_points(500, 21, 13, seed=7)
    threads = torch.get_num_threads()
    images = []
    for count in (1, 3):
        torch.set_num_threads(count)
        images.append(rasterize(points, 21, 13, params=SplatParams()).index)
    torch.set_num_threads(threads)
    assert torch.equal(images[0], images[1])


def test_an_unmoved_grid_of_points_is_the_picture_itself():
    picture = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(8))
    pixels = pixel_centres(8, 12, like=picture)
    points = Points(pixels, torch.full((96,), 2.0), torch.ones(96))
    fragments = rasterize(points, 8, 12, params=SplatParams())
    image, alpha = composite(fragments, picture.reshape(3, -1).T.contiguous(), SplatParams())
    assert torch.equal(image, picture)
    assert bool((alpha == 1).all())


def test_an_evenly_sampled_surface_lets_nothing_through_at_any_offset_and_magnification():
    red, blue = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    for offset, magnification in ((0.3, 1.0), (0.77, 1.0), (0.1, 1.5), (0.5, 2.2)):
        grid = (pixel_centres(12, 12, like=red) + offset) * magnification - 2
        front = Points(grid, torch.full((144,), 1.0), torch.full((144,), magnification))
        back = Points(grid, torch.full((144,), 2.0), torch.full((144,), magnification))
        params = replace(SplatParams(), crack_gain=1.0)
        base = rasterize(front, 8, 8, params=params)
        fragments = rasterize(back, 8, 8, params=params, base=base)
        features = torch.cat([red.repeat(144, 1), blue.repeat(144, 1)])
        image, _ = composite(fragments, features, params)
        inside = image[:, 2:-2, 2:-2]
        assert float(inside[1].max()) < 0.02, (offset, magnification)


def test_shares_never_sum_to_more_than_one():
    for params in STYLES:
        fragments = rasterize(random_points(600, 8, 8, seed=10), 8, 8, params=params)
        shares = fragment_shares(fragments, params)
        assert float(shares.sum(dim=-1).max()) <= 1 + 1e-6
        assert float(shares.min()) >= 0


def test_nothing_drawn_leaves_an_empty_picture():
    none = Points(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))
    fragments: Fragments = rasterize(none, 4, 5, params=SplatParams())
    image, alpha = composite(fragments, torch.zeros(0, 3), SplatParams())
    assert bool((fragments.index == EMPTY).all())
    assert float(image.abs().sum() + alpha.sum()) == 0
