"""What all trainings share: the learning rate over time, the running mean of weights, the log."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm


class Schedule(Protocol):
    """The part of a training's configuration that says how its learning rate rises and falls."""

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        ...

    @property
    def warmup_steps(self) -> int:
        """Steps of the rise."""
        ...

    @property
    def cooldown_share(self) -> float:
        """Share of the steps, at the end, of the fall."""
        ...


class Run(Schedule, Protocol):
    """A training's configuration, a dataclass."""

    @property
    def checkpoint_steps(self) -> int:
        """Steps between checkpoints."""
        ...


class Trainable(Protocol):
    """Networks, optimisers and running mean of one training."""

    step: int

    def advance(self) -> Any:
        """One optimiser step; a dataclass of the loss terms, each a tensor."""
        ...

    def save(self, path: Path) -> None:
        """Writes all that `load` needs to go on with the same steps."""
        ...

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote."""
        ...


def train_to_end(
    trainer: Trainable,
    config: Run,
    out: Path,
    report: Callable[[], None],
    *,
    facts: dict[str, Any] | None = None,
) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one.

    `out` gets `config.json`, `losses.csv` and `checkpoint.pt`.

    Args:
        trainer: at its first step.
        config: a dataclass.
        out: folder.
        report: called after every checkpoint: scores and pictures.
        facts: more to be told in `config.json`.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, log = out / "checkpoint.pt", out / "losses.csv"
    if checkpoint.exists():
        trainer.load(checkpoint)
    told = {**asdict(config), **(facts or {})}  # type: ignore[call-overload]
    (out / "config.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    for path in (log, out / "validation.csv"):
        drop_later_rows(path, trainer.step)
    started = time.monotonic()
    with tqdm(total=config.steps, initial=trainer.step, unit="step", disable=None) as progress:
        while trainer.step < config.steps:
            terms = trainer.advance()
            parts = {name: round(value.item(), 5) for name, value in vars(terms).items()}
            seconds = round(time.monotonic() - started, 1)
            append_row(log, {"step": trainer.step, **parts, "seconds": seconds})
            progress.update()
            if trainer.step % config.checkpoint_steps == 0 or trainer.step == config.steps:
                trainer.save(checkpoint)  # first: nothing is lost if the report is interrupted
                report()
    return checkpoint


def save_states(trainer: Any, parts: Sequence[str], path: Path, **more: Any) -> None:
    """Writes a checkpoint under another name first: a reader never sees half of it.

    Args:
        trainer: has `average`, `step` and the attributes named in `parts`.
        parts: names of networks and optimisers.
        path: of the checkpoint.
        more: numbers that go with it.
    """
    states = {name: getattr(trainer, name).state_dict() for name in parts}
    unfinished = path.with_suffix(".partial")
    torch.save({**states, "average": trainer.average, "step": trainer.step, **more}, unfinished)
    unfinished.replace(path)


def load_states(
    trainer: Any, parts: Sequence[str], path: Path, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """Puts what `save_states` wrote back, and returns all of it."""
    states = torch.load(path, weights_only=True, map_location=device)
    for name in parts:
        getattr(trainer, name).load_state_dict(states[name])
    trainer.average, trainer.step = states["average"], states["step"]
    return states


def rate_at(step: int, schedule: Schedule) -> float:
    """Share of the learning rate: linear warm-up, plateau, linear cool-down to zero."""
    rise = (step + 1) / max(schedule.warmup_steps, 1)
    fall = (schedule.steps - step) / max(schedule.cooldown_share * schedule.steps, 1)
    return max(0.0, min(1.0, rise, fall))


def update_average(
    average: dict[str, Tensor], network: nn.Module, *, step: int, decay: float
) -> None:
    """Moves the running mean towards the weights, in place; faster at first."""
    share = min(decay, (1 + step) / (10 + step))
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor, 1 - share)
        else:
            average[name].copy_(tensor)


def append_row(path: Path, row: dict[str, float]) -> None:
    """Adds a line to a CSV file, with the header first where the file is new."""
    is_new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, row.keys())
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def drop_later_rows(path: Path, step: int) -> None:
    """Removes what a stopped run logged after its last checkpoint."""
    if path.exists():
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        kept = [header, *(row for row in rows if int(row.split(",")[0]) <= step)]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
