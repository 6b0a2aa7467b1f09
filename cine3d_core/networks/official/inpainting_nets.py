"""The inpainting nets for colour and depth: U-Nets of partial convolutions.

Shih et al., "3D Photography using Context-aware Layered Depth Inpainting"; partial convolutions
are Liu et al. 2018. What is unknown never enters a sum, and each sum is scaled by what it saw.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UNIT = 128  # seven halvings: sides are padded to its multiples


def build(*, kind: Literal["color", "depth"]) -> ColorInpaintingNet | DepthInpaintingNet:
    """One of the two published inpainting nets, with untrained weights."""
    return ColorInpaintingNet() if kind == "color" else DepthInpaintingNet()


class _PartialUNet(nn.Module):
    """Seven halvings and seven doublings of partial convolutions."""

    def __init__(
        self, in_channels: int, out_channels: int, *, biased: tuple[str, ...], suffix: str
    ) -> None:
        super().__init__()
        widths = [in_channels, 64, 128, 256, 512, 512, 512, 512]
        for level in range(1, 8):
            name, size = f"enc_{level}", {1: 7, 2: 5, 3: 5}.get(level, 3)
            inside, outside = widths[level - 1], widths[level]
            conv = PartialConv2d(inside, outside, size, stride=2, bias=name in biased)
            self.add_module(name, _PartialLayer(conv, norm=level > 1, negative_slope=0.0))
        self._decoder_names = [f"dec_{n}{suffix if n <= 5 else ''}" for n in range(7, 0, -1)]
        for level, name in zip(range(7, 0, -1), self._decoder_names, strict=True):
            inside = widths[level] + widths[level - 1]
            last = level == 1
            conv = PartialConv2d(inside, out_channels if last else widths[level - 1], 3, bias=last)
            slope = None if last else 0.2
            self.add_module(name, _PartialLayer(conv, norm=not last, negative_slope=slope))

    def _padded_pass(self, x: Tensor, context: Tensor, hole: Tensor) -> Tensor:
        """One pass on the input padded with zeros to multiples of 128, around the middle."""
        x = torch.cat((x, torch.zeros_like(context), context, hole), dim=1)
        height, width = x.shape[-2:]
        dy, dx = -height % UNIT, -width % UNIT
        top, left = dy // 2, dx // 2
        padding = (left, dx - left, top, dy - top)
        y = self._pass(F.pad(x, padding), F.pad((context + hole).clamp(0, 1), padding))
        return y[..., top : top + height, left : left + width]

    def _pass(self, x: Tensor, mask: Tensor) -> Tensor:
        levels = [(x, mask)]
        for level in range(1, 8):
            levels.append(self.get_submodule(f"enc_{level}")([levels[-1]]))
        y, mask = levels.pop()
        for name in self._decoder_names:
            up = (F.interpolate(y, scale_factor=2.0), F.interpolate(mask, scale_factor=2.0))
            y, mask = self.get_submodule(name)([up, levels.pop()])
        return y


class ColorInpaintingNet(_PartialUNet):
    """RGB of the context -> RGB everywhere."""

    def __init__(self) -> None:
        super().__init__(6, 3, biased=(), suffix="A")

    def forward(
        self,
        rgb: Tensor,  # [B, 3, H, W] in [0, 1], 0 outside the context
        context: Tensor,  # [B, 1, H, W] 0 or 1: what may be copied from
        hole: Tensor,  # [B, 1, H, W] 0 or 1: what is to be invented
    ) -> Tensor:  # [B, 3, H, W] in (0, 1)
        """Colour of context and hole; meaningless elsewhere."""
        return torch.sigmoid(self._padded_pass(rgb, context, hole))


class DepthInpaintingNet(_PartialUNet):
    """Centred log depth of the context -> centred log depth everywhere."""

    def __init__(self) -> None:
        super().__init__(4, 1, biased=("enc_1", "enc_2"), suffix="")

    def forward(
        self,
        log_depth: Tensor,  # [B, 1, H, W] mean over the context taken off, 0 outside the context
        context: Tensor,  # [B, 1, H, W] 0 or 1
        hole: Tensor,  # [B, 1, H, W] 0 or 1
    ) -> Tensor:  # [B, 1, H, W]
        """Log depth of context and hole; meaningless elsewhere."""
        return self._padded_pass(log_depth, context, hole)


class PartialConv2d(nn.Module):
    """Convolution over the known part of its input.

    Every channel of one input shares one mask; concatenated inputs bring one mask each. The
    checkpoints hold an all-ones `mask_conv` of the convolution's own size; it is constant, so it
    is checked and forgotten on loading, and written again by `state_dict`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.input_conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=bias
        )
        self.mask_conv = _OnesKernel((out_channels, in_channels, kernel_size, kernel_size))

    def forward(
        self,
        parts: list[tuple[Tensor, Tensor]],  # ([B, C_i, H, W], [B, 1, H, W] 0 or 1) each
    ) -> tuple[Tensor, Tensor]:  # [B, C, h, w], [B, 1, h, w]
        """Scaled convolution and the mask of where anything was seen."""
        conv = self.input_conv
        x = torch.cat([value * mask for value, mask in parts], dim=1)
        seen = _window_sum(parts, conv.kernel_size[0], conv.stride[0])
        known = seen > 0
        total = conv.in_channels * conv.kernel_size[0] ** 2
        scale = torch.where(known, total / seen.clamp(min=1), 0.0)
        y = F.conv2d(x, conv.weight, None, conv.stride, conv.padding).mul_(scale)
        if conv.bias is not None:
            y = y + conv.bias[:, None, None] * known
        return y, known.to(y.dtype)


def _window_sum(parts: list[tuple[Tensor, Tensor]], size: int, stride: int) -> Tensor:
    """How many known values each window saw, over all channels of all parts."""
    counts = torch.stack([mask * value.shape[1] for value, mask in parts]).sum(0)
    return F.avg_pool2d(counts, size, stride, size // 2, divisor_override=1)


class _OnesKernel(nn.Module):
    """A constant kernel of ones that exists in state dicts only."""

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        super().__init__()
        self._shape = shape

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        destination[prefix + "weight"] = torch.ones(self._shape)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        kernel = state_dict.get(prefix + "weight")
        if kernel is not None and (kernel.shape != self._shape or bool((kernel != 1).any())):
            error_msgs.append(f"{prefix}weight must be ones of shape {self._shape}")


class _PartialLayer(nn.Module):
    """Partial convolution, normalisation, activation."""

    def __init__(self, conv: PartialConv2d, *, norm: bool, negative_slope: float | None) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(conv.input_conv.out_channels) if norm else nn.Identity()
        self.negative_slope = negative_slope

    def forward(self, parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        y, mask = self.conv(parts)
        y = self.bn(y)
        return y if self.negative_slope is None else F.leaky_relu_(y, self.negative_slope), mask
