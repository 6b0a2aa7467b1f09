"""Who says where what moves goes: the analytic solver alone, or refined by the shipped network."""

from __future__ import annotations

from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.store import LoadedNetwork
from cine3d_core.settings import MotionChoice

SHIPPED = "motion"


def motion_network(networks: Networks, choice: MotionChoice | None = None) -> LoadedNetwork | None:
    """The network that refines the analytic flow (`refine.MotionRefiner`); None for that alone.

    Args:
        networks: of this machine.
        choice: None takes the network where it is installed.

    Raises:
        InputError: the network is asked for but not installed, or its weights are damaged.
    """
    if choice == "analytic":
        return None
    loaded = networks.opened(SHIPPED)
    if loaded is None and choice == "network":
        raise InputError(
            "the motion network is not installed", "install it", "choose {motion} analytic"
        )
    return loaded
