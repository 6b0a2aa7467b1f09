"""Filling what is hidden with a network: an analytic fill first, then its correction."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.layers.fill import FilledPicture, analytic_fill, window_around
from cine3d_core.layers.uncover import FillFunction
from cine3d_core.networks.inpainting import MULTIPLE, InpaintingNetwork
from cine3d_core.networks.shelf.fill import invented
from cine3d_core.networks.shelf.program import Program

# px around a hole that the network sees; farther off it was never trained to look.
SURROUNDINGS = 64


def learned_fill(network: InpaintingNetwork) -> FillFunction:
    """A fill whose colours a network corrects; the depth is the analytic fill's."""

    def fill(rgb: Tensor, depth: Tensor, context: Tensor, hole: Tensor) -> FilledPicture:
        guess = analytic_fill(rgb, depth, context, hole)
        part = (slice(None), *window_around(hole, SURROUNDINGS))
        corrected = guess.rgb.clone()
        corrected[part] = correct(network, guess.rgb[part], context[part], hole[part])
        return FilledPicture(rgb=corrected, depth=guess.depth)

    return fill


def foreign_fill(kind: str, program: Program) -> FillFunction:
    """A fill whose colours a program of the shelf invents; the depth is the analytic fill's.

    Args:
        kind: a key of `networks.shelf.fill.FILLS`.
        program: of that kind.
    """

    def fill(rgb: Tensor, depth: Tensor, context: Tensor, hole: Tensor) -> FilledPicture:
        guess = analytic_fill(rgb, depth, context, hole)
        # such networks look far: as much picture around the hole as the hole is wide
        part = (slice(None), *window_around(hole, max(SURROUNDINGS, max(hole.shape) // 8)))
        window = guess.rgb[part].detach().cpu().float()
        found = invented(kind, program, window, ~context[part].cpu()).to(rgb)
        filled = guess.rgb.clone()
        filled[part] = torch.where(hole[part], found, guess.rgb[part])
        return FilledPicture(rgb=filled, depth=guess.depth)

    return fill


@torch.no_grad()
def correct(
    network: InpaintingNetwork,
    guess: Tensor,  # [3, H, W] in [0, 1]
    context: Tensor,  # [1, H, W] bool
    hole: Tensor,  # [1, H, W] bool
) -> Tensor:  # [3, H, W]
    """The network's correction of a guess of any size; unchanged outside the hole.

    The network may be on another device than the picture.
    """
    there = next(network.parameters()).device
    height, width = guess.shape[1:]
    padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
    planes = [F.pad(plane[None].to(guess).to(there), padding) for plane in (guess, context, hole)]
    corrected = network(*planes)[0, :, :height, :width].to(guess)
    return torch.where(hole, corrected, guess)
