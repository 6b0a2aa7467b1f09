"""Windows around pixels: what a card makes of them is what the CPU does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams, refine_depth
from cine3d_core.imaging import windows
from cine3d_core.imaging.guided_filter import predict_from_colour, regress_on_colour, resized
from tests.pretended_card import CARD, CardTensor, pretended_card

SIZES = [(1, 1), (3, 40), (33, 50)]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


WORK: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda image: windows.box_mean(image, 2),
    "mean of one plane": lambda image: windows.box_mean(image[..., 0], 5),
    "greatest": lambda image: windows.window_max(image[..., 0], 3),
    "grown mask": lambda image: windows.dilated(image[..., 0] > 0.9, 2),
    "median of a mask": lambda image: windows.median_of_mask(image[..., 0] > 0.5, 1),
    "bilateral": lambda image: windows.bilateral(image, 2, colours=0.12, pixels=2),
    "smaller": lambda image: windows.shrunk(
        image, max(1, image.shape[0] // 2), max(1, int(image.shape[1] / 3.1))
    ),
    "larger": lambda image: windows.enlarged(image, 2 * image.shape[0] + 1, 3 * image.shape[1]),
    "distance": lambda image: windows.distance_to(image[..., 0] > 0.8),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WORK)
def test_a_card_sees_in_windows_what_the_cpu_does(name: str, size: tuple[int, int]):
    image = noise(*size, 3)
    image[0, 0, 0] = 1.0  # in every mask
    wanted = WORK[name](image)
    with pretended_card(kernels=False):
        found = WORK[name](image.to(CARD))
        assert isinstance(found, CardTensor)
        found = found.cpu()
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_windows_wider_than_the_picture_mirror_it_again_and_again():
    image = noise(4, 3)
    wanted = windows.box_mean(image, 9)
    with pretended_card(kernels=False):
        found = windows.box_mean(image.to(CARD), 9).cpu()
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def guided(colour: Tensor, rough: Tensor) -> Tensor:
    target = windows.enlarged(rough, 40, 60)
    guide = windows.shrunk(colour, 40, 60)
    regression = regress_on_colour(guide, target, torch.ones_like(target), radius=4, epsilon=1e-3)
    return predict_from_colour(resized(regression, *colour.shape[:2]), colour)


def test_a_guided_filter_is_that_of_the_cpu():
    colour, rough = noise(80, 120, 3), noise(10, 15, seed=1)
    colour[:, 50:] += 0.8
    wanted = guided(colour, rough)
    with pretended_card(kernels=False):
        found = guided(colour.to(CARD), rough.to(CARD)).cpu()
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kernels", [True, False])
def test_depth_is_refined_as_on_the_cpu(kernels: bool):
    """But for a few pixels whose side was as good as a toss."""
    if kernels:
        pytest.importorskip("warp")
    across = torch.linspace(0, 1, 200).expand(1, 120, 200)
    rgb = 0.15 * noise(3, 120, 200) + 0.8 * (across > 0.45)
    rough = ((across - 0.4) * 6).clamp(0.2, 0.8)[:, ::4, ::4] + 0.02 * noise(1, 30, 50, seed=2)
    sky = ((0.3 - torch.linspace(0, 1, 30)) * 8).clamp(0, 1)[None, :, None].expand(1, 30, 50)
    wanted = refine_depth(rough, sky, rgb, params=DepthParams())
    with pretended_card(kernels=kernels):
        there = (plane.to(CARD) for plane in (rough, sky, rgb))
        depth = refine_depth(*there, params=DepthParams()).depth
        assert isinstance(depth, CardTensor)
        found = depth.cpu()
    away = (1 / found - 1 / wanted.depth).abs()
    assert float((away > 1e-4).float().mean()) < 2e-3, float(away.max())
