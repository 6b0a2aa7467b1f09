"""What flows by a network of the shelf, which tells sky, water and falls better than ours.

What it has no class for, smoke and fire, stays the bundled network's in what is left.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cine3d_core.networks.shelf import ade20k
from cine3d_core.scene import FLUIDS
from cine3d_core.see.regions import sharpen


def better_classes(rgb: Tensor, fluid: Tensor | None, network: nn.Module) -> Tensor:
    """Probability of each of FLUIDS, by a network of the shelf where it knows them.

    Args:
        rgb: [3, H, W].
        fluid: [K, H, W] as the bundled network has it; None where that was not asked.
        network: as `networks.shelf.ade20k` wants it.

    Returns:
        [K, H, W] on the CPU.
    """
    rough = ade20k.predict(network.to(rgb.device), rgb).cpu().numpy()
    colour = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy(), np.float32)
    known = torch.from_numpy(sharpen(rough, colour, rgb.device))
    result = torch.zeros(len(FLUIDS), *rgb.shape[1:]) if fluid is None else fluid.cpu().clone()
    left = (1 - known.sum(0)).clamp(min=0)
    for number, name in enumerate(FLUIDS):
        result[number] = (
            known[ade20k.NAMES.index(name)] if name in ade20k.NAMES else (result[number] * left)
        )
    return result / result.sum(0, keepdim=True).clamp(min=1)
