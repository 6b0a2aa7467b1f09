import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.training import loop
from cine3d_core.training.depth import data as depth_data
from cine3d_core.training.depth import losses, meshes, raster, scenes, train

TINY = train.DepthTrainingConfig(
    steps=2,
    photos_per_step=1,
    scenes_per_step=1,
    early_sizes=((32, 32),),
    late_sizes=((32, 32),),
    warmup_steps=1,
    checkpoint_steps=2,
    validation_pictures=1,
    validation_scenes=1,
    validation_photos=("held",),
    bfloat16=False,
    architecture={"decoder_widths": (8, 8, 8, 8, 8)},
)


def random_tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def labelled(seed: int, side: int = 80) -> depth_data.LabelledImage:
    generator = np.random.default_rng(seed)
    return depth_data.LabelledImage(
        generator.integers(0, 256, (side, side, 3)).astype(np.uint8),
        generator.random((side, side)).astype(np.float16),
        (generator.random((side, side)) * 255).astype(np.uint8),
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for kind in ("photos", "scenes"):
        (tmp_path / kind).mkdir()
    for number, name in enumerate(("held.c0000-0", "lake.c0000-0", "lake.c0001-0")):
        depth_data.write_packed(tmp_path / "photos" / f"{name}.npz", labelled(number))
    for seed in range(3):
        depth_data.write_packed(tmp_path / "scenes" / f"{seed:06d}.npz", labelled(10 + seed))
    return tmp_path


def batch_of(disparity: torch.Tensor, exact: float = 1.0) -> depth_data.DepthBatch:
    count = len(disparity)
    rgb = torch.zeros(count, 3, *disparity.shape[-2:])
    return depth_data.DepthBatch(
        rgb, disparity, torch.zeros_like(disparity), torch.full((count,), exact)
    )


# losses


def test_normalised_disparity_forgets_scale_and_shift():
    disparity = random_tensor(3, 1, 16, 20)
    expected = losses.normalised(disparity)
    torch.testing.assert_close(losses.normalised(disparity * 7 + 3), expected, rtol=1e-4, atol=1e-5)


def test_right_shape_with_any_scale_and_shift_costs_nothing():
    disparity = random_tensor(2, 1, 32, 32)
    prediction = torch.cat([disparity * 5 + 2, torch.full_like(disparity, -40)], dim=1)
    terms = train.loss_terms(prediction, batch_of(disparity), TINY)
    assert terms.total < 1e-4


def test_wrong_shape_costs_and_gradient_points_home():
    disparity = random_tensor(2, 1, 32, 32)
    prediction = random_tensor(2, 2, 32, 32, seed=1).requires_grad_()
    terms = train.loss_terms(prediction, batch_of(disparity), TINY)
    terms.total.backward()
    assert prediction.grad is not None
    better = train.loss_terms(
        prediction.detach() - 0.1 * prediction.grad, batch_of(disparity), TINY
    )
    assert better.total < terms.total


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


def test_unsure_sky_does_not_count():
    probability = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    right = torch.tensor([-20.0, 20.0, 20.0]).reshape(1, 1, 1, 3)
    assert losses.sky_error(right, probability) < 1e-6


# data


def test_labels_follow_the_picture_through_crop_and_mirror():
    rows, columns = np.indices((90, 120)) / 120
    planes = np.dstack([rows, columns, rows, rows, columns]).astype(np.float32)
    for seed in range(5):
        view = depth_data.random_view(planes, (64, 64), np.random.default_rng(seed))
        assert view.shape == (64, 64, 5)
        np.testing.assert_allclose(view[:, :, 0], view[:, :, 3], atol=1e-6)
        np.testing.assert_allclose(view[:, :, 1], view[:, :, 4], atol=1e-6)


def test_sure_sky_is_pulled_to_the_far_end():
    disparity = np.array([[0.5, 0.5, 0.5]], np.float32)
    repaired = depth_data.repair_sky(disparity, np.array([[0.0, 0.7, 0.9]], np.float32))
    np.testing.assert_allclose(repaired, [[0.5, 0.5, 0.05]], atol=1e-6)


def test_held_out_photos_and_seeds_are_not_trained_on(data):
    files = depth_data.find_files(data)
    training, held = depth_data.split_files(files, validation_photos=("held",), validation_scenes=1)
    assert [p.stem for p in held.photos] == ["held.c0000-0"]
    assert [p.stem for p in held.scenes] == ["000000"]
    assert len(training.photos) == 2 and len(training.scenes) == 2


def test_empty_folder_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="make them with the steps photos and scenes"):
        depth_data.find_files(tmp_path)


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
    bank = depth_data.TextureBank(
        generator.integers(0, 256, (4, 16, 16, 3)).astype(np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    )
    first, second = (scenes.render_scene(bank, 3) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.disparity, second.disparity)
    assert (first.disparity[first.sky == 255] == 0).all() and first.disparity.max() == 1


# run


def test_rate_warms_up_holds_and_falls_to_zero():
    config = dataclasses.replace(TINY, steps=100, warmup_steps=10, cooldown_share=0.2)
    rates = [loop.rate_at(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[10] == rates[79] == 1.0
    assert rates[90] == pytest.approx(0.5) and rates[100] == 0.0


def test_config_cannot_change_during_a_run():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TINY.steps = 5  # type: ignore[misc]


def test_resumed_run_continues_bit_for_bit(data, tmp_path):
    whole = train.train(TINY, data, tmp_path / "whole", encoder=None)
    halves = depth_data.split_files(
        depth_data.find_files(data), validation_photos=("held",), validation_scenes=1
    )
    first = train.Trainer(TINY, halves)
    first.advance()
    (tmp_path / "halves").mkdir()
    first.save(tmp_path / "halves" / "checkpoint.pt")
    resumed = train.train(TINY, data, tmp_path / "halves", encoder=None)
    one, other = (torch.load(path, weights_only=True)["average"] for path in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert len((tmp_path / "whole" / "losses.csv").read_text().splitlines()) == 3


def test_exported_weights_are_those_of_the_running_mean(data, tmp_path):
    files = depth_data.split_files(
        depth_data.find_files(data), validation_photos=("held",), validation_scenes=1
    )
    trainer = train.Trainer(TINY, files)
    trainer.save(tmp_path / "checkpoint.pt")
    train.export(tmp_path / "checkpoint.pt", tmp_path / "model", TINY)
    from safetensors.torch import load_file

    stored = load_file(tmp_path / "model" / "weights.safetensors")
    assert stored.keys() == trainer.average.keys()
    name = "heads.weight"
    torch.testing.assert_close(stored[name].float(), trainer.average[name], rtol=1e-3, atol=1e-4)
