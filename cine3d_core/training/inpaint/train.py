"""Training of the compact inpainting network: `cine3d train inpaint STEP ...`.

photos   cover photographs and fill them analytically     fit      train, resumable
score    compare with the analytic fill                   export   write the shipped weights

The loss is the paper's Eq. 8 on the painted pixels: hinge GAN + 10 feature matching + L1 +
perceptual.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cine3d_core.build import PRESETS
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.errors import InputError
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.networks import inpainting as networks
from cine3d_core.training.adversarial import (
    PatchDiscriminator,
    discriminator_loss,
    feature_matching,
    generator_loss,
)
from cine3d_core.training.inpaint import data as inpaint_data
from cine3d_core.training.inpaint.data import InpaintBatch
from cine3d_core.training.loop import (
    append_row,
    load_states,
    rate_at,
    save_states,
    train_to_end,
    update_average,
)
from cine3d_core.training.perceptual import ImagenetFeatures


@dataclass(frozen=True)
class InpaintTrainingConfig:
    """How the network is trained."""

    steps: int = 2400  # optimiser steps
    batch: int = 6
    side: int = 160  # px of the square cut out of a packed crop
    learning_rate: float = 1e-3
    discriminator_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 50
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


@dataclass(frozen=True)
class LossTerms:
    """Parts of the generator's loss, each already weighted except `total`, their sum."""

    total: Tensor
    l1: Tensor
    perceptual: Tensor
    gan: Tensor
    matching: Tensor


def painted_error(painted: Tensor, batch: InpaintBatch) -> Tensor:
    """Mean absolute error [B] over the holes of pictures [B, 3, H, W]."""
    error = (painted - batch.truth).abs().mean(dim=1, keepdim=True) * batch.hole
    return error.sum(dim=(1, 2, 3)) / batch.hole.sum(dim=(1, 2, 3)).clamp(min=1)


def composite(painted: Tensor, batch: InpaintBatch) -> Tensor:
    """The true picture with the hole alone replaced, so that no other border is judged."""
    return torch.lerp(batch.truth, painted, batch.hole)


class Trainer:
    """Networks, optimisers and running mean; depends on checkpoint, config and data alone."""

    def __init__(
        self, config: InpaintTrainingConfig, crops: Sequence[dict[str, Any]], features: nn.Module
    ) -> None:
        self.config, self.crops, self.features = config, crops, features
        torch.manual_seed(config.seed)  # only the starting weights; draws have their own generator
        self.network = networks.build(**config.architecture)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.discriminator = PatchDiscriminator(3, width=24)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.critic = torch.optim.AdamW(
            self.discriminator.parameters(), config.discriminator_rate, betas=(0.0, 0.9)
        )
        self.step = 0
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

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

    def advance(self) -> LossTerms:
        """One optimiser step of the network, and of the discriminator once it is heard."""
        config, batch = self.config, self.draw()
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * rate_at(self.step, config)
        painted = composite(self.network(batch.guess, batch.context, batch.hole), batch)
        l1 = painted_error(painted, batch).mean()
        perceptual = config.perceptual_weight * self.features(painted, batch.truth)
        gan = matching = torch.zeros(())
        if self.step >= config.gan_from * config.steps:
            self._advance_discriminator(painted.detach(), batch.truth)
            real = self.discriminator(batch.truth)
            fake = self.discriminator(painted)
            gan = config.gan_weight * generator_loss(fake)
            matching = 10 * config.gan_weight * feature_matching(fake, real)
        total = l1 + perceptual + gan + matching
        self.optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        update_average(self.average, self.network, step=self.step, decay=config.average_decay)
        self.step += 1
        return LossTerms(total, l1, perceptual, gan, matching)

    def _advance_discriminator(self, painted: Tensor, truth: Tensor) -> None:
        loss = discriminator_loss(self.discriminator(painted), self.discriminator(truth))
        self.critic.zero_grad()
        loss.backward()
        self.critic.step()

    def averaged(self) -> networks.InpaintingNetwork:
        """The network that would ship now, in evaluation mode."""
        network = networks.build(**self.config.architecture)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        save_states(self, _SAVED, path)

    def load(self, path: Path) -> None:
        """Continues from a checkpoint."""
        load_states(self, _SAVED, path)


_SAVED = ("network", "discriminator", "optimizer", "critic")


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


def read_split(
    data: Path, config: InpaintTrainingConfig
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Packed crops of the training and of the held-out photographs.

    Raises:
        InputError: the folder holds no packed photographs.
    """
    split: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for path in sorted(data.glob("*.npz")):
        arrays = inpaint_data.read_crops(path)
        held_out = path.stem in config.validation_photos
        for number in range(len(arrays["hole"])):
            split[held_out].append({name: plane[number] for name, plane in arrays.items()})
    if not split[0]:
        raise InputError(f"{data} holds no packed photographs; run `cine3d train inpaint photos`")
    return split


def train(config: InpaintTrainingConfig, data: Path, out: Path, *, encoder: Path) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one."""
    crops, held_out = read_split(data, config)
    held_out = held_out[:: max(1, len(held_out) // 60)]
    features = ImagenetFeatures(encoder)
    trainer = Trainer(config, crops, features)

    def report() -> None:
        if held_out:
            network = trainer.averaged()
            row = {k: round(v, 5) for k, v in score(network, held_out, features).items()}
            append_row(out / "validation.csv", {"step": trainer.step, **row})
            picture = preview(network, held_out[:: max(1, len(held_out) // 6)])
            cv2.imwrite(str(out / f"preview{trainer.step:06d}.png"), picture)

    return train_to_end(trainer, config, out, report)


def shipped_network(checkpoint: Path, config: InpaintTrainingConfig) -> networks.InpaintingNetwork:
    """The running mean of a checkpoint, in evaluation mode."""
    network = networks.build(**config.architecture)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    return network.eval()


def export(checkpoint: Path, folder: Path, config: InpaintTrainingConfig) -> None:
    """Writes the running mean of a checkpoint as a model folder, weights in float16."""
    from cine3d_core.files.models.store import save_network

    save_network(
        folder,
        shipped_network(checkpoint, config),
        kind="inpainting",
        architecture=config.architecture,
        license="GPL-3.0-or-later",
        description="Correction of the analytic fill behind nearer surfaces, 1.6 M parameters",
    )


def pack(photos: Path, data: Path, *, silhouettes: int, crops: int, seed: int) -> int:
    """Covers every photograph of a folder; returns the number of files of crops."""
    paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    if len(paths) < 2:
        raise InputError(f"{photos} holds fewer than two photographs (.jpg, .png); name another")
    source = open_depth_source("compact")
    disparities = []
    for path in tqdm(paths, unit="depth"):
        depth = source(read_photo(path, max_side=640).rgb, params=PRESETS["default"].depth)
        disparities.append((1 / depth.depth[0]).numpy())
    made = inpaint_data.pack_photos(
        paths, disparities, data, silhouettes=silhouettes, crops=crops, seed=seed
    )
    return sum(1 for _ in tqdm(made, total=len(paths), unit="photo"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the steps of inpainting training to a parser."""
    defaults = InpaintTrainingConfig()
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    photos = steps.add_parser("photos", help="cover photographs and fill them analytically")
    photos.add_argument("photos", type=Path, help="folder of .jpg and .png")
    photos.add_argument("--silhouettes", type=int, default=6, help="for each photo (default 6)")
    photos.add_argument("--crops", type=int, default=9, help="for each silhouette (default 9)")
    photos.add_argument("--seed", type=int, default=defaults.seed)
    fit = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fit.add_argument("--out", type=Path, required=True, help="checkpoint, logs and previews")
    fit.add_argument("--steps", type=int, default=defaults.steps, help=f"default {defaults.steps}")
    fit.add_argument("--seed", type=int, default=defaults.seed)
    fit.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    scoring = steps.add_parser("score", help="compare a checkpoint with the analytic fill")
    scoring.add_argument("checkpoint", type=Path)
    for step in (fit, scoring):
        step.add_argument(
            "--encoder", type=Path, required=True, help="ImageNet EfficientNet-Lite0 (.pth)"
        )
    for step in (photos, fit, scoring):
        step.add_argument("--data", type=Path, required=True, help="folder of packed crops")
    shipped = steps.add_parser("export", help="write weights.safetensors and model.json")
    shipped.add_argument("checkpoint", type=Path)
    shipped.add_argument("--out", type=Path, required=True, help="folder of the shipped model")


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    config = InpaintTrainingConfig()
    if args.step == "photos":
        counts = {"silhouettes": args.silhouettes, "crops": args.crops, "seed": args.seed}
        print(f"{pack(args.photos, args.data, **counts)} photographs in {args.data}")
    elif args.step == "fit":
        torch.set_num_threads(args.threads)
        config = InpaintTrainingConfig(steps=args.steps, seed=args.seed)
        print(f"trained: {train(config, args.data, args.out, encoder=args.encoder)}")
    elif args.step == "score":
        _, held_out = read_split(args.data, config)
        network = shipped_network(args.checkpoint, config)
        result = score(network, held_out, ImagenetFeatures(args.encoder))
        photographs = len(config.validation_photos)
        print(f"n = {len(held_out)} crops of {photographs} photographs, seed {config.seed}")
        print("\n".join(f"{name:20} {value:.4f}" for name, value in result.items()))
    else:
        export(args.checkpoint, args.out, config)
        print(f"written: {args.out}")
