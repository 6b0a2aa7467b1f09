"""Compact inpainting: corrects a smooth guess of what lies behind nearer surfaces.

A residual U-Net (Ronneberger et al., MICCAI 2015) at half the picture's resolution, reached by
moving blocks of 2 x 2 pixels into channels. It starts as the identity: its last layer is zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 32  # the sides of the input must be multiples of the network's total stride
SLOPE = 0.2  # of the activations, for what is below zero


class InpaintingNetwork(nn.Module):
    """Colours for a hole, from what is around it and a first guess of what is in it."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = _conv(4 * 5, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(_conv(inside, outside, stride=2), _conv(outside, outside))
            for inside, outside in zip(widths, widths[1:], strict=False)
        )
        # Where the coarsest level sees far along a border, a line can be carried on.
        self.middle = nn.Sequential(
            _conv(widths[-1], widths[-1], dilation=2), _conv(widths[-1], widths[-1], dilation=4)
        )
        self.up = nn.ModuleList(
            _conv(coarse + fine, fine)
            for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], 4 * 3, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        guess: Tensor,  # [B, 3, H, W] colours in [0, 1] of context and hole
        context: Tensor,  # [B, 1, H, W] 1 where the colours are the picture's own
        hole: Tensor,  # [B, 1, H, W] 1 where colours are wanted; the rest is not looked at
    ) -> Tensor:  # [B, 3, H, W]
        """The guess, corrected in the hole. Sides must be multiples of `MULTIPLE`.

        In [0, 1], except in training: a colour cut off there would teach nothing any more.
        """
        known = guess * (context + hole)
        x = self.stem(F.pixel_unshuffle(torch.cat([known, context, hole], dim=1), 2))
        levels = []
        for down in self.down:
            levels.append(x)
            x = down(x)
        x = x + self.middle(x)
        for up in self.up:
            fine = levels.pop()
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), fine], dim=1))
        correction = F.pixel_shuffle(self.last(x), 2)
        painted = guess + hole * correction
        return painted if self.training else painted.clamp(0, 1)


def build(*, widths: tuple[int, ...] = (24, 48, 96, 128, 128)) -> InpaintingNetwork:
    """The network with untrained weights; `widths` from half resolution to a thirty-second."""
    return InpaintingNetwork(tuple(widths))


def _conv(inside: int, outside: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 3, stride, padding=dilation, dilation=dilation)
    # PyTorch's own start shrinks the signal at every layer: of a picture, a twentieth would be left
    # where the coarsest level sees it, and nothing would be learned (He et al., ICCV 2015).
    nn.init.kaiming_normal_(convolution.weight, a=SLOPE)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))
