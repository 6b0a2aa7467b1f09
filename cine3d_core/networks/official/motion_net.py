"""The motion generator: a SPADE U-Net from photo, mask and sparse hints to Eulerian flow.

3D Cinemagraphy, section 3.2 (after SLR-SFS); SPADE is Park et al. 2019.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.official.spectral import SpectralConv2d

MASK_CHANNEL = 3  # resized by nearest neighbour, in the input and (published) in every feature map


def build(*, eval_iterations: int = 1) -> MotionNet:
    """The published motion net, with untrained weights.

    Args:
        eval_iterations: power iterations of the spectral norm outside training. The authors never
            leave training mode, which makes one per call: 1 gives their numbers (about 7e-5 away
            from 0 on converged vectors), without their drift from call to call.
    """
    return MotionNet(eval_iterations)


class MotionNet(nn.Module):
    """Photo, mask and hints -> velocity; the published keys have one more level of name."""

    def __init__(self, eval_iterations: int) -> None:
        super().__init__()
        self.motion_predictor = _SpadeUNet(eval_iterations)

    def forward(
        self,
        guidance: Tensor,  # [B, 6, S, S] RGB in [-1, 1], mask in [0, 1], hint x, y; S = 256 k
    ) -> Tensor:  # [B, 2, S, S] px/frame on the S grid
        """Velocity of every pixel, not yet masked."""
        return self.motion_predictor(guidance)


class _SpadeUNet(nn.Module):
    def __init__(self, eval_iterations: int) -> None:
        super().__init__()
        down = partial(_conv4, eval_iterations=eval_iterations)
        self.conv1, self.conv2, self.conv3 = down(6, 32), down(32, 64), down(64, 128)
        self.conv4, self.conv5, self.conv6 = down(128, 256), down(256, 256), down(256, 256)
        self.conv7, self.conv8 = down(256, 256), down(256, 256)
        up = partial(_conv3, eval_iterations=eval_iterations)
        self.dconv1, self.dconv2, self.dconv3 = up(256, 256), up(512, 256), up(512, 256)
        self.dconv4, self.dconv5, self.dconv6 = up(512, 256), up(512, 128), up(256, 64)
        self.dconv7, self.dconv8 = up(128, 32), up(64, 2)
        self.spade_layer, self.spade_layer2_0, self.spade_layer2_1 = Spade(32), Spade(64), Spade(64)
        self.spade_layer4_0, self.spade_layer4_1 = Spade(128), Spade(128)
        for index in range(8):
            setattr(self, f"spade_layer8_{index}", Spade(256))

    def forward(self, guidance: Tensor) -> Tensor:
        pyramid = _Pyramid(guidance)
        levels = [self.conv1(guidance)]
        for conv, spade in self._encoder():
            levels.append(spade(conv(F.leaky_relu(levels[-1], 0.2)), pyramid))
        levels.append(self.conv8(F.leaky_relu(levels[-1], 0.2)))
        x = _doubled(F.relu(levels.pop()))
        for conv, spade in self._decoder():
            x = spade(conv(x), pyramid)
            x = F.relu(torch.cat((_doubled(x), _doubled(levels.pop())), dim=1))
        return self.dconv8(x)

    def _encoder(self) -> list[tuple[nn.Module, nn.Module]]:
        return self._pairs("conv{}", 2, ["2_0", "4_0", "8_0", "8_1", "8_2", "8_3"])

    def _decoder(self) -> list[tuple[nn.Module, nn.Module]]:
        return self._pairs("dconv{}", 1, ["8_4", "8_5", "8_6", "8_7", "4_1", "2_1", ""])

    def _pairs(self, conv: str, first: int, spades: list[str]) -> list[tuple[nn.Module, nn.Module]]:
        return [
            (getattr(self, conv.format(index)), getattr(self, f"spade_layer{spade}"))
            for index, spade in enumerate(spades, first)
        ]


class Spade(nn.Module):
    """Instance norm, then scale and shift predicted from the resized input."""

    def __init__(self, channels: int, hidden: int = 128) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(6, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, pyramid: _Pyramid) -> Tensor:
        """Modulated `x` [B, C, h, w]."""
        hidden = self.mlp_shared(pyramid.at(x.shape[-2], x.shape[-1]))
        return F.instance_norm(x) * (1 + self.mlp_gamma(hidden)) + self.mlp_beta(hidden)


class _Pyramid:
    """The input at the sizes that the SPADE layers ask for, each made once."""

    def __init__(self, guidance: Tensor) -> None:
        self._full = guidance
        self._sizes: dict[tuple[int, int], Tensor] = {}

    def at(self, height: int, width: int) -> Tensor:
        size = (height, width)
        if size not in self._sizes:
            self._sizes[size] = _resized(self._full, size)
        return self._sizes[size]


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, but nearest neighbour for the mask's channel."""
    y = F.interpolate(x, size, mode="bilinear", align_corners=False)
    mask = slice(MASK_CHANNEL, MASK_CHANNEL + 1)
    y[:, mask] = F.interpolate(x[:, mask], size, mode="nearest")
    return y


def _doubled(x: Tensor) -> Tensor:
    return _resized(x, (2 * x.shape[-2], 2 * x.shape[-1]))


def _conv4(inside: int, outside: int, *, eval_iterations: int) -> SpectralConv2d:
    return SpectralConv2d(inside, outside, 4, stride=2, padding=1, eval_iterations=eval_iterations)


def _conv3(inside: int, outside: int, *, eval_iterations: int) -> SpectralConv2d:
    return SpectralConv2d(inside, outside, 3, padding=1, eval_iterations=eval_iterations)
