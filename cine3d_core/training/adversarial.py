"""Hinge GAN with feature matching (paper, Eq. 7 and 8; pix2pixHD, Wang et al., CVPR 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activations = list[list[Tensor]]  # of each scale, of each layer; the last is the prediction


class PatchDiscriminator(nn.Module):
    """Two narrow patch discriminators, the second at half the size.

    The published one has the same shape and is 64 channels wide, too slow for training on a CPU.
    """

    def __init__(self, in_channels: int, *, width: int, scales: int = 2) -> None:
        super().__init__()
        self.nets = nn.ModuleList(_patch_net(in_channels, width) for _ in range(scales))

    def forward(
        self,
        x: Tensor,  # [B, C, H, W]
    ) -> Activations:
        """All activations of both scales; the last of each is the prediction."""
        found = []
        for net in self.nets:
            activations = [x]
            for layer in net.children():
                activations.append(layer(activations[-1]))
            found.append(activations[1:])
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return found


@dataclass(frozen=True)
class Eq8Terms:
    """Parts of the paper's Eq. 8, each already weighted except `total`, their sum."""

    total: Tensor
    l1: Tensor
    perceptual: Tensor
    gan: Tensor
    matching: Tensor


@dataclass(frozen=True)
class Judgement:
    """What a discriminator that has just learned from a batch says of it."""

    gan: Tensor  # hinge loss of what was made
    matching: Tensor  # of its features to the true ones'
    own: Tensor  # the discriminator's loss, detached


class Critic:
    """A discriminator and its optimiser: it learns beside the network that it judges."""

    def __init__(self, network: PatchDiscriminator, optimizer: torch.optim.Optimizer) -> None:
        self.network, self.optimizer = network, optimizer

    def set_rate(self, rate: float) -> None:
        """The learning rate from now on."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def learn_and_judge(
        self,
        made: Tensor,  # [B, C, H, W], with gradients
        true: Tensor,  # [B, C, H, W]
    ) -> Judgement:
        """One step of the discriminator, then its opinion, through which gradients pass."""
        loss = discriminator_loss(self.network(made.detach()), self.network(true))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.network.requires_grad_(False)  # its weights are none of the other network's business
        real, fake = self.network(true), self.network(made)
        self.network.requires_grad_(True)
        return Judgement(generator_loss(fake), feature_matching(fake, real), loss.detach())


def discriminator_loss(fake: Activations, real: Activations) -> Tensor:
    """Hinge loss of the discriminator, mean over the scales."""
    losses = [
        F.relu(1 + f[-1]).mean() + F.relu(1 - r[-1]).mean() for f, r in zip(fake, real, strict=True)
    ]
    return torch.stack(losses).mean()


def generator_loss(fake: Activations) -> Tensor:
    """Hinge loss of the generator, mean over the scales."""
    return -torch.stack([scale[-1].mean() for scale in fake]).mean()


def feature_matching(fake: Activations, real: Activations) -> Tensor:
    """L1 between the activations below the prediction, mean over the scales; real ones detached."""
    losses = [
        F.l1_loss(f, r.detach())
        for f_scale, r_scale in zip(fake, real, strict=True)
        for f, r in zip(f_scale[:-1], r_scale[:-1], strict=True)
    ]
    return torch.stack(losses).sum() / len(fake)


def _patch_net(in_channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(in_channels, width, 4, 2, 2), nn.LeakyReLU(0.2)),
        _normed(width, 2 * width),
        _normed(2 * width, 4 * width),
        nn.Conv2d(4 * width, 1, 4, 1, 2),
    )


def _normed(inside: int, outside: int) -> nn.Sequential:
    convolution = nn.utils.parametrizations.spectral_norm(
        nn.Conv2d(inside, outside, 4, 2, 2, bias=False)
    )
    return nn.Sequential(convolution, nn.InstanceNorm2d(outside), nn.LeakyReLU(0.2))
