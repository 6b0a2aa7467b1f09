"""Choosing the device that tensors live on, and bringing records there."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch

from cine3d_core.errors import InputError
from cine3d_core.imaging.card_facts import card_facts
from cine3d_core.scene import Camera

Record = TypeVar("Record")


def choose_device(name: str) -> torch.device:
    """The torch device for "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: this machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(name.split(":")[0], False):
        usable = ", ".join(kind for kind, there in available.items() if there)
        problem = card_facts().problem if name.startswith("cuda") else None
        why = "" if problem is None else f": {problem}"
        raise InputError(
            f"device '{name}' is not available on this machine{why}; use one of: {usable}"
        )
    try:
        return torch.device(name)
    except RuntimeError as error:  # such as "cuda:two"
        raise InputError(
            f"there is no device '{name}'; use cuda, or cuda:1 for the second"
        ) from error


def on_device(record: Record, device: torch.device) -> Record:
    """A record with all its tensors on `device`, those of records in it and in its tuples too.

    Cameras, which are read on the CPU, stay.
    """
    if isinstance(record, dict):
        moved = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in record.items()}
        return cast(Record, moved)
    if isinstance(record, tuple):
        return cast(Record, tuple(on_device(part, device) for part in record))
    if not is_dataclass(record) or isinstance(record, (Camera, type)):
        return record
    changes: dict[str, Any] = {}
    for entry in fields(record):
        value = getattr(record, entry.name)
        moved = value.to(device) if isinstance(value, torch.Tensor) else on_device(value, device)
        changes[entry.name] = moved
    return replace(record, **changes)


def bytes_of(record: Any) -> int:
    """Memory of the tensors of a record and of the records in it; shared ones count once."""
    found: dict[int, int] = {}
    _collect(record, found)
    return sum(found.values())


def _collect(value: Any, found: dict[int, int]) -> None:
    if isinstance(value, torch.Tensor):
        found[id(value)] = value.numel() * value.element_size()
    elif is_dataclass(value) and not isinstance(value, type):
        for entry in fields(value):
            _collect(getattr(value, entry.name), found)
    elif isinstance(value, tuple):
        for part in value:
            _collect(part, found)
