"""Two splatted clouds become one picture (paper, section 3.4, Eq. 4).

The cross-fade of the forward and the backward cloud, without the two flaws of the published one:
gaps that the water left behind are filled from the other cloud, and the texture contrast that is
lost where unrelated pictures are mixed, and where points lie between pixels, is put back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cine3d_core.imaging.launch import may_launch
from cine3d_core.render import blend_kernels as kernels
from cine3d_core.render.contrast import restore_contrast
from cine3d_core.scene import SplatImage

COLOURS = 3  # the first channels of a splatted cloud


@dataclass(frozen=True)
class BlendParams:
    """How the two clouds are blended."""

    # "eq4" weighs by exp(-depth), the paper; "linear" by exp(disparity) normalised once per scene;
    # "variance" is "linear" with the photo's texture contrast put back.
    weights: Literal["variance", "linear", "eq4"] = "variance"
    contrast_window: float = 1 / 60  # of the long side; what counts as texture for "variance"


@dataclass(frozen=True)
class SplatChannels:
    """Where each quantity lies among the channels of a splatted cloud."""

    rgb: slice
    features: slice
    texture: int  # variance of brightness that the photo has around moving points; 0 for others
    phase: int  # cross-fade weight of moving points in [0, 1]; 0 for static ones
    moving: int
    motion: slice  # px to the previous frame (x, y), to the next (x, y)


def splat_channels(num_features: int) -> SplatChannels:
    """Layout for clouds with `num_features` learned features."""
    end = COLOURS + num_features
    colours, features, motion = slice(0, COLOURS), slice(COLOURS, end), slice(end + 3, end + 7)
    return SplatChannels(colours, features, end, end + 1, end + 2, motion)


@dataclass(frozen=True)
class _Moment:
    """What a cross-fade depends on beside the two pictures, see `blend_directions`."""

    channels: SplatChannels
    loop_phase: float
    disparity_range: tuple[float, float]
    params: BlendParams

    def disparity_scale(self) -> tuple[float, float]:
        """What is subtracted from a disparity, and by what the rest is multiplied."""
        low, high = self.disparity_range
        return low, 1 / max(high - low, 1e-9)


def blend_directions(
    forward: SplatImage,
    backward: SplatImage,
    channels: SplatChannels,
    *,
    loop_phase: float,
    disparity_range: tuple[float, float],
    params: BlendParams,
) -> SplatImage:
    """One picture out of the two clouds'.

    Where one cloud left a gap the other fills it. Identical pictures come out unchanged.

    Args:
        forward: the forward cloud, layout `channels`.
        backward: the backward cloud.
        channels: from `splat_channels`.
        loop_phase: share of the loop that has passed, in [0, 1).
        disparity_range: of the scene; disparity is normalised once per scene, since with a range
            per frame a stray point would re-weigh every pixel.
        params: see there.
    """
    mix = mix_torch
    if not forward.features.requires_grad:
        if forward.features.device.type == "cpu":
            mix = _mix_cpu
        elif may_launch(forward.features):
            mix = _mix_on_card
    moment = _Moment(channels, loop_phase, disparity_range, params)
    blended, share = mix(forward, backward, moment)
    features = blended.features
    if params.weights == "variance":
        moving = features[channels.moving : channels.moving + 1]
        texture = features[channels.texture : channels.texture + 1]
        step = contrast_step(features.shape[1], features.shape[2], params)
        mixture = features[channels.rgb]  # where it lies
        if mix is _mix_on_card:
            from cine3d_core.render.card import picture  # imports Warp, see `launch`

            picture.restore_contrast(mixture, texture, share, moving, step=step)
        else:
            rgb = restore_contrast(mixture, texture, share, moving, step=step)
            features[channels.rgb] = rgb
    return blended


def mix_torch(
    forward: SplatImage, backward: SplatImage, moment: _Moment
) -> tuple[SplatImage, Tensor]:
    """The cross-fade and the backward cloud's share [1, H, W], before contrast is restored.

    In torch operations: any device, gradients to the features.
    """
    share = blend_share(
        forward,
        backward,
        moment.channels,
        moment.loop_phase,
        moment.disparity_range,
        moment.params,
    )
    image = SplatImage(
        features=torch.lerp(forward.features, backward.features, share),
        alpha=torch.maximum(forward.alpha, backward.alpha),
        disparity=torch.lerp(forward.disparity, backward.disparity, share),
    )
    return image, share


def blend_share(
    forward: SplatImage,
    backward: SplatImage,
    channels: SplatChannels,
    loop_phase: float,
    disparity_range: tuple[float, float],
    params: BlendParams,
) -> Tensor:
    """The backward cloud's share of each pixel: [1, H, W] in [0, 1]."""
    weights = []
    for image, other, static_phase in (
        (forward, backward, 1 - loop_phase),
        (backward, forward, loop_phase),
    ):
        weight = _weight(image, channels, static_phase, disparity_range, params)
        if params.weights != "eq4":
            weight = weight * _no_gap(image, other, channels)
        weights.append(weight)
    total = weights[0] + weights[1]
    # At a cycle's start one cloud has no weight; where only it shows something, it is shown.
    alone = backward.alpha / (forward.alpha + backward.alpha).clamp(min=1e-12)
    return torch.where(total > 1e-12, weights[1] / total.clamp(min=1e-12), alone)


def _weight(
    image: SplatImage,
    channels: SplatChannels,
    static_phase: float,
    disparity_range: tuple[float, float],
    params: BlendParams,
) -> Tensor:
    moving = image.features[channels.moving : channels.moving + 1]
    own_phase = image.features[channels.phase : channels.phase + 1] / moving.clamp(min=1e-3)
    phase = torch.where(moving > 1e-3, own_phase, static_phase)
    if params.weights == "eq4":
        return phase * image.alpha * torch.exp(-1 / image.disparity.clamp(min=1e-6))
    low, high = disparity_range
    nearness = ((image.disparity - low) / max(high - low, 1e-9)).clamp(0, 1)
    return phase * image.alpha * torch.exp(nearness)


def _no_gap(image: SplatImage, other: SplatImage, channels: SplatChannels) -> Tensor:
    """Nearly 0 where this cloud's moving surface has flowed away and the other's has not.

    Such a gap shows static points behind the water; it is as much a hole as one that shows nothing.
    """
    moving = image.features[channels.moving : channels.moving + 1]
    flowed_away = other.features[channels.moving : channels.moving + 1] - moving
    return 1 - kernels.GAP * flowed_away.clamp(0, 1)


def _mix_cpu(
    forward: SplatImage, backward: SplatImage, moment: _Moment
) -> tuple[SplatImage, Tensor]:
    channels = moment.channels
    image = SplatImage(
        features=torch.empty_like(forward.features),
        alpha=torch.empty_like(forward.alpha),
        disparity=torch.empty_like(forward.disparity),
    )
    share = torch.empty_like(forward.alpha)
    kernels.blend(
        _flat(forward),
        _flat(backward),
        (channels.phase, channels.moving),
        moment.loop_phase,
        moment.disparity_scale(),
        moment.params.weights == "eq4",
        (*_flat(image), share.view(-1).numpy()),
    )
    return image, share


def _mix_on_card(
    forward: SplatImage, backward: SplatImage, moment: _Moment
) -> tuple[SplatImage, Tensor]:
    from cine3d_core.render.card import picture  # imports Warp, see `launch`

    fade = picture.Fade()
    fade.phase, fade.moving = moment.channels.phase, moment.channels.moving
    fade.loop_phase = moment.loop_phase
    fade.lowest, fade.scale = moment.disparity_scale()
    fade.eq4 = moment.params.weights == "eq4"
    a = forward.features, forward.alpha, forward.disparity
    b = backward.features, backward.alpha, backward.disparity
    mixture, share = picture.mixed(a, b, fade)
    return SplatImage(*mixture), share


def _flat(image: SplatImage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [C, P], alpha [P] and disparity [P] of P pixels."""
    features = image.features.contiguous().view(len(image.features), -1)
    alpha, disparity = image.alpha.contiguous(), image.disparity.contiguous()
    return features.numpy(), alpha.view(-1).numpy(), disparity.view(-1).numpy()


def contrast_step(height: int, width: int, params: BlendParams) -> int:
    """Pixels between the local means of a picture, which are smooth: a coarse grid will do."""
    window = max(3, round(max(height, width) * params.contrast_window))
    return max(2, window // 4)
