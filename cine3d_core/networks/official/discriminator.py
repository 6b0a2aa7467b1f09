"""The multi-scale patch discriminator of both training stages (pix2pixHD, Wang et al. 2018)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.official.spectral import SpectralConv2d


def build(*, in_channels: int = 3) -> Discriminator:
    """The published discriminator (3 channels: pictures, 2: flow), with untrained weights."""
    return Discriminator(in_channels)


class Discriminator(nn.Module):
    """Two patch discriminators, the second at half the size.

    The checkpoints carry the name of the loss that owned the net, hence the two levels of `netD`.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.netD = nn.ModuleDict({"netD": _Scales(in_channels)})

    def forward(
        self,
        x: Tensor,  # [B, C, H, W]
    ) -> list[list[Tensor]]:
        """All five activations of both scales; the last of each is the prediction."""
        return self.netD["netD"](x)


class _Scales(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.discriminator_0 = _PatchNet(in_channels)
        self.discriminator_1 = _PatchNet(in_channels)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        half = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return [self.discriminator_0(x), self.discriminator_1(half)]


class _PatchNet(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        first = nn.Conv2d(in_channels, 64, 4, 2, 2)
        self.model0 = nn.Sequential(first, nn.LeakyReLU(0.2))
        self.model1 = _normed(64, 128, stride=2)
        self.model2 = _normed(128, 256, stride=2)
        self.model3 = _normed(256, 512, stride=1)
        self.model4 = nn.Sequential(nn.Conv2d(512, 1, 4, 1, 2))

    def forward(self, x: Tensor) -> list[Tensor]:
        activations = []
        for model in (self.model0, self.model1, self.model2, self.model3, self.model4):
            x = model(x)
            activations.append(x)
        return activations


def _normed(inside: int, outside: int, *, stride: int) -> nn.Sequential:
    conv = SpectralConv2d(inside, outside, 4, stride=stride, padding=2, bias=False)
    return nn.Sequential(nn.Sequential(conv, nn.InstanceNorm2d(outside)), nn.LeakyReLU(0.2))
