"""Training of the motion network: `cine3d train motion STEP ...` (paper, stage 1, Eq. 7).

scenes   draw synthetic flows on photographs       films   pack folders in the Holynski layout
fit      train, resumable                          export  write the shipped weights
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cine3d_core.motion.draw import colour_wheel
from cine3d_core.networks import motion as networks
from cine3d_core.networks.motion import BASE, HINT, MASK, RGB
from cine3d_core.training import adversarial
from cine3d_core.training.loop import (
    append_row,
    load_states,
    rate_at,
    save_states,
    train_to_end,
    update_average,
)
from cine3d_core.training.motion import data as motion_data
from cine3d_core.training.motion.data import DrawParams, MotionBatch, Shards

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
class LossTerms:
    """Parts of the generator's loss, unweighted, and the discriminator's."""

    error: Tensor  # mean endpoint error in mean speeds of the region
    matching: Tensor
    gan: Tensor
    discriminator: Tensor


def build_network(config: MotionTrainingConfig) -> nn.Module:
    """The generator with starting weights."""
    if config.family == "official":
        return networks.PublishedMotion()
    return networks.build(**config.architecture)


def endpoint_error(predicted: Tensor, flow: Tensor, weight: Tensor) -> Tensor:  # [B]
    """Mean endpoint error [B, 2, H, W] over what moves, in mean speeds of each region."""
    distance = (predicted - flow).square().sum(1, keepdim=True).add(1e-8).sqrt()
    inside = (weight > 0).sum((1, 2, 3)).clamp(min=1)
    return (distance * weight).sum((1, 2, 3)) / inside


def judged(flow: Tensor, weight: Tensor) -> Tensor:  # [B, 2, H, W]
    """What the discriminator sees: flow in mean speeds, softly limited, zero at rest."""
    return torch.tanh(flow * weight / 3) * 3


class Trainer:
    """Both networks, their optimisers and the running mean; depends on config and data alone."""

    def __init__(
        self, config: MotionTrainingConfig, training: Shards, validation: Shards, device: str
    ) -> None:
        self.config, self.device = config, torch.device(device)
        self.training, self.validation = training, validation
        torch.manual_seed(config.seed)  # only starting weights; draws have their own generators
        self.network = build_network(config).to(self.device)
        self.judge = adversarial.PatchDiscriminator(2, width=config.discriminator_width)
        self.judge.to(self.device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99)
        )
        self.judge_optimizer = torch.optim.Adam(
            self.judge.parameters(), lr=config.discriminator_rate, betas=(0.0, 0.9)
        )
        self.step = 0
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def averaged(self) -> nn.Module:
        """The network that would ship now, in evaluation mode."""
        network = build_network(self.config).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def advance(self) -> LossTerms:
        """One step of the generator and, once it plays along, of the discriminator."""
        config = self.config
        rng = np.random.default_rng([config.seed, self.step])
        batch = motion_data.make_batch(self.training.draw(rng, config.batch), rng, config.draw)
        batch = batch.to(self.device)
        self.network.train()
        for optimizer, rate in (
            (self.optimizer, config.learning_rate),
            (self.judge_optimizer, config.discriminator_rate),
        ):
            optimizer.param_groups[0]["lr"] = rate * rate_at(self.step, config)
        terms = self._generator_step(batch, self.step >= config.gan_from * config.steps)
        update_average(self.average, self.network, step=self.step, decay=config.average_decay)
        self.step += 1
        return terms

    def _generator_step(self, batch: MotionBatch, adversarial: bool) -> LossTerms:
        config = self.config
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.mixed_precision):
            correction = self.network(batch.planes)
        flow = networks.corrected(batch.planes[:, BASE], correction.float())
        flow = flow * (batch.planes[:, MASK] > 0)
        error = endpoint_error(flow, batch.flow, batch.weight).mean()
        zero = torch.zeros_like(error)
        terms = LossTerms(error, zero, zero, zero)
        if adversarial:
            made = judged(flow, batch.weight)
            true = judged(batch.flow, batch.weight)
            terms = self._judge_step(error, true, made)
        judgement = config.judge_weight * (terms.gan + config.matching_weight * terms.matching)
        self.optimizer.zero_grad()
        (config.error_weight * terms.error + judgement).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return terms

    def _judge_step(self, error: Tensor, true: Tensor, made: Tensor) -> LossTerms:
        """Trains the discriminator, then asks it about the generator's flow."""
        loss = adversarial.discriminator_loss(self.judge(made.detach()), self.judge(true))
        self.judge_optimizer.zero_grad()
        loss.backward()
        self.judge_optimizer.step()
        self.judge.requires_grad_(False)
        with torch.no_grad():
            real = self.judge(true)
        fake = self.judge(made)
        self.judge.requires_grad_(True)
        matching = adversarial.feature_matching(fake, real)
        return LossTerms(error, matching, adversarial.generator_loss(fake), loss.detach())

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

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        save_states(self, self._parts, path)

    def load(self, path: Path) -> None:
        """Continues from a checkpoint."""
        load_states(self, self._parts, path, self.device)

    _parts = ("network", "judge", "optimizer", "judge_optimizer")


def preview_row(batch: MotionBatch, flow: Tensor) -> np.ndarray:
    """BGR bytes: for the first picture photo, analytic flow, prediction and truth side by side."""
    tiles = [(batch.planes[0, RGB] + 1).mul(127.5).permute(1, 2, 0).cpu().numpy()]
    for field_ in (batch.planes[0, BASE], flow[0], batch.flow[0]):
        scaled = (field_ * batch.weight[0] / 2).permute(1, 2, 0).cpu().numpy()
        tiles.append(colour_wheel(scaled) * 255)
    return np.hstack(tiles)[:, :, ::-1].astype(np.uint8)


def train(config: MotionTrainingConfig, data: Path, out: Path, *, device: str = "cpu") -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one."""
    shards = [motion_data.open_shards(data, name) for name in ("train", "validation")]
    trainer = Trainer(config, shards[0], shards[1], device)

    def report() -> None:
        scores = trainer.validate(out / f"preview{trainer.step:06d}.png")
        append_row(out / "validation.csv", {"step": trainer.step, **scores})

    return train_to_end(trainer, config, out, report)


def export(checkpoint: Path, folder: Path, config: MotionTrainingConfig) -> None:
    """Writes the running mean of a compact checkpoint as a model folder, weights in float16."""
    from cine3d_core.files.models.store import save_network

    network = build_network(config)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    millions = sum(weight.numel() for weight in network.parameters()) / 1e6
    save_network(
        folder,
        network,
        kind="motion",
        architecture=config.architecture,
        license="GPL-3.0-or-later",
        description=f"Refines the flow of water, sky and smoke, {millions:.1f} M parameters",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the steps of motion training to a parser."""
    defaults = MotionTrainingConfig()
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    scenes = steps.add_parser("scenes", help="draw synthetic flows; continues where it stopped")
    scenes.add_argument("photos", type=Path, help="folder with photos.csv (name,file,contents)")
    scenes.add_argument("--kind", choices=("train", "validation"), required=True)
    scenes.add_argument("--only", nargs="+", metavar="NAME", help="photographs to take")
    scenes.add_argument("--without", nargs="+", default=(), metavar="NAME", help="and not to take")
    scenes.add_argument(
        "--shards", type=int, nargs=2, required=True, metavar=("FIRST", "END"), help="numbers"
    )
    films = steps.add_parser("films", help="pack folders in the layout of Holynski et al.")
    films.add_argument("films", type=Path, help="folder of NAME_gt.mp4 and NAME_motion.pth")
    films.add_argument("--kind", choices=("train", "validation"), required=True)
    fit = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fit.add_argument("--out", type=Path, required=True, help="folder of checkpoint and logs")
    fit.add_argument("--family", choices=("compact", "official"), default=defaults.family)
    fit.add_argument("--steps", type=int, default=defaults.steps, help=f"default {defaults.steps}")
    fit.add_argument("--batch", type=int, default=defaults.batch, help=f"default {defaults.batch}")
    fit.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    fit.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    for step in (scenes, films, fit):
        step.add_argument("--data", type=Path, required=True, help="folder of shards")
        step.add_argument("--seed", type=int, default=defaults.seed)
    shipped = steps.add_parser("export", help="write weights.safetensors and model.json")
    shipped.add_argument("checkpoint", type=Path)
    shipped.add_argument("--out", type=Path, required=True, help="folder of the shipped model")


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    if args.step == "fit":
        torch.set_num_threads(args.threads)
        config = MotionTrainingConfig(
            family=args.family, steps=args.steps, batch=args.batch, seed=args.seed
        )
        print(f"trained: {train(config, args.data, args.out, device=args.device)}")
    elif args.step == "export":
        export(args.checkpoint, args.out, MotionTrainingConfig())
        print(f"written: {args.out}")
    else:
        print(f"{_make_shards(args)} shards in {args.data}")


def _make_shards(args: argparse.Namespace) -> int:
    # compiles with numba: seconds
    from cine3d_core.files.models.store import load_network
    from cine3d_core.synthetic.flow_pictures import read_photos
    from cine3d_core.training.motion import films as motion_films
    from cine3d_core.training.motion import shards as motion_shards

    depth_network = load_network("see").network
    if args.step == "films":
        seen = partial(motion_shards.estimated_nearness, depth_network)
        return motion_films.pack_films(args.films, args.data, args.kind, seen, seed=args.seed)
    made = motion_shards.make_shards(
        args.data,
        motion_shards.FAMILIES[args.kind],
        read_photos(args.photos, only=args.only, without=args.without),
        depth_network,
        shards=range(*args.shards),
        seed=args.seed,
    )
    return sum(1 for _ in tqdm(made, unit="shard"))
