"""Spectrally normalised convolution under the tensor names of torch's first implementation.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", algorithm 1. Own
module because the checkpoints need `weight_orig`, `weight_u`, `weight_v`, and because inference
must be able to iterate without changing what it stores.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-12


class SpectralConv2d(nn.Module):
    """Convolution with weight / sigma(weight), zero padding.

    While training, every call makes one power iteration and stores it. Otherwise a call makes
    `eval_iterations` of them from the stored vectors and stores nothing: the same input gives the
    same output.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        eval_iterations: int = 0,
    ) -> None:
        super().__init__()
        like = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.stride, self.padding, self.eval_iterations = stride, padding, eval_iterations
        self.bias = like.bias
        self.weight_orig = nn.Parameter(like.weight.detach())
        matrix = self.weight_orig.flatten(1)
        self.register_buffer("weight_u", F.normalize(torch.ones(matrix.shape[0]), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.ones(matrix.shape[1]), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` [B, C, H, W]."""
        weight = self.weight_orig / self._sigma()
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)

    def _sigma(self) -> Tensor:
        matrix = self.weight_orig.flatten(1)
        u, v = self.weight_u, self.weight_v
        with torch.no_grad():
            for _ in range(1 if self.training else self.eval_iterations):
                v = F.normalize(matrix.T @ u, dim=0, eps=EPSILON)
                u = F.normalize(matrix @ v, dim=0, eps=EPSILON)
            if self.training:
                self.weight_u, self.weight_v = u, v
        return u @ (matrix @ v)
