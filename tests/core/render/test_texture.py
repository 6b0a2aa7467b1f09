from dataclasses import replace

import pytest
import torch

from cine3d_core.render.texture import texture_of_points
from cine3d_core.scene import CinemagraphScene
from tests.river import river_scene


def with_brightness(scene: CinemagraphScene, brightness: torch.Tensor) -> CinemagraphScene:
    """The scene with grey points, of brightness [N]."""
    rgb = brightness[:, None].expand(-1, 3).contiguous()
    return replace(scene, cloud=replace(scene.cloud, rgb=rgb))


def chequered(scene: CinemagraphScene, amplitude: float) -> torch.Tensor:
    """Brightness [N] of a chequerboard of pixels."""
    width = scene.velocity.shape[-1]
    column, row = scene.cloud.pixel % width, scene.cloud.pixel // width
    return 0.5 + amplitude * (((column + row) % 2) * 2 - 1).float()


def test_points_bring_along_the_variance_around_them():
    scene = river_scene()
    seen = torch.nonzero(~scene.cloud.inpainted)[:, 0]
    found = texture_of_points(with_brightness(scene, chequered(scene, 0.1)), seen)
    torch.testing.assert_close(found, torch.full_like(found, 0.01), atol=1e-3, rtol=0)


def test_only_the_points_themselves_count():
    scene = river_scene()
    chosen = torch.nonzero(scene.cloud.pixel % 7 < 3)[:, 0]
    brightness = torch.where(scene.cloud.pixel % 7 < 3, 0.5, 0.9)
    found = texture_of_points(with_brightness(scene, brightness), chosen)
    assert float(found.max()) < 1e-6


def test_what_was_invented_counts_as_what_lies_beside_it():
    scene = river_scene()
    width = scene.velocity.shape[-1]
    invented = scene.cloud.pixel % width > width // 2
    brightness = torch.where(invented, 0.5, chequered(scene, 0.1))
    scene = with_brightness(scene, brightness)
    scene = replace(scene, cloud=replace(scene.cloud, inpainted=invented))
    found = texture_of_points(scene, torch.arange(len(scene.cloud.rgb)))
    assert float(found[invented].min()) == pytest.approx(0.01, abs=2e-3)
