"""Training of the see network: `python -m cine3d_core.training.see.train PHOTOS --out RUN ...`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cine3d_core.networks import see as networks
from cine3d_core.training.loop import load_states, save_states, train_to_end, update_average
from cine3d_core.training.see.losses import Terms, Weights, terms_of
from cine3d_core.training.see.photos import NotedPhoto, read_photos
from cine3d_core.training.see.views import Batch, by_kind, draw_batch

FROZEN_STAGES = 2  # of the encoder, beside its stem: general enough, and costly to train


@dataclass(frozen=True)
class SeeTrainingConfig:
    """How the network is trained."""

    steps: int = 2200  # optimiser steps
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
    threads: int = 1


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
        missing = self.network.load_state_dict(networks.state_from_imagenet(state), strict=False)
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


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder with photos.csv, images, notes, levels")
    parser.add_argument("--labels", type=Path, help="folder of a label maker's NAME.npy")
    parser.add_argument("--scenes", type=Path, help="folder of packed made-up scenes")
    parser.add_argument("--encoder", type=Path, required=True, help="EfficientNet-Lite2 weights")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=SeeTrainingConfig.steps)
    parser.add_argument("--seed", type=int, default=SeeTrainingConfig.seed)
    parser.add_argument("--threads", type=int, default=SeeTrainingConfig.threads)
    args = parser.parse_args()
    config = SeeTrainingConfig(steps=args.steps, seed=args.seed, threads=args.threads)
    torch.set_num_threads(config.threads)
    photos = read_photos(args.photos, split="train", labels=args.labels)
    scenes = sorted(args.scenes.glob("*.npz")) if args.scenes else []
    trainer = Trainer(config, photos, scenes)
    trainer.start_from_imagenet(args.encoder)
    facts = {"photos": len(photos), "scenes": len(scenes), "weights": asdict(config.weights)}
    train_to_end(trainer, config, args.out, lambda: None, facts=facts)


if __name__ == "__main__":
    main()
