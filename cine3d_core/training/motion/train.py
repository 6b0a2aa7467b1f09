"""Training of the motion network: configuration, losses, steps and scores (stage 1, Eq. 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from cine3d_core.files.models.store import save_network
from cine3d_core.motion.draw import colour_wheel
from cine3d_core.networks import motion as networks
from cine3d_core.networks.motion import BASE, HINT, MASK, RGB
from cine3d_core.training.adversarial import Critic, PatchDiscriminator
from cine3d_core.training.loop import append_row, rate_at
from cine3d_core.training.motion import data as motion_data
from cine3d_core.training.motion.data import DrawParams, MotionBatch, Shards
from cine3d_core.training.trainer import CPU, Trainer, shipped

Family = Literal["compact", "official"]


@dataclass(frozen=True)
class MotionTrainingConfig:
    """How the network is trained."""

    family: Family = "compact"
    steps: int = 6000  # optimiser steps
    batch: int = 12  # pictures
    learning_rate: float = 1.5e-3  # of the generator (published: 5e-4 with batches of 16)
    discriminator_rate: float = 2e-3
    error_weight: float = 10.0  # of the endpoint error, as in the published configuration
    matching_weight: float = 10.0  # of feature matching, beside the GAN's 1
    judge_weight: float = 0.2  # of both (published: 1)
    gan_from: float = 0.5  # share of the steps after which the discriminator plays along
    discriminator_width: int = 16  # published: 64
    largest_gradient: float = 5.0  # norm to which larger gradients are cut
    warmup_steps: int = 100
    cooldown_share: float = 0.4  # of the steps, at the end, falling to zero
    average_decay: float = 0.995  # of the running mean of the weights, which is what ships
    checkpoint_steps: int = 250
    validation_pictures: int = 96
    mixed_precision: bool = True  # bfloat16 activations; weights and losses stay float32
    draw: DrawParams = field(default_factory=DrawParams)
    seed: int = 7
    architecture: dict[str, int] = field(  # of networks.motion.build
        default_factory=lambda: {"width": 24, "hidden": 32}
    )


@dataclass(frozen=True)
class MotionTerms:
    """The generator's loss, its parts, unweighted, and the discriminator's."""

    total: Tensor
    error: Tensor  # mean endpoint error in mean speeds of the region
    matching: Tensor
    gan: Tensor
    discriminator: Tensor


def build_network(config: MotionTrainingConfig) -> nn.Module:
    """The generator with starting weights."""
    if config.family == "official":
        return networks.OfficialMotion()
    return networks.build(**config.architecture)


def endpoint_error(predicted: Tensor, flow: Tensor, weight: Tensor) -> Tensor:  # [B]
    """Mean endpoint error [B, 2, H, W] over what moves, in mean speeds of each region."""
    distance = (predicted - flow).square().sum(1, keepdim=True).add(1e-8).sqrt()
    inside = (weight > 0).sum((1, 2, 3)).clamp(min=1)
    return (distance * weight).sum((1, 2, 3)) / inside


def judged(flow: Tensor, weight: Tensor) -> Tensor:  # [B, 2, H, W]
    """What the discriminator sees: flow in mean speeds, softly limited, zero where static."""
    return torch.tanh(flow * weight / 3) * 3


class MotionTrainer(Trainer[MotionTrainingConfig, nn.Module, MotionTerms]):
    """The generator of flow and the discriminator that judges it."""

    def __init__(
        self,
        config: MotionTrainingConfig,
        training: Shards,
        validation: Shards,
        device: torch.device,
    ) -> None:
        self.training, self.validation = training, validation
        torch.manual_seed(config.seed)  # only starting weights; draws have their own generators
        network = build_network(config).to(device)
        judge = PatchDiscriminator(2, width=config.discriminator_width).to(device)
        super().__init__(
            config,
            network,
            torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99)),
            rate=partial(rate_at, schedule=config),
            critic=Critic(
                judge,
                torch.optim.Adam(judge.parameters(), config.discriminator_rate, betas=(0.0, 0.9)),
            ),
            device=device,
        )

    def fresh(self) -> nn.Module:
        """See `Trainer`."""
        return build_network(self.config)

    def losses(self) -> MotionTerms:
        """See `Trainer`; the discriminator learns along once it plays along."""
        config = self.config
        rng = np.random.default_rng([config.seed, self.step])
        batch = motion_data.make_batch(self.training.draw(rng, config.batch), rng, config.draw)
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.mixed_precision):
            correction = self.network(batch.planes)
        flow = networks.corrected(batch.planes[:, BASE], correction.float())
        flow = flow * (batch.planes[:, MASK] > 0)
        error = endpoint_error(flow, batch.flow, batch.weight).mean()
        total, zero = config.error_weight * error, torch.zeros_like(error)
        if self.critic is None or self.step < config.gan_from * config.steps:
            return MotionTerms(total, error, zero, zero, zero)
        self.critic.set_rate(config.discriminator_rate * rate_at(self.step, config))
        made, true = judged(flow, batch.weight), judged(batch.flow, batch.weight)
        found = self.critic.learn_and_judge(made, true)
        judgement = found.gan + config.matching_weight * found.matching
        total = total + config.judge_weight * judgement
        return MotionTerms(total, error, found.matching, found.gan, found.own)

    @torch.no_grad()
    def validate(self, preview: Path) -> dict[str, float]:
        """Endpoint errors of the averaged weights and its competitors, and a preview."""
        network, scores, rows = self.averaged(), {}, []
        for mode, without in (("one", 0.0), ("none", 1.0)):
            params = DrawParams(without, 1.0, nearness=(1.0, 0.0), colours=False)
            errors: list[list[float]] = []
            for number, batch in enumerate(self._validation_batches(params)):
                flow = networks.predicted_flow(network, batch.planes)
                rivals = {"network": flow, "base": batch.planes[:, BASE]}
                rivals["constant"] = batch.planes[:, HINT]
                for each in rivals.values():
                    assert each.shape == batch.flow.shape, each.shape
                errors_now = [
                    endpoint_error(each, batch.flow, batch.weight) for each in rivals.values()
                ]
                errors += torch.stack(errors_now, 1).tolist()
                if number % 6 == 0:
                    rows.append(preview_row(batch, flow))
            means = np.mean(errors, axis=0)
            names = ("network", "base", "constant")
            found = zip(names, means, strict=True)
            scores |= {f"{mode}_{name}": round(float(mean), 4) for name, mean in found}
        side = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, side - row.shape[1]), (0, 0))) for row in rows]
        cv2.imwrite(str(preview), np.vstack(rows))
        return scores

    def _validation_batches(self, params: DrawParams) -> list[MotionBatch]:
        """The same pictures each time, four of a size at once."""
        count = self.config.validation_pictures // 4
        batches = []
        for number in range(count):
            rng = np.random.default_rng([self.config.seed, number])
            records = self.validation.draw(rng, 4)
            batches.append(motion_data.make_batch(records, rng, params).to(self.device))
        return batches


def preview_row(batch: MotionBatch, flow: Tensor) -> np.ndarray:
    """BGR bytes: for the first picture photo, analytic flow, prediction and truth side by side."""
    tiles = [(batch.planes[0, RGB] + 1).mul(127.5).permute(1, 2, 0).cpu().numpy()]
    for field_ in (batch.planes[0, BASE], flow[0], batch.flow[0]):
        scaled = (field_ * batch.weight[0] / 2).permute(1, 2, 0).cpu().numpy()
        tiles.append(colour_wheel(scaled) * 255)
    return np.hstack(tiles)[:, :, ::-1].astype(np.uint8)


def train(
    config: MotionTrainingConfig, data: Path, out: Path, *, device: torch.device = CPU
) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one."""
    shards = [motion_data.open_shards(data, name) for name in ("train", "validation")]
    trainer = MotionTrainer(config, shards[0], shards[1], device)

    def report() -> None:
        scores = trainer.validate(out / f"preview{trainer.step:06d}.png")
        append_row(out / "validation.csv", {"step": trainer.step, **scores})

    return trainer.run(out, report)


def export(checkpoint: Path, folder: Path, config: MotionTrainingConfig) -> None:
    """Writes the running mean of a compact checkpoint as a model folder, weights in float16."""
    network = shipped(checkpoint, build_network(config))
    millions = sum(weight.numel() for weight in network.parameters()) / 1e6
    save_network(
        folder,
        network,
        kind="motion",
        architecture=config.architecture,
        license="GPL-3.0-or-later",
        description=f"Refines the flow of water, sky and smoke, {millions:.1f} M parameters",
    )
