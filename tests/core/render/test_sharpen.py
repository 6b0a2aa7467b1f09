import numpy as np
import pytest
import torch
from torch import Tensor

from cine3d_core.render.blend import splat_channels
from cine3d_core.render.sharpen import restore_detail, sharpened_torch
from cine3d_core.scene import SplatImage

CHANNELS = splat_channels(2)


def waves(height: int, width: int, shift: float) -> Tensor:
    """A picture [3, H, W] moved to the left by `shift` px."""
    x = torch.arange(width) + 0.5 + shift
    y = torch.arange(height)[:, None] + 0.5
    planes = [0.5 + 0.3 * torch.sin(x * (0.5 + 0.2 * k)) * torch.cos(0.3 * y) for k in range(3)]
    return torch.stack(planes)


def splat(rgb: Tensor, grid: Tensor) -> SplatImage:
    features = torch.zeros(CHANNELS.moving + 1, *rgb.shape[1:])
    features[CHANNELS.rgb], features[CHANNELS.features] = rgb, grid
    return SplatImage(features, torch.ones_like(rgb[:1]), torch.ones_like(rgb[:1]))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
def test_what_linear_interpolation_loses_comes_back(share: float):
    truth = waves(40, 60, share)
    linear = torch.lerp(waves(40, 60, 0.0), waves(40, 60, 1.0), share)
    grid = torch.stack([torch.full((40, 60), 1 - 2 * share), torch.ones(40, 60)])
    restored = restore_detail(splat(linear, grid), CHANNELS).features[CHANNELS.rgb]
    inner = (slice(None), slice(2, -2), slice(2, -2))
    before, after = ((p - truth)[inner].abs().mean() for p in (linear, restored))
    assert float(after) < 0.25 * float(before)


def test_pixels_on_which_points_lie_stay_as_they_are():
    rgb = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(1))
    image = splat(rgb, torch.ones(2, 20, 30))
    assert torch.equal(restore_detail(image, CHANNELS).features, image.features)


def test_no_colour_leaves_the_range_of_its_surroundings():
    rgb = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(1))
    restored = restore_detail(splat(rgb, torch.zeros(2, 20, 30)), CHANNELS).features[CHANNELS.rgb]
    assert not torch.equal(restored, rgb)
    assert float(restored.min()) >= float(rgb.min()) and float(restored.max()) <= float(rgb.max())


def test_crests_between_points_come_back_where_the_picture_moves():
    truth = waves(40, 60, 0.5)
    linear = torch.lerp(waves(40, 60, 0.0), waves(40, 60, 1.0), 0.5)
    image = splat(linear, torch.stack([torch.zeros(40, 60), torch.ones(40, 60)]))
    static = restore_detail(image, CHANNELS).features[CHANNELS.rgb]
    image.features[CHANNELS.moving] = 1
    moving = restore_detail(image, CHANNELS).features[CHANNELS.rgb]
    inner = (slice(None), slice(2, -2), slice(2, -2))
    errors = [float((p - truth)[inner].square().mean()) for p in (static, moving)]
    assert errors[1] < 0.7 * errors[0]
    assert float(static[inner].max()) < float(moving[inner].max()) <= float(truth.max())


def test_the_compiled_loop_equals_torch():
    generator = np.random.default_rng(3)
    rgb = torch.from_numpy(generator.random((3, 33, 47), np.float32))
    grid = torch.from_numpy(generator.uniform(-1, 1, (2, 33, 47)).astype(np.float32))
    image = splat(rgb, grid)
    image.alpha[:] = torch.from_numpy(generator.random((1, 33, 47), np.float32)) > 0.03
    moving = torch.from_numpy(generator.random((1, 33, 47), np.float32))
    image.features[CHANNELS.moving] = moving
    restored = restore_detail(image, CHANNELS)
    expected = sharpened_torch(rgb, grid, image.alpha, moving)
    torch.testing.assert_close(restored.features[CHANNELS.rgb], expected, atol=1e-6, rtol=0)
    assert torch.equal(restored.features[3:], image.features[3:])


def test_clouds_without_pixel_grid_are_left_alone():
    image = SplatImage(torch.rand(5, 4, 4), torch.ones(1, 4, 4), torch.ones(1, 4, 4))
    assert restore_detail(image, splat_channels(0)) is image
