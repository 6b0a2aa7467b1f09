"""Training of the compact inpainting network: configuration, losses, steps and scores.

The loss is the paper's Eq. 8 on the painted pixels: hinge GAN + 10 feature matching + L1 +
perceptual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from cine3d_core.errors import InputError
from cine3d_core.files.models.store import save_network
from cine3d_core.networks import inpainting as networks
from cine3d_core.networks.layout import channels_last
from cine3d_core.training.adversarial import Critic, Eq8Terms, PatchDiscriminator
from cine3d_core.training.inpaint import data as inpaint_data
from cine3d_core.training.inpaint.data import InpaintBatch
from cine3d_core.training.loop import append_row, rate_at
from cine3d_core.training.perceptual import ImagenetFeatures
from cine3d_core.training.trainer import Trainer, shipped


@dataclass(frozen=True)
class InpaintTrainingConfig:
    """How the network is trained."""

    steps: int = 2400  # optimiser steps
    batch: int = 6
    side: int = 160  # px of the square cut out of a packed crop
    learning_rate: float = 3e-4  # at 1e-3 it fell apart after 500 steps
    discriminator_rate: float = 3e-4
    weight_decay: float = 1e-4
    largest_gradient: float = 1.0  # norm to which larger gradients are cut
    warmup_steps: int = 100
    cooldown_share: float = 0.4  # of the steps, at the end, falling to zero
    average_decay: float = 0.997  # of the running mean of the weights, which is what ships
    perceptual_weight: float = 0.25
    gan_weight: float = 0.01  # of the hinge loss; ten times that for feature matching (Eq. 8)
    gan_from: float = 0.4  # share of the steps after which the discriminator is heard
    checkpoint_steps: int = 150
    validation_photos: tuple[str, ...] = (
        "Bridge",
        "FigBowl",
        "beam",
        "cv-leuvenA",
        "cv-street3",
        "this-is-not-windows",
    )
    seed: int = 7
    architecture: dict[str, Any] = field(default_factory=dict)  # of networks.inpainting.build


def painted_error(painted: Tensor, batch: InpaintBatch) -> Tensor:
    """Mean absolute error [B] over the holes of pictures [B, 3, H, W]."""
    error = (painted - batch.truth).abs().mean(dim=1, keepdim=True) * batch.hole
    return error.sum(dim=(1, 2, 3)) / batch.hole.sum(dim=(1, 2, 3)).clamp(min=1)


def composite(painted: Tensor, batch: InpaintBatch) -> Tensor:
    """The true picture with the hole alone replaced, so that no other border is judged."""
    return torch.lerp(batch.truth, painted, batch.hole)


class InpaintTrainer(Trainer[InpaintTrainingConfig, networks.InpaintingNetwork, Eq8Terms]):
    """The network that corrects the analytic fill, and the discriminator that judges it."""

    def __init__(
        self, config: InpaintTrainingConfig, crops: Sequence[dict[str, Any]], features: nn.Module
    ) -> None:
        self.crops, self.features = crops, features
        torch.manual_seed(config.seed)  # only the starting weights; draws have their own generator
        network = channels_last(networks.build(**config.architecture))
        judge = PatchDiscriminator(3, width=24)
        super().__init__(
            config,
            network,
            torch.optim.AdamW(
                network.parameters(), config.learning_rate, weight_decay=config.weight_decay
            ),
            rate=partial(rate_at, schedule=config),
            critic=Critic(
                judge,
                torch.optim.AdamW(judge.parameters(), config.discriminator_rate, betas=(0.0, 0.9)),
            ),
        )

    def fresh(self) -> networks.InpaintingNetwork:
        """See `Trainer`."""
        return networks.build(**self.config.architecture)

    def draw(self) -> InpaintBatch:
        """The batch of this step, whatever came before."""
        generator = np.random.default_rng([self.config.seed, self.step])
        chosen = generator.integers(len(self.crops), size=self.config.batch)
        side = self.config.side
        pieces = []
        for number in chosen:
            crop = self.crops[number]
            y, x = generator.integers(crop["hole"].shape[1] - side + 1, size=2)
            mirrored = generator.random() < 0.5
            turned = generator.random() < 0.2
            piece = {name: plane[:, y : y + side, x : x + side] for name, plane in crop.items()}
            if mirrored:
                piece = {name: plane[:, :, ::-1] for name, plane in piece.items()}
            if turned:
                piece = {name: plane.transpose(0, 2, 1) for name, plane in piece.items()}
            pieces.append(piece)
        return inpaint_data.to_batch(pieces)

    def losses(self) -> Eq8Terms:
        """See `Trainer`; the discriminator learns along once it is heard."""
        config, batch = self.config, self.draw()
        painted = composite(self.network(batch.guess, batch.context, batch.hole), batch)
        l1 = painted_error(painted, batch).mean()
        perceptual = config.perceptual_weight * self.features(painted, batch.truth)
        gan = matching = torch.zeros(())
        if self.critic is not None and self.step >= config.gan_from * config.steps:
            found = self.critic.learn_and_judge(painted, batch.truth)
            gan = config.gan_weight * found.gan
            matching = 10 * config.gan_weight * found.matching
        return Eq8Terms(l1 + perceptual + gan + matching, l1, perceptual, gan, matching)


@torch.no_grad()
def score(
    network: networks.InpaintingNetwork, crops: Sequence[dict[str, Any]], features: nn.Module
) -> dict[str, float]:
    """Of held-out crops: L1 in the hole and perceptual distance, of the guess and the network."""
    rows = []
    for crop in crops:
        batch = inpaint_data.to_batch([crop])
        painted = composite(network(batch.guess, batch.context, batch.hole), batch)
        guess = composite(batch.guess, batch)
        rows.append(
            {
                "guess_l1": float(painted_error(guess, batch)),
                "network_l1": float(painted_error(painted, batch)),
                "guess_perceptual": float(features(guess, batch.truth)),
                "network_perceptual": float(features(painted, batch.truth)),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@torch.no_grad()
def preview(
    network: networks.InpaintingNetwork, crops: Sequence[dict[str, Any]]
) -> np.ndarray:  # [h, w, 3] BGR bytes
    """Rows of: what may be seen, the analytic fill, the network's, the truth."""
    rows = []
    for crop in crops:
        batch = inpaint_data.to_batch([crop])
        painted = composite(network(batch.guess, batch.context, batch.hole), batch)
        seen = batch.truth * batch.context
        row = torch.cat([seen, composite(batch.guess, batch), painted, batch.truth], dim=3)[0]
        rows.append((row.permute(1, 2, 0).numpy()[:, :, ::-1] * 255).round().astype(np.uint8))
    return np.vstack(rows)


def read_photographs(data: Path, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Packed crops of those of the named photographs that are there.

    Raises:
        InputError: none is.
    """
    paths = [path for path in sorted(data.glob("[!.]*.npz")) if path.stem in names]
    if not paths:
        raise InputError(f"{data} holds none of the held-out photographs: {', '.join(names)}")
    return {path.stem: _crops_of(path) for path in paths}


def read_split(
    data: Path, config: InpaintTrainingConfig
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Packed crops of the training and of the held-out photographs.

    Raises:
        InputError: the folder holds no packed photographs.
    """
    split: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for path in sorted(data.glob("[!.]*.npz")):
        split[path.stem in config.validation_photos].extend(_crops_of(path))
    if not split[0]:
        raise InputError(f"{data} holds no packed photographs; run `cine3d train inpaint photos`")
    return split


def _crops_of(path: Path) -> list[dict[str, Any]]:
    arrays = inpaint_data.read_crops(path)
    return [
        {name: plane[at] for name, plane in arrays.items()} for at in range(len(arrays["hole"]))
    ]


def train(config: InpaintTrainingConfig, data: Path, out: Path, *, encoder: Path) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one."""
    crops, held_out = read_split(data, config)
    held_out = held_out[:: max(1, len(held_out) // 60)]
    features = ImagenetFeatures(encoder)
    trainer = InpaintTrainer(config, crops, features)

    def report() -> None:
        if held_out:
            network = trainer.averaged()
            row = {k: round(v, 5) for k, v in score(network, held_out, features).items()}
            append_row(out / "validation.csv", {"step": trainer.step, **row})
            picture = preview(network, held_out[:: max(1, len(held_out) // 6)])
            cv2.imwrite(str(out / f"preview{trainer.step:06d}.png"), picture)

    return trainer.run(out, report)


def export(checkpoint: Path, folder: Path, config: InpaintTrainingConfig) -> None:
    """Writes the running mean of a checkpoint as a model folder, weights in float16."""
    save_network(
        folder,
        shipped(checkpoint, networks.build(**config.architecture)),
        kind="inpainting",
        architecture=config.architecture,
        license="GPL-3.0-or-later",
        description="Correction of the analytic fill behind nearer surfaces, 1.6 M parameters",
    )
