"""One look at a photo by the bundled network: depth, what flows, and which way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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


def see(rgb: Tensor, network: nn.Module) -> Seen:
    """What the network says of a photo; the same input gives the same bits.

    Args:
        rgb: [3, H, W] in [0, 1].
        network: of `networks.see`, in evaluation mode.
    """
    answer = predict(network.to(rgb.device), rgb, long_sides=LONG_SIDES)
    colour = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy(), np.float32)
    rough = answer.classes[1:].cpu().numpy()
    sharp = torch.from_numpy(sharpen(rough, colour, rgb.device)).to(rgb.device)
    # filtered one by one, two planes may claim more than the whole of a pixel
    fluid = sharp / sharp.sum(0, keepdim=True).clamp(min=1)
    return Seen(answer.disparity[None], fluid, answer.direction)
