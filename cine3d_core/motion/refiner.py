"""Who says where what moves goes: the analytic solver alone, or refined by the shipped network."""

from __future__ import annotations

from functools import lru_cache

import torch

from cine3d_core.errors import InputError
from cine3d_core.files.models.store import LoadedNetwork, list_models, load_network
from cine3d_core.motion.refine import MotionRefiner
from cine3d_core.settings import MotionChoice

SHIPPED = "motion"


def motion_refiner(
    choice: MotionChoice | None = None, device: torch.device | None = None
) -> MotionRefiner | None:
    """What `direct.direct_motion` takes as `refine`; None for the analytic flow.

    Args:
        choice: None takes the network where it is installed.
        device: where the network works; None for the CPU. What it is given and gives is on the CPU.

    Raises:
        InputError: the network is asked for but not installed, or its weights are damaged.
    """
    loaded = _chosen(choice)
    return None if loaded is None else MotionRefiner(loaded.network.to(device or "cpu"))


def motion_checksums(choice: MotionChoice | None = None) -> dict[str, str]:
    """The network's name and the sha256 of its weights; empty for the analytic choice."""
    loaded = _chosen(choice)
    return {} if loaded is None else {loaded.info.name: loaded.info.sha256}


def _chosen(choice: MotionChoice | None) -> LoadedNetwork | None:
    if choice == "analytic":
        return None
    loaded = _loaded()
    if loaded is None and choice == "network":
        raise InputError(
            "the motion network is not installed", "install it", "choose {motion} analytic"
        )
    return loaded


@lru_cache(maxsize=1)
def _loaded() -> LoadedNetwork | None:
    installed = any(info.name == SHIPPED for info in list_models())
    return load_network(SHIPPED) if installed else None
