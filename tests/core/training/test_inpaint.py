from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.networks import inpainting as networks
from cine3d_core.networks.efficientnet_lite import LITE0, EfficientNetLite
from cine3d_core.training import adversarial, perceptual
from cine3d_core.training.inpaint import data as inpaint_data
from cine3d_core.training.inpaint import train

TINY = train.InpaintTrainingConfig(
    steps=4,
    batch=2,
    side=32,
    gan_from=0.5,
    checkpoint_steps=2,
    validation_photos=("b",),
    architecture={"widths": (8, 8, 8, 8, 8)},
)


def waves(size: tuple[int, int], seed: int) -> torch.Tensor:
    """A smooth picture [3, H, W]."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]] / 40
    planes = [
        np.sin(rows * generator.uniform(1, 4) + columns * generator.uniform(1, 4)) for _ in range(3)
    ]
    return torch.from_numpy(np.stack(planes) / 2 + 0.5).float()


def write_crops(path: Path, seed: int) -> None:
    """A packed photograph of a few small crops."""
    disparities = [waves((48, 64), seed + k)[0].numpy() for k in range(3)]
    made = inpaint_data.covered_crops(
        waves((240, 320), seed), disparities, silhouettes=3, crops=2, seed=seed
    )
    planes = [np.stack(kind) for kind in zip(*made, strict=True)]
    names = ("truth", "guess", "context", "hole")
    np.savez(path, **dict(zip(names, planes, strict=True)))


def packed(folder: Path) -> Path:
    """Two packed photographs in a folder; the second is held out."""
    (folder / "data").mkdir()
    write_crops(folder / "data" / "a.npz", seed=1)
    write_crops(folder / "data" / "b.npz", seed=2)
    return folder / "data"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return packed(tmp_path)


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Random weights in the place of the ImageNet ones, under the names of this project."""
    torch.manual_seed(0)
    torch.save(EfficientNetLite(LITE0).state_dict(), tmp_path / "encoder.pth")
    monkeypatch.setattr(perceptual, "state_from_imagenet", lambda state, _: state)
    return tmp_path / "encoder.pth"


def small_trainer(folder: Path) -> train.InpaintTrainer:
    """A training of two made-up photographs, judged without a pretrained network."""
    data = packed(folder)
    crops, _ = train.read_split(data, TINY)
    return train.InpaintTrainer(TINY, crops, Distance())


class Distance(torch.nn.Module):
    """A perceptual distance without a network."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean()


def test_training_on_few_crops_paints_them_better_than_the_guess(data: Path, encoder: Path):
    config = train.InpaintTrainingConfig(
        steps=40, batch=2, side=64, gan_from=1.0, architecture={"widths": (8, 8, 8, 8, 8)}
    )
    crops, _ = train.read_split(data, config)
    for crop in crops:  # a guess with something to mend, since smooth waves are guessed well
        crop["guess"] = crop["guess"] - crop["hole"] * (crop["guess"] // 4)
    trainer = train.InpaintTrainer(config, crops, perceptual.ImagenetFeatures(encoder))
    for _ in range(config.steps):
        trainer.advance()
    result = train.score(trainer.network.eval(), crops, trainer.features)
    assert result["network_l1"] < 0.98 * result["guess_l1"]


def test_the_held_out_photograph_is_never_drawn(data: Path):
    crops, held_out = train.read_split(data, TINY)
    with np.load(data / "b.npz") as stored:
        assert len(held_out) == len(stored["hole"]) > 0
    with np.load(data / "a.npz") as stored:
        assert len(crops) == len(stored["hole"])


def test_a_folder_without_crops_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="holds no packed photographs"):
        train.read_split(tmp_path, TINY)


def test_context_and_hole_never_overlap():
    for seed in range(6):
        covered = inpaint_data.cover(inpaint_data.blobs((90, 120), seed), seed)
        assert not (covered.context & covered.hole).any()


def test_the_guess_is_true_outside_the_hole(data: Path):
    crops = inpaint_data.read_crops(data / "a.npz")
    shown = np.broadcast_to(crops["hole"] == 0, crops["truth"].shape)
    assert (crops["guess"][shown] == crops["truth"][shown]).all()


def test_equal_pictures_have_no_perceptual_distance(encoder: Path):
    features = perceptual.ImagenetFeatures(encoder)
    picture = waves((64, 64), seed=3)[None]
    assert float(features(picture, picture)) == pytest.approx(0, abs=1e-6)
    assert float(features(picture, 1 - picture)) > 1e-4


def test_the_hinge_is_silent_once_both_sides_are_sure():
    sure_real, sure_fake = [[torch.tensor([2.0])]], [[torch.tensor([-2.0])]]
    assert float(adversarial.discriminator_loss(sure_fake, sure_real)) == 0
    assert float(adversarial.discriminator_loss(sure_real, sure_fake)) == 6


def test_a_photograph_that_nobody_packed_is_named(data: Path):
    with pytest.raises(InputError, match="none of the held-out photographs: z"):
        train.read_photographs(data, ("z",))


def test_an_untrained_network_passes_the_picture_on_to_its_coarsest_level():
    """With PyTorch's own start it saw little but constants there, and 780 steps taught nothing."""
    torch.manual_seed(0)
    network = networks.build()
    seen: list[torch.Tensor] = []
    network.middle.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    plane = torch.ones(1, 1, 64, 64)
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(1, 3, 64, 64), plane, plane)
    one, other = seen
    assert (one - other).std() > 0.1 * one.std()


def test_a_file_that_was_left_unfinished_is_not_read(data: Path):
    before = train.read_split(data, TINY)
    (data / ".a.0-1-0.tmp.npz").write_bytes(b"PK half a file")
    after = train.read_split(data, TINY)
    assert [len(part) for part in after] == [len(part) for part in before]
