"""Made-up depth scenes, and losses of disparity whose labels have no scale."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.synthetic.depth import meshes, pack, raster, scenes
from cine3d_core.training import loop
from cine3d_core.training.see import disparity as losses


def random_tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_normalised_disparity_forgets_scale_and_shift():
    disparity = random_tensor(3, 1, 16, 20)
    expected = losses.normalised(disparity)
    torch.testing.assert_close(losses.normalised(disparity * 7 + 3), expected, rtol=1e-4, atol=1e-5)


def test_trimming_ignores_the_worst_share():
    residual = torch.zeros(1, 1, 10, 10)
    residual[..., 0] = 100.0
    kept = losses.trimmed_error(residual, torch.tensor([0.8]))
    assert kept == 0
    assert losses.trimmed_error(residual, torch.ones(1)) == pytest.approx(10.0)


def test_gradient_error_sees_slopes_not_levels():
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    assert losses.gradient_error(torch.full((1, 1, 32, 32), 3.0)) == 0
    assert losses.gradient_error(ramp) == pytest.approx(1 + 2 + 4 + 8)


def test_depth_of_a_plane_is_exact():
    plane = meshes.place(meshes.sheet(40, 40, 0, cells=8), (0, 0, -2))
    view = raster.look_at(np.zeros(3), np.array([0, 1.0, -0.5]), focal_px=50.0, height=30, width=40)
    hits = raster.cast(plane, view)
    x, y = (np.indices((30, 40))[::-1] + 0.5 - np.array([20, 15])[:, None, None]) / 50.0
    rays = np.stack([x, y, np.ones_like(x)], axis=2) @ view.axes  # world rays of unit z-depth
    seen = hits.face != raster.NOTHING
    assert seen.mean() > 0.5
    np.testing.assert_allclose(1 / hits.inverse_depth[seen], (-2 / rays[:, :, 2])[seen], rtol=1e-4)


def test_nearer_triangle_hides_the_farther():
    far = meshes.place(meshes.sheet(9, 9, 0), (0, 0, -5))
    near = meshes.place(meshes.sheet(1, 1, 1), (0, 0, -2))
    view = raster.look_at(np.zeros(3), np.array([0, 0, -1.0]), focal_px=20.0, height=20, width=20)
    for order in ([far, near], [near, far]):
        mesh = meshes.join(order)
        hits = raster.cast(mesh, view)
        assert mesh.material[hits.face[10, 10]] == 1 and mesh.material[hits.face[0, 0]] == 0


def test_scene_is_a_function_of_its_seed():
    generator = np.random.default_rng(0)
    bank = pack.TextureBank(
        generator.integers(0, 256, (4, 16, 16, 3)).astype(np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    )
    first, second = (scenes.render_scene(bank, 3) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.disparity, second.disparity)
    assert (first.disparity[first.sky == 255] == 0).all() and first.disparity.max() == 1


@dataclass(frozen=True)
class Schedule:
    steps: int = 100
    warmup_steps: int = 10
    cooldown_share: float = 0.2


def test_rate_warms_up_holds_and_falls_to_zero():
    config = Schedule()
    rates = [loop.rate_at(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[10] == rates[79] == 1.0
    assert rates[90] == pytest.approx(0.5) and rates[100] == 0.0


def test_scenes_are_packed_once_and_wear_the_bank_that_was_kept(tmp_path: Path):
    generator = np.random.default_rng(0)
    pictures = [
        (generator.integers(0, 256, (60, 80, 3)).astype(np.uint8), np.zeros((60, 80), bool)),
        (generator.integers(0, 256, (60, 80, 3)).astype(np.uint8), np.ones((60, 80), bool)),
    ]
    bank = pack.make_texture_bank(pictures, seed=1)
    assert len(bank.textures) == 2 and len(bank.skies) == 1
    pack.write_bank(bank, tmp_path)
    assert np.array_equal(pack.read_bank(tmp_path).skies, bank.skies)
    drawn = []

    def render(seed: int) -> pack.LabelledImage:
        drawn.append(seed)
        plane = np.zeros((4, 4), np.uint8)
        return pack.LabelledImage(pictures[0][0], plane.astype(np.float16), plane)

    for _ in range(2):
        files = list(pack.pack_scenes(render, range(3, 5), tmp_path))
    assert [path.name for path in files] == ["000003.npz", "000004.npz"] and drawn == [3, 4]
