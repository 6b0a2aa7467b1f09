"""Features and decoder of a family, joined by the splat of a training pair."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks import decoder as compact_decoder
from cine3d_core.networks import features as compact_features
from cine3d_core.networks.decoder import ResidualDecoder
from cine3d_core.networks.features import FeatureNetwork
from cine3d_core.networks.official import feature_net, image_decoder
from cine3d_core.training.render.data import RenderBatch, splat_features

Family = Literal["compact", "official"]


class CompactRenderer(nn.Module):
    """The networks that ship."""

    def __init__(self, features: FeatureNetwork, decoder: ResidualDecoder) -> None:
        super().__init__()
        self.features, self.decoder = features, decoder

    def forward(
        self,
        batch: RenderBatch,
        kept: Tensor,  # [B] 1 or 0: whether a sample gets its features
    ) -> Tensor:  # [B, 3, h, w]
        """The pictures as decoded, not clamped."""
        maps = [self.features(layers).float() for layers in batch.layers]
        splats = _splats(maps, batch) * kept[:, None, None, None]
        unseen = splats.shape[1] - self.decoder.num_features  # all but the pixel grid, or none
        planes = torch.cat([batch.planes, splats[:, unseen:]], dim=1)
        return self.decoder(planes).float()


class OfficialRenderer(nn.Module):
    """The official architectures (reference, sections 2.1 and 2.2)."""

    def __init__(
        self, features: feature_net.FeatureNet, decoder: image_decoder.ImageDecoder
    ) -> None:
        super().__init__()
        self.features, self.decoder = features, decoder

    def forward(self, batch: RenderBatch, kept: Tensor) -> Tensor:
        """See `CompactRenderer`; colour, coverage, features and disparity go in."""
        maps = []
        for layers in batch.layers:
            found = self.features(layers[:, :4])
            size = layers.shape[-2:]
            maps.append(F.interpolate(found, size, mode="bilinear", align_corners=False).float())
        splats = _splats(maps, batch) * kept[:, None, None, None]
        planes = torch.cat([batch.planes[:, :4], splats, batch.planes[:, 4:5]], dim=1)
        return self.decoder(planes).float()


Renderer = CompactRenderer | OfficialRenderer


def build(family: Family, architecture: dict[str, dict[str, Any]]) -> Renderer:
    """A family with random weights; `architecture` has arguments of "features" and "decoder"."""
    parts = architecture.get("features", {}), architecture.get("decoder", {})
    if family == "compact":
        features = compact_features.build(**parts[0])
        decoder = compact_decoder.build(**{"features": features.num_features, **parts[1]})
        return CompactRenderer(features, decoder)
    return OfficialRenderer(feature_net.build(**parts[0]), image_decoder.build(**parts[1]))


def _splats(maps: list[Tensor], batch: RenderBatch) -> Tensor:  # [B, C, h, w]
    joined = zip(maps, batch.point, batch.share, strict=True)
    return torch.stack([splat_features(m, point, share) for m, point, share in joined])
