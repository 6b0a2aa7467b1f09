"""What flows in a photo, by the shipped network: sky with its clouds, water, smoke and fog."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cine3d_core.files.models.store import LoadedNetwork, list_models, load_network
from cine3d_core.motion.segment_regions import sharpen
from cine3d_core.networks.fluid import predict

SHIPPED = "fluid"


def fluid_classes(rgb: Tensor) -> Tensor | None:  # [3, H, W] -> [3, H, W]
    """Probability of sky, water and smoke, borders along the photo's edges; they sum to 1 or less.

    None where the network is not installed. The same input gives the same bits.

    Raises:
        InputError: the network's weights are damaged.
    """
    loaded = _loaded()
    if loaded is None:
        return None
    classes = predict(loaded.network.to(rgb.device), rgb)[1:].cpu().numpy()
    colour = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy(), np.float32)
    sharp = torch.from_numpy(sharpen(classes, colour)).to(rgb.device)
    # filtered one by one, two planes may claim more than the whole of a pixel
    return sharp / sharp.sum(0, keepdim=True).clamp(min=1)


def fluid_checksums() -> dict[str, str]:
    """The network's name and the sha256 of its weights; empty where it is not installed."""
    loaded = _loaded()
    return {} if loaded is None else {loaded.info.name: loaded.info.sha256}


@lru_cache(maxsize=1)
def _loaded() -> LoadedNetwork | None:
    installed = any(info.name == SHIPPED for info in list_models())
    return load_network(SHIPPED) if installed else None
