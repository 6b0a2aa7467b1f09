"""Training of the see network on photographs and made-up scenes: configuration and steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cine3d_core.files.models.store import save_network
from cine3d_core.networks import see as networks
from cine3d_core.networks.layout import channels_last
from cine3d_core.training.loop import cosine_at
from cine3d_core.training.see.losses import Terms, Weights, terms_of
from cine3d_core.training.see.photos import NotedPhoto
from cine3d_core.training.see.views import Batch, by_kind, draw_batch
from cine3d_core.training.trainer import Trainer, shipped

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
    largest_gradient: float = 5.0  # norm to which larger gradients are cut
    average_decay: float = 0.997  # of the running mean of the weights, which is what ships
    weights: Weights = field(default_factory=Weights)
    checkpoint_steps: int = 100
    seed: int = 5


# The second round goes on from the mean weights of the first, with larger views throughout.
SECOND_ROUND = SeeTrainingConfig(
    steps=1400,
    sizes=(
        (0.0, ((288, 384), (256, 416), (320, 320), (384, 288))),
        (0.65, ((320, 448), (288, 480), (384, 384), (448, 320))),
    ),
    learning_rate=7e-4,
    seed=6,
)


# The third gives more of its views and of its weight to what flows and which way.
THIRD_ROUND = replace(
    SECOND_ROUND,
    steps=1350,
    kinds=("wet", "wet", "wet", "air", "air", "noted", "bare", "scene"),
    weights=Weights(classes=2.0, dice=1.0, direction=0.5),
    seed=7,
)
ROUNDS = {1: SeeTrainingConfig(), 2: SECOND_ROUND, 3: THIRD_ROUND}


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


class SeeTrainer(Trainer[SeeTrainingConfig, networks.SeeNetwork, Terms]):
    """The network, most of its pretrained encoder included."""

    def __init__(
        self, config: SeeTrainingConfig, photos: list[NotedPhoto], scenes: list[Path]
    ) -> None:
        self.photos, self.scenes = photos, scenes
        self.batches: Iterator[Batch] | None = None
        torch.manual_seed(config.seed)
        network = channels_last(networks.build())
        self.frozen = [network.encoder.stem, *network.encoder.stages[:FROZEN_STAGES]]
        for part in self.frozen:
            part.requires_grad_(False)
        learned = (network.encoder, network.classifier, network.places)
        pretrained = [p for part in learned for p in part.parameters() if p.requires_grad]
        known = {id(p) for part in learned for p in part.parameters()}
        decoder = [p for p in network.parameters() if id(p) not in known]
        optimizer = torch.optim.AdamW(
            [
                {"params": pretrained, "scale": config.encoder_rate},
                {"params": decoder, "scale": 1.0},
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        rate = partial(cosine_at, steps=config.steps, warmup_steps=config.warmup_steps)
        super().__init__(config, network, optimizer, rate=rate)

    def fresh(self) -> networks.SeeNetwork:
        """See `Trainer`."""
        return networks.build()

    def start_from_imagenet(self, path: Path) -> None:
        """Pretrained encoder and classifier; the decoder stays random."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing = self.network.load_state_dict(networks.pretrained_state(state), strict=False)
        if missing.unexpected_keys:
            raise ValueError(
                f"{path.name} holds {missing.unexpected_keys[:3]}, which have no place"
            )
        self.restart_average()

    def start_from_round(self, checkpoint: Path) -> None:
        """The mean weights of a training that came before."""
        self.network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
        self.restart_average()

    def _next_batch(self) -> Batch:
        if self.batches is None:
            data = Batches(self.photos, self.scenes, self.config, self.step)
            loader = DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=2)
            self.batches = iter(loader)
        return next(self.batches)

    def losses(self) -> Terms:
        """See `Trainer`."""
        batch = self._next_batch()
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)  # of dropout
        for part in self.frozen:
            part.eval()
        answer = self.network(batch.rgb.contiguous(memory_format=torch.channels_last))
        return terms_of(answer, batch, self.config.weights)


def export(checkpoint: Path, out: Path, *, before: Path | None = None, share: float = 1.0) -> None:
    """Writes the mean weights of a checkpoint as a model folder.

    Args:
        checkpoint: of the last round.
        out: the folder.
        before: checkpoint of the round before, whose weights are mixed in (Wortsman et al.,
            "Robust fine-tuning of zero-shot models", CVPR 2022).
        share: of the last round's weights in that mixture, in [0, 1].
    """
    network = shipped(checkpoint, networks.build())
    if before is not None:
        earlier = shipped(before, networks.build()).state_dict()
        mixed = {
            name: torch.lerp(earlier[name], value, share) if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        }
        network.load_state_dict(mixed)
    save_network(
        out,
        network,
        kind="see",
        architecture={},
        license="GPL-3.0-or-later; the encoder started from EfficientNet-Lite2, Apache-2.0",
        description="Depth, what flows and which way, of one photograph; 5.3 M parameters",
    )
