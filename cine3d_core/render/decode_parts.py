"""Frames that a device's memory cannot decode at once are decoded in strips."""

from __future__ import annotations

import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.render.blend import SplatChannels
from cine3d_core.render.decode import Decoder
from cine3d_core.scene import SplatImage

HALO = 64  # px beyond a strip that the decoder sees too: more than it looks around a pixel
LEAST_ROWS = 64  # of a strip; a device without memory for this has no use
_ALIGN = 16  # rows: strips start where the decoder's coarse grid does


def decode_in_parts(decoder: Decoder, image: SplatImage, channels: SplatChannels) -> Tensor:
    """What `decoder` makes of the image, [3, H, W], in as few strips as memory allows.

    Raises:
        InputError: there is not even memory for a narrow strip.
    """
    height, width = image.alpha.shape[1:]
    strips = 1
    while True:
        rows = -(-height // strips)
        rows = -(-rows // _ALIGN) * _ALIGN
        try:
            if strips == 1:
                return decoder(image, channels)
            return _in_strips(decoder, image, channels, rows)
        except torch.OutOfMemoryError as error:
            if rows <= LEAST_ROWS:
                raise InputError(
                    f"the device has too little memory for frames of {width}x{height}",
                    "choose a smaller size of the frames",
                    "set {device} to cpu",
                ) from error
        strips *= 2  # outside the handler, which would keep the failed call's memory alive


def _in_strips(decoder: Decoder, image: SplatImage, channels: SplatChannels, rows: int) -> Tensor:
    height = image.alpha.shape[1]
    parts = []
    for first in range(0, height, rows):
        begin, end = max(first - HALO, 0), min(first + rows + HALO, height)
        strip = SplatImage(
            features=image.features[:, begin:end],
            alpha=image.alpha[:, begin:end],
            disparity=image.disparity[:, begin:end],
        )
        drawn = decoder(strip, channels)
        parts.append(drawn[:, first - begin : min(first + rows, height) - begin])
    return torch.cat(parts, dim=1)
