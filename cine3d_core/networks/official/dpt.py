"""DPT-hybrid: relative inverse depth from a ResNet50 stem, a ViT-B and a convolutional decoder.

Ranftl et al., "Vision Transformers for Dense Prediction". Written out here, not taken from
`transformers`: that port has other tensor names, which change between its versions, and in
version 5 it takes pictures of 384x384 only.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, BLOCKS = 768, 12, 12
TAPS = (8, 11)  # transformer blocks that the decoder looks at
STAGES = ((256, 3, 1), (512, 4, 2), (1024, 9, 2))  # channels, blocks, stride


def build() -> DptHybrid:
    """The published depth net, with untrained weights."""
    return DptHybrid()


class DptHybrid(nn.Module):
    """Picture -> inverse depth up to scale and shift."""

    def __init__(self) -> None:
        super().__init__()
        self.pretrained = _Encoder()
        self.scratch = _Decoder()

    def forward(
        self,
        rgb: Tensor,  # [B, 3, H, W] in [-1, 1]; H, W multiples of 32
    ) -> Tensor:  # [B, H, W] >= 0
        """Relative inverse depth."""
        return self.scratch(self.pretrained(rgb))


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = _HybridViT()
        self.act_postprocess3 = _Reassemble(halve=False)
        self.act_postprocess4 = _Reassemble(halve=True)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Feature maps at 1/4, 1/8, 1/16, 1/32 of the picture."""
        stages, tokens = self.model(rgb)
        grid = (rgb.shape[-2] // 16, rgb.shape[-1] // 16)
        third = self.act_postprocess3(tokens[0], grid)
        return [*stages, third, self.act_postprocess4(tokens[1], grid)]


class _HybridViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 24 * 24 + 1, WIDTH))
        self.patch_embed = _PatchEmbedding()
        self.blocks = nn.ModuleList(_Block() for _ in range(BLOCKS))
        # The classifier's last layers came along in the checkpoint; depth never uses them.
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, 1000)

    def forward(self, rgb: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Two stages of the stem [B, C, h, w]; tokens [B, 1 + N, 768] after the tapped blocks."""
        *stages, patches = self.patch_embed(rgb)
        x = patches.flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), dim=1)
        x = x + self._positions(patches.shape[-2], patches.shape[-1])
        tokens = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                tokens.append(x)
        return stages, tokens

    def _positions(self, height: int, width: int) -> Tensor:
        """Position embedding of a 24x24 grid, stretched to this picture's grid."""
        first, grid = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        grid = grid.reshape(1, 24, 24, WIDTH).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, (height, width), mode="bilinear", align_corners=False)
        return torch.cat((first, grid.flatten(2).transpose(1, 2)), dim=1)


class _PatchEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = _ResNet()
        self.proj = nn.Conv2d(STAGES[-1][0], WIDTH, 1)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        first, second, third = self.backbone(rgb)
        return [first, second, self.proj(third)]


class _Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(WIDTH, 3 * WIDTH), "proj": nn.Linear(WIDTH, WIDTH)}
        )
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attention(self.norm1(x))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))

    def _attention(self, x: Tensor) -> Tensor:
        batch, count, _ = x.shape
        qkv = self.attn["qkv"](x).view(batch, count, 3, HEADS, WIDTH // HEADS)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.attn["proj"](mixed.transpose(1, 2).flatten(2))


class _Reassemble(nn.Module):
    """Tokens -> feature map; the class token is mixed into every other one."""

    def __init__(self, *, halve: bool) -> None:
        super().__init__()
        # The numbers are the checkpoint's; between 0 and 3 it has steps without parameters.
        self.add_module("0", _ReadoutProjection())
        self.add_module("3", nn.Conv2d(WIDTH, WIDTH, 1))
        if halve:
            self.add_module("4", nn.Conv2d(WIDTH, WIDTH, 3, 2, 1))

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        mix, *convs = self.children()
        x = mix(tokens).transpose(1, 2).unflatten(2, grid)
        for conv in convs:
            x = conv(x)
        return x


class _ReadoutProjection(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        patches = tokens[:, 1:]
        return self.project(torch.cat((patches, tokens[:, :1].expand_as(patches)), dim=-1))


class _ResNet(nn.Module):
    """The first three stages of a ResNet50 with standardised weights and group norms."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleDict(
            {"conv": _StandardConv(3, 64, 7, 2), "norm": nn.GroupNorm(32, 64)}
        )
        self.stages = nn.ModuleList()
        inside = 64
        for channels, blocks, stride in STAGES:
            self.stages.append(_Stage(inside, channels, blocks, stride))
            inside = channels

    def forward(self, rgb: Tensor) -> list[Tensor]:
        x = F.relu_(self.stem["norm"](self.stem["conv"](rgb)))
        # padding by 0 is padding by -infinity here: nothing is negative after the ReLU
        x = F.max_pool2d(_same_pad(x, 3, 2), 3, 2)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Stage(nn.Module):
    def __init__(self, inside: int, channels: int, blocks: int, stride: int) -> None:
        super().__init__()
        first = _Bottleneck(inside, channels, stride, shortcut=True)
        rest = (_Bottleneck(channels, channels, 1, shortcut=False) for _ in range(blocks - 1))
        self.blocks = nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


class _Bottleneck(nn.Module):
    def __init__(self, inside: int, channels: int, stride: int, *, shortcut: bool) -> None:
        super().__init__()
        narrow = channels // 4
        self.downsample = None
        if shortcut:
            conv, norm = _StandardConv(inside, channels, 1, stride), nn.GroupNorm(32, channels)
            self.downsample = nn.ModuleDict({"conv": conv, "norm": norm})
        self.conv1, self.norm1 = _StandardConv(inside, narrow, 1), nn.GroupNorm(32, narrow)
        self.conv2, self.norm2 = _StandardConv(narrow, narrow, 3, stride), nn.GroupNorm(32, narrow)
        self.conv3, self.norm3 = _StandardConv(narrow, channels, 1), nn.GroupNorm(32, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu_(self.norm1(self.conv1(x)))
        y = F.relu_(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        if self.downsample is not None:
            x = self.downsample["norm"](self.downsample["conv"](x))
        return F.relu_(y + x)


class _StandardConv(nn.Conv2d):
    """Convolution with weights of mean 0 and variance 1 per output, padded as TensorFlow does."""

    def __init__(self, inside: int, outside: int, size: int, stride: int = 1) -> None:
        super().__init__(inside, outside, size, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), correction=0, keepdim=True)
        weight = (self.weight - mean) * (variance + 1e-8).rsqrt()
        x = _same_pad(input, self.kernel_size[0], self.stride[0])
        return F.conv2d(x, weight, None, self.stride)


def _same_pad(x: Tensor, size: int, stride: int) -> Tensor:
    """Zeros so that the result has ceil(side / stride) pixels; the odd one right and below."""
    dy, dx = (max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[-2:])
    return F.pad(x, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2))


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for level, channels in enumerate((256, 512, WIDTH, WIDTH), 1):
            conv = nn.Conv2d(channels, 256, 3, 1, 1, bias=False)
            self.add_module(f"layer{level}_rn", conv)
            self.add_module(f"refinenet{level}", _Fusion())
        self.output_conv = nn.Sequential(
            nn.Conv2d(256, 128, 3, 1, 1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(128, 32, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
            nn.ReLU(),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        x = None
        for level in range(4, 0, -1):
            skip = self.get_submodule(f"layer{level}_rn")(maps[level - 1])
            x = self.get_submodule(f"refinenet{level}")(skip, x)
        return self.output_conv(x).squeeze(1)


class _Fusion(nn.Module):
    """Adds a finer level to the coarser ones and doubles the size."""

    def __init__(self) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(256, 256, 1)
        self.resConfUnit1 = _ResidualUnit()  # unused where nothing coarser comes in
        self.resConfUnit2 = _ResidualUnit()

    def forward(self, skip: Tensor, coarser: Tensor | None) -> Tensor:
        x = skip if coarser is None else coarser + self.resConfUnit1(skip)
        x = self.resConfUnit2(x)
        return self.out_conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))


class _ResidualUnit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(256, 256, 3, 1, 1)
        self.conv2 = nn.Conv2d(256, 256, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(F.relu(x)))) + x
