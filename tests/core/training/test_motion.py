"""Training data and training of the motion network."""

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.networks.motion import BASE, HINT
from cine3d_core.synthetic.flow_pictures import FlowScene
from cine3d_core.synthetic.flows import WATER
from cine3d_core.training.motion import data
from cine3d_core.training.motion.data import DrawParams, make_batch, make_record, open_shards
from cine3d_core.training.motion.films import pack_films, read_film
from cine3d_core.training.motion.train import (
    MotionTrainer,
    MotionTrainingConfig,
    endpoint_error,
    train,
)

QUICK = MotionTrainingConfig(
    steps=4,
    batch=2,
    gan_from=0.25,
    discriminator_width=2,
    warmup_steps=1,
    checkpoint_steps=2,
    validation_pictures=4,
    mixed_precision=False,
    architecture={"width": 2, "hidden": 2},
)


def stream(seed: int, height: int = 64, width: int = 96) -> FlowScene:
    """Water that runs right, faster further down."""
    rng = np.random.default_rng(seed)
    kind = np.zeros((height, width), np.uint8)
    kind[20:60, 5:90] = WATER
    flow = np.zeros((height, width, 2), np.float32)
    flow[..., 0] = np.linspace(0.1, 1.0, height)[:, None]
    return FlowScene(
        rng.integers(0, 255, (height, width, 3), dtype=np.uint8),
        kind,
        flow * (kind > 0)[..., None],
        np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, 1),
        "river",
    )


def no_depth(rgb: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(rgb[:1])


def record(seed: int) -> np.ndarray:
    return make_record(stream(seed), np.random.default_rng(seed), no_depth)


def written(folder: Path) -> Path:
    """A shard for training and one for validation in a folder."""
    for name, seeds in (("train", (0, 1)), ("validation", (2, 3))):
        data.write_shard(folder / f"{name}-0000.npy", [record(seed) for seed in seeds])
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("shards"))


def test_the_arrows_of_a_record_are_the_true_flow():
    found = record(4)
    assert found["counts"][0] == 1
    x, y, u, v = found["arrows"][0, 0]
    np.testing.assert_allclose([u, v], stream(4).flow[int(y), int(x)], atol=1e-6)


def test_a_batch_holds_flow_and_arrows_in_the_same_units():
    params = DrawParams(without_arrows=0, one_per_region=1, colours=False)
    for seed in range(4):
        batch = make_batch([record(5)], np.random.default_rng(seed), params)
        inside = batch.weight[0, 0] > 0
        assert batch.planes[0, HINT][:, inside].norm(dim=0).mean() == pytest.approx(1, abs=1e-3)
        heading = torch.sign(batch.flow[0, 0][inside]).unique()
        assert torch.sign(batch.planes[0, BASE][0][inside]).mean().sign() == heading
        error = endpoint_error(torch.zeros_like(batch.flow), batch.flow, batch.weight)
        assert float(error[0]) == pytest.approx(1, abs=0.02)


def test_a_sample_without_arrows_knows_of_none():
    batch = make_batch([record(6)], np.random.default_rng(0), DrawParams(without_arrows=1))
    assert not batch.planes[:, HINT].any() and not batch.planes[:, BASE].any()


def small_trainer(folder: Path) -> MotionTrainer:
    """A training of two records; the discriminator is heard from the second step on."""
    opened = [open_shards(written(folder), name) for name in ("train", "validation")]
    return MotionTrainer(QUICK, opened[0], opened[1], torch.device("cpu"))


def test_the_official_network_trains_too(shards: Path, tmp_path: Path):
    config = replace(QUICK, family="official", steps=1, batch=1, gan_from=1.0, mixed_precision=True)
    assert torch.load(train(config, shards, tmp_path), weights_only=True)["step"] == 1
    assert (tmp_path / "validation.csv").is_file()


def test_a_folder_without_shards_says_how_to_make_them(tmp_path: Path):
    with pytest.raises(InputError, match="train motion scenes"):
        open_shards(tmp_path, "train")


def made_up_films(folder: Path) -> Path:
    """Two films in the layout of Holynski et al., one flow pickled as published, one as .npy."""
    rng = np.random.default_rng(0)
    flow = np.zeros((1, 2, 72, 128), np.float32)
    flow[0, 0, 30:] = 2.0
    for name in ("00001_00000", "00002_00000"):
        picture = rng.integers(0, 255, (72, 128, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}_input.png"), picture)
    (folder / "00001_00000_motion.pth").write_bytes(pickle.dumps(flow))
    np.save(folder / "00002_00000_motion.npy", flow[0])
    return folder


def test_films_become_shards(tmp_path: Path):
    films = made_up_films(tmp_path)
    scene = read_film(films / "00001_00000_motion.pth")
    height, width = scene.kind.shape
    moving = scene.flow[-5, width // 2]
    np.testing.assert_allclose(moving, [2.0 * width / 128, 0], rtol=1e-3)
    assert scene.kind[0, 0] == 0 and scene.kind[-1, -1] == WATER
    assert pack_films(films, tmp_path / "data", "train", no_depth, seed=1) == 1
    assert len(open_shards(tmp_path / "data", "train").arrays[0]) == 2


def test_a_film_whose_flow_names_code_is_refused(tmp_path: Path):
    films = made_up_films(tmp_path)
    (films / "00001_00000_motion.pth").write_bytes(pickle.dumps(print))
    with pytest.raises(InputError, match="no pickled array"):
        read_film(films / "00001_00000_motion.pth")
