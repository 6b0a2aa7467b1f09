"""From the blended splat to the frame's colours (paper, section 3.4, the decoder's place)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.networks.decoder import MEAN_STRENGTH, MULTIPLE, ResidualDecoder
from cine3d_core.networks.features import GRID_CHANNELS
from cine3d_core.render.blend import SplatChannels
from cine3d_core.scene import SplatImage


class Decoder(Protocol):
    """Draws a frame from what was splatted: RGB [3, H, W] in [0, 1]."""

    def __call__(self, image: SplatImage, channels: SplatChannels) -> Tensor:
        """See the class."""
        ...


def pass_through(image: SplatImage, channels: SplatChannels) -> Tensor:
    """The splatted colour itself; what no point covers is filled from around it."""
    rgb = image.features[channels.rgb]
    # On a device, to look whether there is a hole would wait for it.
    if image.alpha.device.type == "cpu" and bool((image.alpha >= 1 - 1e-3).all()):
        return rgb.clamp(0, 1)
    return push_pull(rgb, image.alpha.clamp(0, 1)).clamp_(0, 1)  # its own memory


@dataclass(frozen=True)
class LearnedDecoder:
    """The pass-through colour with a learned correction; a function of the frame alone."""

    network: ResidualDecoder

    @torch.no_grad()
    def __call__(self, image: SplatImage, channels: SplatChannels) -> Tensor:
        """See `Decoder`. Clouds without features are drawn too, a little less well."""
        planes = decoder_planes(image, channels, self.network.num_features)
        height, width = planes.shape[1:]
        pad = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        padded = F.pad(planes[None], pad, mode="replicate") if any(pad) else planes[None]
        # A network in half precision corrects colours that are not: what it adds is small.
        precision = next(self.network.parameters()).dtype
        correction = self.network.correction(padded.to(precision)).to(padded)
        return (padded[:, :3] + correction)[0, :, :height, :width].clamp(0, 1)


def decoder_planes(image: SplatImage, channels: SplatChannels, num_features: int) -> Tensor:
    """What the compact decoder looks at: [6 + num_features, H, W], see `networks.decoder`."""
    features = image.features[channels.features]
    if len(features) == 0:
        features = image.alpha.new_zeros(num_features, *image.alpha.shape[1:])
        features[-GRID_CHANNELS:] = MEAN_STRENGTH**0.5  # blurred as on average
    assert len(features) == num_features, (len(features), num_features)
    moving = image.features[channels.moving : channels.moving + 1]
    alpha = image.alpha.clamp(0, 1)
    return torch.cat([pass_through(image, channels), alpha, image.disparity, moving, features])
