"""The feature extractor: a ResNet34-like U-Net from RGBA layers to 32 channels at a quarter size.

3D Cinemagraphy, section 3.3 (there: "2D feature extraction network"); taken over from 3D Moments.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def build(*, in_channels: int = 4, out_channels: int = 32) -> FeatureNet:
    """The published feature net, with untrained weights."""
    return FeatureNet(in_channels, out_channels)


class FeatureNet(nn.Module):
    """RGBA layers -> feature maps.

    The normalisations use the statistics of the batch in training and in use alike, so the layers
    of one photo influence each other: feed all of them at once, as the authors do.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False, padding_mode="reflect")
        self.bn1 = _norm(64)
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(64, 128, blocks=4, stride=2)
        self.layer3 = _stage(128, 256, blocks=6, stride=2)
        self.upconv3 = _UpConv(256, 128)
        self.iconv3 = _ConvNormElu(256, 128)
        self.upconv2 = _UpConv(128, 64)
        self.iconv2 = _ConvNormElu(128, 32)
        self.out_conv = nn.Conv2d(32, out_channels, 1)

    def forward(
        self,
        rgba: Tensor,  # [L, 4, H, W] in [0, 1]
    ) -> Tensor:  # [L, C, 4 * ceil(H / 16), 4 * ceil(W / 16)]
        """Features of all layers of one photo."""
        x = F.relu_(self.bn1(self.conv1(rgba)))
        quarter = self.layer1(F.max_pool2d(x, 3, 2, 1))
        eighth = self.layer2(quarter)
        x = self.upconv3(self.layer3(eighth))
        x = self.iconv3(_join(eighth, x))
        x = self.upconv2(x)
        return self.out_conv(self.iconv2(_join(quarter, x)))


def _join(skip: Tensor, up: Tensor) -> Tensor:
    """Concatenate after zero-padding the skip: odd sizes leave it one pixel short (published)."""
    dy, dx = up.shape[-2] - skip.shape[-2], up.shape[-1] - skip.shape[-1]
    skip = F.pad(skip, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2))
    return torch.cat((up, skip), dim=1)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _conv3(inside: int, outside: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, stride, 1, bias=bias, padding_mode="reflect")


def _stage(inside: int, outside: int, *, blocks: int, stride: int) -> nn.Sequential:
    first = _Block(inside, outside, stride)
    return nn.Sequential(first, *(_Block(outside, outside, 1) for _ in range(blocks - 1)))


class _Block(nn.Module):
    """Basic residual block; the shortcut is a strided 1x1 convolution where the size changes."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3(inside, outside, stride=stride)
        self.bn1 = _norm(outside)
        self.conv2 = _conv3(outside, outside)
        self.bn2 = _norm(outside)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), _norm(outside))
            if stride != 1
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu_(self.bn1(self.conv1(x)))
        return F.relu_(self.bn2(self.conv2(y)) + self.downsample(x))


class _ConvNormElu(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = _conv3(inside, outside, bias=True)
        self.bn = _norm(outside)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu_(self.bn(self.conv(x)))


class _UpConv(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = _ConvNormElu(inside, outside)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))
