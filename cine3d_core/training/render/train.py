"""Training of the renderer, features and decoder: configuration, losses, steps (stage 2, Eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from cine3d_core.errors import InputError
from cine3d_core.files.models.store import save_network
from cine3d_core.networks.features import GRID_CHANNELS
from cine3d_core.training.adversarial import Critic, Eq8Terms, PatchDiscriminator
from cine3d_core.training.loop import rate_at
from cine3d_core.training.perceptual import ImagenetFeatures
from cine3d_core.training.render import data as render_data
from cine3d_core.training.render import families
from cine3d_core.training.render.data import RenderBatch, RenderPair, is_scene, where_seen
from cine3d_core.training.render.scores import write_report
from cine3d_core.training.trainer import Trainer, shipped


@dataclass(frozen=True)
class RenderTrainingConfig:
    """How features and decoder are trained."""

    family: Literal["compact", "official"] = "compact"
    steps: int = 1000  # optimiser steps
    batch: int = 8  # patches
    scene_share: float = 0.4  # of the patches, from synthetic scenes where there are any
    learning_rate: float = 8e-4
    largest_gradient: float = 0.05  # norm to which larger gradients are cut
    discriminator_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 50
    cooldown_share: float = 0.5  # of the steps, at the end, falling to zero
    average_decay: float = 0.997  # of the running mean of the weights, which is what ships
    invented_weight: float = 0.15  # of a pixel that shows only what was invented
    features_dropped: float = 0.0  # share of the samples drawn without features
    perceptual_weight: float = 0.2
    perceptual_every: int = 4  # steps; its weight then is as many times as large
    perceptual_patches: int = 4  # of the batch, at most
    gan_weight: float = 0.0002  # of the hinge loss; ten times that for feature matching (Eq. 8)
    gan_from: float = 0.8  # share of the steps after which the discriminator is heard
    gan_width: int = 16  # channels of the discriminator's first layer; 64 as published
    checkpoint_steps: int = 100
    validation_patches: int = 24  # of each kind
    validation: tuple[str, ...] = (  # pictures and scenes that are held out
        "Bridge",
        "BytheWater",
        "FallenLeaf",
        "FigBowl",
        "flowers",
        "seeding",
        "scene-train-01-lake-shore",
        "scene-train-06-rapids-across",
    )
    bfloat16: bool = False  # activations, on cards; processors without it are far slower for it
    seed: int = 7
    # of networks.features.build and networks.decoder.build, or of the official ones
    architecture: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"decoder": {"features": GRID_CHANNELS, "gated": True}}
    )


def official_config() -> RenderTrainingConfig:
    """The published schedule for the published networks (reference, section 3)."""
    return RenderTrainingConfig(
        family="official",
        steps=250_000,
        batch=1,
        learning_rate=1e-4,
        perceptual_weight=1.0,
        perceptual_every=1,
        gan_weight=1.0,
        gan_from=0.0,
        gan_width=64,
        checkpoint_steps=2500,
        architecture={},
    )


def weighted_error(picture: Tensor, batch: RenderBatch, invented_weight: float) -> Tensor:
    """Mean absolute error; what no photograph shows counts less, since it cannot be known."""
    weight = invented_weight + (1 - invented_weight) * batch.weight
    error = (picture - batch.target).abs() * weight
    return error.sum() / (3 * weight.sum()).clamp(min=1)


class RenderTrainer(Trainer[RenderTrainingConfig, families.Renderer, Eq8Terms]):
    """Features, decoder and the discriminator that judges them."""

    def __init__(
        self,
        config: RenderTrainingConfig,
        paths: Sequence[Path],
        judge: nn.Module,
        device: torch.device,
    ) -> None:
        self.judge = judge.to(device)
        self.photos = [path for path in paths if not is_scene(path)]
        self.scenes = [path for path in paths if is_scene(path)]
        torch.manual_seed(config.seed)  # only the starting weights; draws have their own generator
        network = families.build(config.family, config.architecture).to(device)
        discriminator = PatchDiscriminator(3, width=config.gan_width).to(device)
        critic = torch.optim.AdamW(
            discriminator.parameters(), config.discriminator_rate, betas=(0.0, 0.9)
        )
        super().__init__(
            config,
            network,
            torch.optim.AdamW(
                network.parameters(), config.learning_rate, weight_decay=config.weight_decay
            ),
            rate=partial(rate_at, schedule=config),
            critic=Critic(discriminator, critic),
            device=device,
        )

    def fresh(self) -> families.Renderer:
        """See `Trainer`."""
        return families.build(self.config.family, self.config.architecture)

    def draw(self) -> tuple[RenderBatch, Tensor]:
        """The batch of this step and which samples keep their features, whatever came before."""
        config = self.config
        generator = np.random.default_rng([config.seed, self.step])
        pairs = []
        for _ in range(config.batch):
            use_scene = generator.random() < config.scene_share
            paths = self.scenes if self.scenes and (use_scene or not self.photos) else self.photos
            pair = render_data.read_pair(paths[generator.integers(len(paths))])
            pairs.append(_turned(pair, generator))
        kept = generator.random(config.batch) >= config.features_dropped
        batch = render_data.on_device(render_data.to_batch(pairs), self.device)
        return batch, torch.from_numpy(kept).float().to(self.device)

    def losses(self) -> Eq8Terms:
        """See `Trainer`; the discriminator learns along once it is heard."""
        config = self.config
        batch, kept = self.draw()
        # bfloat16 needs no scaling of the loss; half the time on CPUs that know it, too
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16):
            picture = self.network(batch, kept)
        l1 = weighted_error(picture, batch, config.invented_weight)
        judged = where_seen(picture, batch)
        perceptual = gan = matching = torch.zeros((), device=self.device)
        if self.step % config.perceptual_every == 0:
            few = slice(config.perceptual_patches)
            distance = self.judge(judged[few], batch.target[few])
            perceptual = config.perceptual_weight * config.perceptual_every * distance
        heard = config.gan_weight > 0 and self.step >= config.gan_from * config.steps
        if self.critic is not None and heard:
            found = self.critic.learn_and_judge(judged, batch.target)
            gan = config.gan_weight * found.gan
            matching = 10 * config.gan_weight * found.matching
        return Eq8Terms(l1 + perceptual + gan + matching, l1, perceptual, gan, matching)


def _turned(pair: RenderPair, generator: np.random.Generator) -> RenderPair:
    if generator.random() < 0.5:
        pair = render_data.mirrored(pair)
    pair = render_data.recoloured(pair, generator.permutation(3))
    return render_data.transposed(pair) if generator.random() < 0.5 else pair


def split_paths(
    paths: Sequence[Path], config: RenderTrainingConfig
) -> tuple[list[Path], list[Path]]:
    """Pairs for training and, evenly thinned, for validation.

    Raises:
        InputError: nothing is left to train on.
    """
    training = [path for path in paths if path.parent.name not in config.validation]
    if not training:
        raise InputError("all pairs are of pictures that are held out; make pairs of others")
    held_out = []
    for of_scene in (False, True):
        kind = [p for p in paths if p.parent.name in config.validation and is_scene(p) == of_scene]
        held_out += kind[:: max(1, len(kind) // config.validation_patches)]
    return training, held_out


def train(
    config: RenderTrainingConfig, data: Path, out: Path, *, encoder: Path, device: torch.device
) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one.

    `best.pt` beside it is the checkpoint that did best on the held-out pairs.
    """
    training, held_out = split_paths(render_data.find_pairs(data), config)
    judge = ImagenetFeatures(encoder)
    trainer = RenderTrainer(config, training, judge, device)
    facts = {"patches": len(training), "held_out_patches": len(held_out)}

    def report() -> None:
        row = {"step": trainer.step}
        reached = write_report(
            trainer.averaged(), held_out, trainer.judge, row=row, scores=out / "validation.csv"
        )
        if reached > trainer.best:
            trainer.best = reached
            for name in ("best.pt", "checkpoint.pt"):  # both know what was best
                trainer.save(out / name)

    return trainer.run(out, report, facts=facts)


def export(checkpoint: Path, folder: Path, config: RenderTrainingConfig) -> list[str]:
    """Writes both networks as model folders below `folder`; returns their names."""
    network = shipped(checkpoint, families.build(config.family, config.architecture))
    official = config.family == "official"
    for key, part in (("features", network.features), ("decoder", network.decoder)):
        name = _OFFICIAL_NAMES[key] if official else key
        _save(folder / name, part, key, dict(config.architecture.get(key, {})))
    return sorted(_OFFICIAL_NAMES.values()) if official else ["features", "decoder"]


def export_decoder(checkpoint: Path, folder: Path, config: RenderTrainingConfig) -> list[str]:
    """Writes the compact decoder alone, for points whose only feature is the pixel grid."""
    network = shipped(checkpoint, families.build(config.family, config.architecture))
    assert isinstance(network, families.CompactRenderer), config.family
    _save(folder / "decoder", network.decoder, "decoder", dict(config.architecture["decoder"]))
    return ["decoder"]


def _save(folder: Path, network: nn.Module, key: str, architecture: dict[str, Any]) -> None:
    count = sum(parameter.numel() for parameter in network.parameters())
    save_network(
        folder,
        network,
        kind=folder.name,
        architecture=architecture,
        license="GPL-3.0-or-later",
        description=f"{_DESCRIPTIONS[key]}, {count / 1e6:.3f} M parameters",
    )


_OFFICIAL_NAMES = {"features": "official-feature", "decoder": "official-decoder"}
_DESCRIPTIONS = {
    "features": "What points carry beside their colour",
    "decoder": "Correction of the splatted picture",
}
