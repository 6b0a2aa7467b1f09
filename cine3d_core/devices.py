"""Choosing the device that the tensors live on."""

from __future__ import annotations

import torch

from cine3d_core.errors import InputError


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
        raise InputError(f"device '{name}' is not available on this machine; use one of: {usable}")
    return torch.device(name)
