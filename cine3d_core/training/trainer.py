"""The skeleton of every training: one optimiser step, the running mean, checkpoint and resuming."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cine3d_core.training.adversarial import Critic
from cine3d_core.training.loop import append_row, drop_later_rows, update_average

CPU = torch.device("cpu")


class Run(Protocol):
    """What the skeleton asks of a training's configuration, a dataclass."""

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        ...

    @property
    def learning_rate(self) -> float:
        """At its highest."""
        ...

    @property
    def largest_gradient(self) -> float:
        """Norm to which larger gradients are cut."""
        ...

    @property
    def average_decay(self) -> float:
        """Of the running mean of the weights, which is what ships."""
        ...

    @property
    def checkpoint_steps(self) -> int:
        """Steps between checkpoints."""
        ...


class Terms(Protocol):
    """Parts of a step's loss: a dataclass of tensors."""

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        ...


Config = TypeVar("Config", bound=Run)
Network = TypeVar("Network", bound=nn.Module)
Loss = TypeVar("Loss", bound=Terms)


class Trainer(ABC, Generic[Config, Network, Loss]):
    """Networks, optimisers and running mean of one training.

    Its steps depend on checkpoint, configuration and data alone: `losses` draws by `self.step`.
    """

    def __init__(
        self,
        config: Config,
        network: Network,
        optimizer: torch.optim.Optimizer,
        *,
        rate: Callable[[int], float],  # share of the learning rate at a step
        critic: Critic | None = None,
        device: torch.device = CPU,
    ) -> None:
        self.config, self.device = config, device
        self.network, self.optimizer, self.critic = network, optimizer, critic
        self.rate = rate
        self.step = 0
        self.best = -1.0  # score of the validations so far, where a training keeps its best
        self.restart_average()

    @abstractmethod
    def fresh(self) -> Network:
        """The network with some weights of its shape, on the CPU."""

    @abstractmethod
    def losses(self) -> Loss:
        """What the network loses on this step's batch, whatever came before."""

    def restart_average(self) -> None:
        """The running mean becomes the present weights."""
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def advance(self) -> Loss:
        """One optimiser step; the parts of its loss."""
        config = self.config
        for group in self.optimizer.param_groups:  # some learn at a share of the others' rate
            group["lr"] = config.learning_rate * group.get("scale", 1.0) * self.rate(self.step)
        self.network.train()
        terms = self.losses()
        self.optimizer.zero_grad()
        terms.total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), config.largest_gradient)
        self.optimizer.step()
        update_average(self.average, self.network, step=self.step, decay=config.average_decay)
        self.step += 1
        return terms

    def averaged(self) -> Network:
        """The network that would ship now, in evaluation mode."""
        network = self.fresh().to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, path: Path) -> None:
        """Writes all that `load` needs to go on with the same steps.

        Under another name first: a reader never sees half of it.
        """
        states = {name: part.state_dict() for name, part in self._parts().items()}
        numbers = {"average": self.average, "step": self.step, "best": self.best}
        unfinished = path.with_suffix(".partial")
        torch.save({**states, **numbers}, unfinished)
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote."""
        states = torch.load(path, weights_only=True, map_location=self.device)
        for name, part in self._parts().items():
            part.load_state_dict(states[name])
        self.average, self.step = states["average"], states["step"]
        self.best = states.get("best", self.best)

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"network": self.network, "optimizer": self.optimizer}
        if self.critic is not None:
            parts |= {"discriminator": self.critic.network, "critic": self.critic.optimizer}
        return parts

    def run(
        self, out: Path, report: Callable[[], None], *, facts: dict[str, Any] | None = None
    ) -> Path:
        """Trains to the last step and returns the checkpoint; continues where `out` holds one.

        `out` gets `config.json`, `losses.csv` and `checkpoint.pt`.

        Args:
            out: folder.
            report: called after every checkpoint: scores and pictures.
            facts: more to be told in `config.json`.
        """
        out.mkdir(parents=True, exist_ok=True)
        checkpoint, log, config = out / "checkpoint.pt", out / "losses.csv", self.config
        if checkpoint.exists():
            self.load(checkpoint)
        told = {**asdict(config), **(facts or {})}  # pyright: ignore[reportArgumentType]
        (out / "config.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        for path in (log, out / "validation.csv"):
            drop_later_rows(path, self.step)
        started = time.monotonic()
        with tqdm(total=config.steps, initial=self.step, unit="step", disable=None) as progress:
            while self.step < config.steps:
                terms = self.advance()
                parts = {name: round(value.item(), 5) for name, value in vars(terms).items()}
                seconds = round(time.monotonic() - started, 1)
                append_row(log, {"step": self.step, **parts, "seconds": seconds})
                progress.update()
                if self.step % config.checkpoint_steps == 0 or self.step == config.steps:
                    self.save(checkpoint)  # first: nothing is lost if the report is interrupted
                    report()
        return checkpoint


def shipped(checkpoint: Path, network: Network) -> Network:
    """The network with the running mean of a checkpoint as its weights, in evaluation mode."""
    states = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network.load_state_dict(states["average"])
    return network.eval()
