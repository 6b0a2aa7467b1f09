"""From the blended splat to the frame's colours (paper, section 3.4, the decoder's place)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from cine3d_core.blending import SplatChannels
from cine3d_core.push_pull import push_pull
from cine3d_core.scene import SplatImage


class Decoder(Protocol):
    """Draws a frame from what was splatted: RGB [3, H, W] in [0, 1]."""

    def __call__(self, image: SplatImage, channels: SplatChannels) -> Tensor:
        """See the class."""
        ...


def pass_through(image: SplatImage, channels: SplatChannels) -> Tensor:
    """The splatted colour itself; what no point covers is filled from around it."""
    rgb = image.features[channels.rgb]
    if bool((image.alpha >= 1 - 1e-3).all()):
        return rgb.clamp(0, 1)
    return push_pull(rgb, image.alpha.clamp(0, 1)).clamp(0, 1)
