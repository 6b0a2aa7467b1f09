"""The motion network: a SPADE U-Net of 16 convolutions that corrects an analytic flow.

3D Cinemagraphy, section 3.2: an image-to-image network from picture, mask and arrows to Eulerian
flow; layout after the published net (reference, section 2.4). Ours reads more (the analytic flow,
where arrows stand, sky, nearness) and answers with a correction: flow = (base + residual) *
exp(change of speed). Its last layer starts at zero, so that it starts as the analytic solver.
`OfficialMotion` is the official net, full width, behind the same interface.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.official.motion_net import build as build_official

# channels of the planes that `motion.guidance` makes; the first six are the published network's
RGB, MASK, HINT, NEAR_ARROW = slice(0, 3), slice(3, 4), slice(4, 6), slice(6, 7)
BASE, BEHIND, NEARNESS = slice(7, 9), slice(9, 10), slice(10, 11)
# how much nearer (logarithm) and lower (in long sides) a pixel is than the arrows of its region
NEARER, LOWER = slice(11, 12), slice(12, 13)
CHANNELS = 13
OFFICIAL_CHANNELS = 6

STRIDES = (2, 2, 2, 2, 2, 1, 1, 1)  # of the encoder's eight convolutions
WIDTHS = (1, 2, 4, 6, 8, 8, 8, 8)  # their channels, in units of the width
MAX_LOG_SPEED = 4.0  # the change of speed is at most a factor of e^4
OFFICIAL_SIDE = 256  # px; the official net takes multiples of it only


def build(*, width: int = 16, hidden: int = 24) -> MotionUNet:
    """The compact motion network, with untrained weights.

    Args:
        width: channels of the first convolution (32 in the published net).
        hidden: channels inside the SPADE layers (128 in the published net).
    """
    return MotionUNet(width, hidden)


class MotionUNet(nn.Module):
    """Guidance -> correction of its analytic flow, in the guidance's units."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        out = [width * factor for factor in WIDTHS]
        inputs = [CHANNELS, *out[:-1]]
        self.down = nn.ModuleList(
            _down(a, b, stride) for a, b, stride in zip(inputs, out, STRIDES, strict=True)
        )
        self.down_spade = nn.ModuleList(Spade(c, hidden) for c in out[1:-1])
        # decoder step i ends at the size and the channels of the encoder's level 6 - i
        mirrored = out[-2::-1]
        sources = [out[-1], *(2 * c for c in mirrored)]
        self.up = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(sources, [*mirrored, 3], strict=True)
        )
        self.up_spade = nn.ModuleList(Spade(c, hidden) for c in mirrored)
        nn.init.zeros_(self.up[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.up[-1].bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        planes: Tensor,  # [B, 13, H, W] of `motion.guidance`; sides of at least 32
    ) -> Tensor:  # [B, 3, H, W]
        """Logarithm of the change of speed, and what is added to the flow before."""
        levels = [self.down[0](planes)]
        for index, conv in enumerate(self.down[1:]):
            x = conv(F.leaky_relu(levels[-1], 0.2))
            levels.append(self.down_spade[index](x, planes) if index < 6 else x)
        x = F.relu(levels.pop())
        for conv, spade in zip(self.up[:-1], self.up_spade, strict=True):
            skip = levels.pop()
            x = spade(conv(_resized(x, skip.shape[-2:])), planes)
            x = F.relu(torch.cat((x, skip), dim=1))
        return self.up[-1](_resized(x, planes.shape[-2:])).float()


def corrected(base: Tensor, correction: Tensor) -> Tensor:  # [..., 2, H, W], [..., 3, H, W]
    """The flow that a correction makes of an analytic flow, in the same units."""
    log_speed, residual = correction.split((1, 2), dim=-3)
    return (base + residual) * log_speed.clamp(-MAX_LOG_SPEED, MAX_LOG_SPEED).exp()


def predicted_flow(network: nn.Module, planes: Tensor) -> Tensor:  # [B, 13, H, W] -> [B, 2, H, W]
    """Velocity of every pixel in the guidance's units, zero outside the mask."""
    return corrected(planes[:, BASE], network(planes)) * (planes[:, MASK] > 0)


class Spade(nn.Module):
    """Instance norm, then scale and shift predicted from the guidance (Park et al. 2019)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(CHANNELS, hidden, 3, padding=1)
        self.scale_shift = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor, planes: Tensor) -> Tensor:
        """Modulated `x` [B, C, h, w]."""
        guidance = F.interpolate(planes, x.shape[-2:], mode="area")
        scale, shift = self.scale_shift(F.relu(self.shared(guidance))).chunk(2, dim=1)
        return _normed(x) * (1 + scale) + shift


class OfficialMotion(nn.Module):
    """The official net at its own square size, without what it does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.net = build_official()

    def forward(self, planes: Tensor) -> Tensor:  # [B, 13, H, W] -> [B, 3, H, W]
        """The difference between its flow and the analytic one; no change of speed."""
        square = F.interpolate(planes[:, :OFFICIAL_CHANNELS], (OFFICIAL_SIDE,) * 2, mode="area")
        # spectral norm keeps its vectors in the precision that it computes in
        with torch.autocast(planes.device.type, enabled=False):
            flow = _resized(self.net(square.float()), planes.shape[-2:])
        return torch.cat((torch.zeros_like(flow[:, :1]), flow - planes[:, BASE]), dim=1)


def _normed(x: Tensor) -> Tensor:
    """Instance norm; of a single pixel (the bottom of a narrow picture) the pixel itself."""
    return F.instance_norm(x) if x.shape[-2] * x.shape[-1] > 1 else x


def _down(inside: int, outside: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 4 if stride == 2 else 3, stride, 1)


def _resized(x: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    if x.shape[-2:] == torch.Size(size):
        return x
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=False)
