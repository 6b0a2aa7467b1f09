"""Cracks are closed from around them, and nothing else is."""

import torch

from cine3d_core.render.cracks import (
    close_cracks,
    close_cracks_torch,
    closed_coverage,
    crack_radius,
)
from cine3d_core.scene import SplatImage


def picture_with(alpha: torch.Tensor, seed: int = 0) -> SplatImage:
    """Random planes of what is covered; black where nothing is, as the splatter leaves it."""
    generator = torch.Generator().manual_seed(seed)
    size = alpha.shape[1:]
    planes = torch.rand(6, *size, generator=generator) * (alpha > 0)
    return SplatImage(features=planes[:5], alpha=alpha, disparity=planes[5:])


def with_gap(width: int, cover: float) -> torch.Tensor:
    """A picture of 20 x 30, covered but for columns 12 to 12 + `width`: [1, 20, 30]."""
    alpha = torch.ones(1, 20, 30)
    alpha[:, :, 12 : 12 + width] = cover
    return alpha


def test_gaps_up_to_twice_the_radius_are_closed_and_wider_ones_are_not() -> None:
    for radius in (1, 2, 3):
        whole = closed_coverage(with_gap(2 * radius, 0.0), radius)
        assert torch.equal(whole, torch.ones(1, 20, 30))
        for alpha in (with_gap(2 * radius + 1, 0.0), with_gap(2 * radius + 1, 0.4)):
            assert torch.equal(closed_coverage(alpha, radius), alpha)


def test_a_crack_that_runs_into_the_border_is_closed_and_a_missing_border_is_not() -> None:
    slanting = torch.ones(1, 20, 30)
    slanting[0, torch.arange(20), torch.arange(5, 25)] = 0.2
    assert closed_coverage(slanting, 1).min() == 1
    for side in (0, -1):
        bare = torch.ones(1, 20, 30)
        bare[:, :, side] = 0
        assert torch.equal(closed_coverage(bare, 2), bare)
        bare = torch.ones(1, 20, 30)
        bare[:, side] = 0.4
        assert torch.equal(closed_coverage(bare, 2), bare)


def test_a_stretched_surface_counts_as_covered_but_for_its_rim() -> None:
    thin = torch.zeros(1, 20, 30)
    thin[:, 4:16, 5:25] = 0.6
    closed = closed_coverage(thin, 1)
    assert (closed[:, 5:15, 6:24] == 1).all()
    closed[:, 5:15, 6:24] = 0.6
    assert torch.equal(closed, thin)
    below = torch.full((1, 20, 30), 0.45)
    assert torch.equal(closed_coverage(below, 1), below)


def test_a_crack_within_a_stretched_surface_is_closed_too() -> None:
    thin = torch.full((1, 20, 30), 0.9)
    thin[:, :, 12] = 0.1
    assert (closed_coverage(thin, 1) == 1).all()


def test_a_crack_gets_what_is_around_it_and_the_rest_stays() -> None:
    image = picture_with(with_gap(1, 0.0))
    closed = close_cracks(image)
    beside = image.features[:, 8:11][..., [11, 13]]
    weights = torch.tensor([[1 / 9], [1 / 4], [1 / 9]])  # of distances 1 and the root of 2
    expected = (beside * weights).sum(dim=(1, 2)) / (2 * weights.sum())
    assert torch.allclose(closed.features[:, 9, 12], expected)
    kept = torch.arange(30) != 12
    assert torch.equal(closed.features[..., kept], image.features[..., kept])
    assert (closed.alpha == 1).all() and (closed.disparity[:, :, 12] > 0).all()


def test_what_a_crack_shows_itself_counts_by_its_coverage() -> None:
    image = picture_with(with_gap(1, 0.75))
    image.features[:] = 1.0
    image.features[:, :, 12] = 0.2
    found = close_cracks(image).features[:, 10, 12]
    # .2 itself has its .75 and its part in what is around
    assert (found > 0.75 * 0.2 + 0.25 * 0.2).all() and (found < 0.75 * 0.2 + 0.25).all()


def test_a_whole_picture_is_handed_back() -> None:
    image = picture_with(torch.ones(1, 8, 9))
    assert close_cracks(image) is image


def test_both_ways_of_closing_agree() -> None:
    generator = torch.Generator().manual_seed(1)
    for width in (50, 700):
        alpha = (3 * torch.rand(1, 40, width, generator=generator)).clamp(max=1)
        alpha[:, 10:20, 10:20] = 0
        image = picture_with(alpha)
        sparse, dense = close_cracks(image), close_cracks_torch(image, crack_radius(width))
        for name in ("features", "alpha", "disparity"):
            assert torch.allclose(getattr(dense, name), getattr(sparse, name), atol=1e-5), name
