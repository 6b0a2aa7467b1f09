"""Training of the see network: `cine3d train see STEP ...`.

scenes   render made-up scenes          fit   train on photographs and scenes, resumable
export   write the shipped weights
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from cine3d_core.files.models.store import save_network
from cine3d_core.networks import see as networks
from cine3d_core.synthetic.depth.pack import make_texture_bank, pack_scenes, read_bank, write_bank
from cine3d_core.training.loop import load_states, save_states, train_to_end, update_average
from cine3d_core.training.see.losses import Terms, Weights, terms_of
from cine3d_core.training.see.photos import NotedPhoto, read_photos
from cine3d_core.training.see.views import SKY, Batch, by_kind, draw_batch

FROZEN_STAGES = 2  # of the encoder, beside its stem: general enough, and costly to train


@dataclass(frozen=True)
class SeeTrainingConfig:
    """How the network is trained."""

    steps: int = 1500  # optimiser steps
    kinds: tuple[str, ...] = ("wet", "wet", "wet", "air", "noted", "noted", "bare", "scene")
    # (height, width) of the views, and from which share of the steps on they are used
    sizes: tuple[tuple[float, tuple[tuple[int, int], ...]], ...] = (
        (0.0, ((256, 320), (224, 352), (288, 288), (320, 256))),
        (0.45, ((288, 384), (256, 416), (320, 320), (384, 288))),
        (0.85, ((320, 448), (288, 480), (384, 384), (448, 320))),
    )
    learning_rate: float = 1e-3  # of the decoder
    encoder_rate: float = 0.2  # of that for the pretrained part
    weight_decay: float = 0.03
    warmup_steps: int = 60
    cooldown_share: float = 1.0  # read by the shared loop alone; the rate follows a cosine
    average_decay: float = 0.997  # of the running mean of the weights, which is what ships
    weights: Weights = field(default_factory=Weights)
    checkpoint_steps: int = 100
    seed: int = 5


class Batches(Dataset[Batch]):
    """Batch number n, a function of the seed and n alone."""

    def __init__(
        self, photos: list[NotedPhoto], scenes: list[Path], config: SeeTrainingConfig, first: int
    ) -> None:
        self.photos, self.scenes = by_kind(photos), scenes
        self.config, self.first = config, first

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __getitem__(self, index: int) -> Batch:
        step = self.first + index
        random = np.random.default_rng([self.config.seed, step])
        sizes = [s for share, s in self.config.sizes if step >= share * self.config.steps][-1]
        size = sizes[int(random.integers(len(sizes)))]
        return draw_batch(self.photos, self.scenes, size, self.config.kinds, random)


class Trainer:
    """Network, optimiser and running mean; depends on checkpoint, config and data alone."""

    def __init__(
        self, config: SeeTrainingConfig, photos: list[NotedPhoto], scenes: list[Path]
    ) -> None:
        self.config, self.photos, self.scenes = config, photos, scenes
        torch.manual_seed(config.seed)
        self.network = networks.build()
        # pyright knows only torch's other spellings of to()
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.frozen = [self.network.encoder.stem, *self.network.encoder.stages[:FROZEN_STAGES]]
        for part in self.frozen:
            part.requires_grad_(False)
        learned = (self.network.encoder, self.network.classifier, self.network.places)
        pretrained = [p for part in learned for p in part.parameters() if p.requires_grad]
        known = {id(p) for part in learned for p in part.parameters()}
        decoder = [p for p in self.network.parameters() if id(p) not in known]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": pretrained, "scale": config.encoder_rate},
                {"params": decoder, "scale": 1.0},
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.step = 0
        self.batches: Iterator[Batch] | None = None
        self.restart_average()

    def restart_average(self) -> None:
        """The running mean becomes the present weights."""
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def start_from_imagenet(self, path: Path) -> None:
        """Pretrained encoder and classifier; the decoder stays random."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing = self.network.load_state_dict(networks.pretrained_state(state), strict=False)
        if missing.unexpected_keys:
            raise ValueError(
                f"{path.name} holds {missing.unexpected_keys[:3]}, which have no place"
            )
        self.restart_average()

    def _next_batch(self) -> Batch:
        if self.batches is None:
            data = Batches(self.photos, self.scenes, self.config, self.step)
            loader = DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=2)
            self.batches = iter(loader)
        return next(self.batches)

    def advance(self) -> Terms:
        """One optimiser step."""
        config = self.config
        rise = min(1.0, (self.step + 1) / config.warmup_steps)
        fall = 0.5 * (1 + math.cos(math.pi * self.step / config.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * group["scale"] * rise * max(fall, 0.01)
        batch = self._next_batch()
        torch.manual_seed(config.seed * 1_000_003 + self.step)  # of dropout
        self.network.train()
        for part in self.frozen:
            part.eval()
        answer = self.network(batch.rgb.contiguous(memory_format=torch.channels_last))
        terms = terms_of(answer, batch, config.weights)
        self.optimizer.zero_grad(set_to_none=True)
        terms.total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        update_average(self.average, self.network, step=self.step, decay=config.average_decay)
        self.step += 1
        return Terms(*(term.detach() for term in vars(terms).values()))

    def averaged(self) -> networks.SeeNetwork:
        """The network that would ship now, in evaluation mode."""
        network = networks.build()
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, path: Path) -> None:
        """Writes all that `load` needs to go on with the same steps."""
        save_states(self, ("network", "optimizer"), path)

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote."""
        load_states(self, ("network", "optimizer"), path)


def make_scenes(photos: Path, data: Path, seeds: range, seed: int) -> int:
    """Packs made-up scenes that wear the training photographs' textures; how many there are."""
    # compiles with numba: seconds
    from cine3d_core.synthetic.depth.scenes import render_scene

    if not (data / "textures.npz").exists():
        found = [(p.rgb, p.classes == SKY) for p in read_photos(photos, split="train")]
        data.mkdir(parents=True, exist_ok=True)
        write_bank(make_texture_bank(found, seed=seed), data)
    bank = read_bank(data)
    made = pack_scenes(partial(render_scene, bank), seeds, data)
    return sum(1 for _ in tqdm(made, total=len(seeds), unit="scene"))


def export(checkpoint: Path, out: Path) -> None:
    """Writes the mean weights of a checkpoint as a model folder."""
    network = networks.build()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    save_network(
        out,
        network,
        kind="see",
        architecture={},
        license="GPL-3.0-or-later; the encoder started from EfficientNet-Lite2, Apache-2.0",
        description="Depth, what flows and which way, of one photograph; 5.3 M parameters",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the training's steps to a parser."""
    steps = parser.add_subparsers(dest="step", required=True)
    scenes = steps.add_parser("scenes", help="render made-up scenes")
    scenes.add_argument("photos", type=Path, help="photos.csv, images, notes and levels")
    scenes.add_argument("--data", type=Path, required=True, help="folder of the scenes")
    scenes.add_argument("--seeds", type=int, nargs=2, default=(5000, 5400), help="from, to")
    scenes.add_argument("--seed", type=int, default=11, help="of the textures")
    fitting = steps.add_parser("fit", help="train, going on from its checkpoint")
    fitting.add_argument("photos", type=Path, help="photos.csv, images, notes and levels")
    fitting.add_argument("--labels", type=Path, help="folder of a label maker's NAME.npy")
    fitting.add_argument("--data", type=Path, help="folder of the scenes")
    fitting.add_argument("--encoder", type=Path, required=True, help="EfficientNet-Lite2 weights")
    fitting.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    fitting.add_argument("--steps", type=int, default=SeeTrainingConfig.steps)
    fitting.add_argument("--seed", type=int, default=SeeTrainingConfig.seed)
    fitting.add_argument("--threads", type=int, default=1)
    writing = steps.add_parser("export", help="write the model folder")
    writing.add_argument("checkpoint", type=Path)
    writing.add_argument("--out", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    if args.step == "export":
        export(args.checkpoint, args.out)
    elif args.step == "scenes":
        count = make_scenes(args.photos, args.data, range(*args.seeds), args.seed)
        print(f"{count} scenes in {args.data}")
    else:
        _fit(args)


def _fit(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    config = SeeTrainingConfig(steps=args.steps, seed=args.seed)
    photos = read_photos(args.photos, split="train", labels=args.labels)
    scenes = sorted((args.data / "scenes").glob("*.npz")) if args.data else []
    trainer = Trainer(config, photos, scenes)
    trainer.start_from_imagenet(args.encoder)
    facts = {"photos": len(photos), "scenes": len(scenes)}
    train_to_end(trainer, config, args.out, lambda: None, facts=facts)
