"""One look at a photo by the bundled network: depth, what flows, and which way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.models.store import (
    LoadedNetwork,
    find_model,
    list_models,
    load_network,
)
from cine3d_core.networks.see import predict
from cine3d_core.see.regions import sharpen

BUNDLED = "see"
LONG_SIDES = (384, 512)  # px of the network's views: the whole, and thin things


@dataclass(frozen=True)
class Seen:
    """What the network says of a photo."""

    disparity: Tensor  # [1, h, w] relative inverse depth in [0, 1], near = 1, at network size
    fluid: Tensor  # [K, H, W] probability of each of FLUIDS, borders along the photo's edges
    direction: Tensor  # [2, h, w] which way it would flow, the longer (up to 1) the surer


def see(rgb: Tensor) -> Seen:  # [3, H, W]
    """What the network says of a photo; the same input gives the same bits.

    Raises:
        InputError: the network is not installed, or its weights are damaged.
    """
    sight = predict(_loaded().network.to(rgb.device), rgb, long_sides=LONG_SIDES)
    colour = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy(), np.float32)
    sharp = torch.from_numpy(sharpen(sight.classes[1:].cpu().numpy(), colour)).to(rgb.device)
    # filtered one by one, two planes may claim more than the whole of a pixel
    fluid = sharp / sharp.sum(0, keepdim=True).clamp(min=1)
    return Seen(sight.disparity[None], fluid, sight.direction)


def see_checksums() -> dict[str, str]:
    """The network's name and the sha256 of its weights.

    Raises:
        InputError: the network is not installed, or its weights are damaged.
    """
    info = _loaded().info
    return {info.name: info.sha256}


def can_see() -> bool:
    """Whether the network is installed."""
    return any(info.name == BUNDLED for info in list_models())


def _loaded() -> LoadedNetwork:
    info = find_model(BUNDLED)
    # another folder of models, or other weights, may have come since
    return _of_folder(info.folder, info.network, info.sha256)


@lru_cache(maxsize=1)
def _of_folder(folder: Path, network: str, sha256: str) -> LoadedNetwork:
    if network != BUNDLED:
        raise InputError(
            f"the model in {folder} is of the kind {network!r}, but the photo is looked at by one "
            f"of the kind {BUNDLED!r}; install the model that comes with Cine3D again"
        )
    return load_network(BUNDLED)
