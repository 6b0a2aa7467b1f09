"""MI-GAN (Sargsyan et al. 2023) and LaMa (Suvorov et al. 2022): a picture without its hole."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.networks.shelf.program import Program

LONG_SIDE = 1024  # px, of what a program is shown
_MULTIPLE = 32  # of LaMa's sides
_LEAST = 64  # px, a side below which there is nothing to go by


def migan(program: Program, rgb: Tensor, unknown: Tensor) -> Tensor:
    """[3, H, W] with what is `unknown` [1, H, W] invented, by the pipeline that crops by itself.

    It takes 8-bit colour and a mask that is 255 where the picture is known.
    """
    image = (rgb.clamp(0, 1) * 255).round().to(torch.uint8)[None].numpy()
    mask = np.where(unknown[None].numpy(), 0, 255).astype(np.uint8)
    (answer,) = program(dict(zip(program.inputs, (image, mask), strict=True))).values()
    return torch.from_numpy(answer.reshape(rgb.shape).astype(np.float32) / 255)


def lama(program: Program, rgb: Tensor, unknown: Tensor) -> Tensor:
    """[3, H, W] with what is `unknown` [1, H, W] invented.

    It takes four planes: colour, black where it is unknown, and the mask, 1 where it is.
    """
    height, width = rgb.shape[1:]
    padding = (0, -width % _MULTIPLE, 0, -height % _MULTIPLE)
    mask = F.pad(unknown.float()[None], padding, mode="replicate")
    colour = F.pad(rgb[None], padding, mode="replicate") * (1 - mask)
    (name,) = program.inputs
    planes = torch.cat([colour, mask], 1).numpy().astype(program.inputs[name])
    (answer,) = program({name: planes}).values()
    return torch.from_numpy(answer[0, :, :height, :width].astype(np.float32)).clamp(0, 1)


FILLS = {"onnx-migan": migan, "onnx-lama": lama}


def invented(kind: str, program: Program, rgb: Tensor, unknown: Tensor) -> Tensor:
    """A program's fill of a picture [3, H, W] of any size, on the CPU."""
    height, width = rgb.shape[1:]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = [max(_LEAST, round(side * scale)) for side in (height, width)]
    small = F.interpolate(rgb[None], size, mode="bilinear", antialias=True)[0]
    # a pixel that is unknown in part is unknown
    holes = F.interpolate(unknown.float()[None], size, mode="area")[0] > 0
    filled = FILLS[kind](program, small, holes)
    return F.interpolate(filled[None], (height, width), mode="bilinear", antialias=True)[0]
