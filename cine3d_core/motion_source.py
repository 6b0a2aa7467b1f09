"""Who says where what moves goes: the analytic solver alone, or refined by the shipped network."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from cine3d_core.errors import InputError
from cine3d_core.files.models import LoadedNetwork, list_models, load_network
from cine3d_core.motion_refine import MotionRefiner

SHIPPED = "motion"
MotionChoice = Literal["analytic", "network"]


def motion_refiner(choice: MotionChoice) -> MotionRefiner | None:
    """What `directing.direct_motion` takes as `refine`.

    Raises:
        InputError: the network is asked for but not installed, or damaged.
    """
    return None if choice == "analytic" else MotionRefiner(_loaded().network)


def motion_checksums(choice: MotionChoice) -> dict[str, str]:
    """The network's name and the sha256 of its weights; empty for the analytic choice."""
    if choice == "analytic":
        return {}
    info = _loaded().info
    return {info.name: info.sha256}


@lru_cache(maxsize=1)
def _loaded() -> LoadedNetwork:
    if not any(info.name == SHIPPED for info in list_models()):
        raise InputError(
            "the motion network is not installed; install it, or choose --motion analytic"
        )
    return load_network(SHIPPED)
