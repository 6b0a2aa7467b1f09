"""The learning rate over time, the running mean of weights, the log of a training."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn


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


def rate_at(step: int, schedule: Schedule) -> float:
    """Share of the learning rate: linear warm-up, plateau, linear cool-down to zero."""
    rise = (step + 1) / max(schedule.warmup_steps, 1)
    fall = (schedule.steps - step) / max(schedule.cooldown_share * schedule.steps, 1)
    return max(0.0, min(1.0, rise, fall))


def cosine_at(step: int, *, steps: int, warmup_steps: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to a hundredth."""
    fall = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warmup_steps) * max(fall, 0.01)


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
