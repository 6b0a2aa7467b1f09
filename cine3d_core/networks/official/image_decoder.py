"""The image decoder: a U-Net from blended splats (colour, coverage, features, disparity) to RGB.

3D Cinemagraphy, section 3.4; the learnable factor of the symmetric blend (Eq. 4) lives here too,
because the checkpoint keeps it here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def build(*, in_channels: int = 37, out_channels: int = 3) -> ImageDecoder:
    """The published image decoder, with untrained weights."""
    return ImageDecoder(in_channels, out_channels)


class ImageDecoder(nn.Module):
    """Blended splat -> picture. `alpha` is the disparity factor for `official.blend`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(1.0))
        self.firstconv = nn.Conv2d(in_channels, 32, 7, 1, 3, bias=False)
        self.firstprelu = nn.PReLU()
        self.down1 = _Down(32, 64)
        self.down2 = _Down(64, 128)
        self.down3 = _Down(128, 256)
        self.down4 = _Down(256, 512)
        self.conv5 = _TwoConvs(512, 512, 512, 512)
        self.up1 = _Up(512, 256)
        self.up2 = _Up(256, 128)
        self.up3 = _Up(128, 64)
        self.up4 = _Up(64, 32)
        self.outc = _Out(64, out_channels)

    def forward(
        self,
        blended: Tensor,  # [B, 37, H, W] RGB, coverage, 32 features, normalised disparity
    ) -> Tensor:  # [B, 3, H, W] in (0, 1)
        """The finished picture."""
        full = self.firstprelu(self.firstconv(blended))
        skips = [self.down1(full)]
        for down in (self.down2, self.down3, self.down4):
            skips.append(down(skips[-1][1]))
        # conv5 does not pool: up1 enlarges its result past the skip and crops the middle out of
        # it. The checkpoints were trained with that misaligned branch, so it stays.
        x = self.conv5(skips[-1][1])[1]
        for up in (self.up1, self.up2, self.up3, self.up4):
            x = up(x, skips.pop())
        return self.outc(x, full)


def _conv_norm_prelu(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, 1, 1, padding_mode="reflect"),
        nn.GroupNorm(outside // 32, outside),
        nn.PReLU(),
    )


class _TwoConvs(nn.Module):
    """Two convolutions whose results are both kept for the way up."""

    def __init__(self, in1: int, out1: int, in2: int, out2: int) -> None:
        super().__init__()
        self.double_conv1 = _conv_norm_prelu(in1, out1)
        self.double_conv2 = _conv_norm_prelu(in2, out2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.double_conv1(x)
        return first, self.double_conv2(first)


class _Down(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        convs = _TwoConvs(inside, outside, outside, outside)
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), convs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.maxpool_conv(x)


class _Up(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = _TwoConvs(2 * inside, inside, 2 * inside, outside)

    def forward(self, x: Tensor, skips: tuple[Tensor, Tensor]) -> Tensor:
        first, second = skips
        x = self.conv.double_conv1(torch.cat((second, _enlarged(x, second)), dim=1))
        return self.conv.double_conv2(torch.cat((first, x), dim=1))


class _Out(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, 1, 1, padding_mode="reflect")

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(torch.cat((skip, _enlarged(x, skip)), dim=1)))


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Twice as large, then reflected or cropped around the middle to the size of `like`."""
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    dy, dx = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    if dy == 0 and dx == 0:
        return x
    return F.pad(x, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2), mode="reflect")
