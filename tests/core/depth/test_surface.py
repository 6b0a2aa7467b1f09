import torch

from cine3d_core.depth.surface import smooth_surfaces
from cine3d_core.scene import DepthMap

HEIGHT, WIDTH = 90, 160


def water_plane() -> torch.Tensor:  # [1, H, W] disparity of a level plane, tilted a little
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return (0.1 + 0.008 * y + 0.0005 * x)[None]


def lower_part() -> torch.Tensor:
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, 30:] = True
    mask[:, 50:60, 60:80] = False
    return mask


def no_sky() -> torch.Tensor:
    return torch.zeros(1, HEIGHT, WIDTH)


def test_a_plane_stays_as_it_is():
    plane = water_plane()
    smooth = smooth_surfaces(DepthMap(1 / plane, no_sky()), lower_part())
    torch.testing.assert_close(1 / smooth.depth, plane, rtol=1e-4, atol=1e-5)


def test_steps_and_spikes_of_estimated_depth_disappear():
    generator = torch.Generator().manual_seed(0)
    bumps = 0.05 * (torch.rand(1, 1, 9, 16, generator=generator) > 0.7).float()
    bumps = torch.nn.functional.interpolate(bumps, (HEIGHT, WIDTH))[0]
    rough = water_plane() + bumps
    smooth = 1 / smooth_surfaces(DepthMap(1 / rough, no_sky()), lower_part()).depth
    inner = lower_part()[:, :, 1:] & lower_part()[:, :, :-1]
    assert rough.diff(dim=2)[inner].abs().max() > 0.04
    assert smooth.diff(dim=2)[inner].abs().max() < 0.005


def test_a_bend_of_the_surface_survives():
    y = torch.arange(HEIGHT)[None, :, None].expand(1, HEIGHT, WIDTH)
    brink = 0.3 + 0.004 * (y - 60).clamp(min=0)  # level, then coming nearer
    smooth = 1 / smooth_surfaces(DepthMap(1 / brink, no_sky()), lower_part()).depth
    assert (smooth - brink)[lower_part()].abs().max() < 0.03


def test_what_rests_and_the_sky_keep_their_depth():
    generator = torch.Generator().manual_seed(1)
    depth = DepthMap(1 + torch.rand(1, HEIGHT, WIDTH, generator=generator), no_sky())
    depth.sky[:, :, :40] = 1.0
    kept = ~lower_part() | (depth.sky > 0.5)
    smooth = smooth_surfaces(depth, lower_part())
    assert torch.equal(smooth.depth[kept], depth.depth[kept])
    assert torch.isfinite(smooth.depth).all() and (smooth.depth > 0).all()
