"""Depth of field: a finished frame as a lens with an aperture sees it.

A point at depth d is a disc on the sensor, of diameter B |1 - S / d| pixels: S is the distance in
focus, B the diameter of what is infinitely far (thin lens; Potmesil and Chakravarty, 1981). The
frame is shared out to levels of that diameter, each is blurred by its disc, and the levels are laid
over one another from far to near. Light is added, so all of it is done in linear colour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2
from torch.nn.functional import pad

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.exr import srgb_to_linear
from cine3d_core.scene import RenderedFrame

MAX_BLUR = 0.1  # diameter of a disc, share of the frame's larger side
_FINEST_PX = 1.5  # a disc below this is a pixel


@dataclass(frozen=True)
class Lens:
    """What a lens that is focused at one distance does to the rest."""

    focus: float  # z-depth that is sharp, core units, above 0
    blur_px: float  # diameter of the disc that an infinitely far point becomes, not negative

    def __post_init__(self) -> None:
        if not (0 < self.focus < float("inf") and 0 <= self.blur_px < float("inf")):
            raise InputError(
                f"the lens has focus distance {self.focus:g} and blur {self.blur_px:g}; set a "
                "focus distance and an F-stop above 0"
            )


def focused(frame: RenderedFrame, lens: Lens | None) -> RenderedFrame:
    """The frame with colour and alpha out of focus; depth and vectors stay what they are."""
    if lens is None or lens.blur_px < _FINEST_PX:
        return frame
    most = MAX_BLUR * max(frame.rgb.shape[-2:])
    discs = signed_discs(frame.depth, lens).clamp(-most, most)
    # premultiplied by nothing: holes are filled with colour, and alpha is blurred beside it
    sharp = torch.cat([srgb_to_linear(frame.rgb), frame.alpha])
    blurred = _laid_over(sharp, discs)
    return replace(frame, rgb=_to_srgb(blurred[:3]).clamp(0, 1), alpha=blurred[3:].clamp(0, 1))


def signed_discs(depth: Tensor, lens: Lens) -> Tensor:  # [1, H, W] -> [1, H, W] px
    """Diameter of each pixel's disc: positive behind the focus, negative before it."""
    far = torch.where(depth > 0, depth, torch.full_like(depth, float("inf")))
    return lens.blur_px * (1 - lens.focus / far)


def _laid_over(sharp: Tensor, discs: Tensor) -> Tensor:  # [C, H, W], [1, H, W] -> [C, H, W]
    """Each level of the discs blurred, the far ones under the near ones."""
    levels = _levels(float(discs.abs().max()))
    color = torch.zeros_like(sharp)
    cover = torch.zeros_like(discs)
    for number in reversed(range(len(levels))):
        share = _share_of_level(discs, levels, number)
        if not bool(share.any()):
            continue
        layer = _blurred(torch.cat([sharp * share, share]), abs(levels[number]))
        behind = (1 - layer[-1:]).clamp(min=0)
        color = layer[:-1] + color * behind
        cover = layer[-1:] + cover * behind
    return color / cover.clamp(min=1e-6)


def _levels(largest: float) -> list[float]:
    """Signed diameters from the nearest to the farthest: 0, and a few in each octave."""
    sizes, size = [0.0], _FINEST_PX
    while size < largest:
        sizes.append(size)
        size *= 1.5
    sizes.append(max(largest, _FINEST_PX))
    return [-size for size in sizes[:0:-1]] + sizes


def _share_of_level(discs: Tensor, levels: list[float], number: int) -> Tensor:
    """How much of each pixel belongs to a level: it lies between the two nearest."""
    here = levels[number]
    share = torch.ones_like(discs)
    if number > 0:
        share = torch.minimum(share, (discs - levels[number - 1]) / (here - levels[number - 1]))
    if number + 1 < len(levels):
        share = torch.minimum(share, (levels[number + 1] - discs) / (levels[number + 1] - here))
    return share.clamp(min=0)


def _blurred(planes: Tensor, diameter: float) -> Tensor:  # [C, H, W]
    """Planes under a disc; outside the frame it is as at its border."""
    if diameter < _FINEST_PX:
        return planes
    reach = int(diameter / 2) + 1
    kernel = _disc(diameter, reach, planes)
    # as a batch of one: that is how the border is repeated in two directions
    padded = pad(planes[None], (reach,) * 4, mode="replicate")[0]
    size = padded.shape[-2:]
    product = rfft2(padded) * rfft2(kernel, s=size)
    return irfft2(product, s=size)[..., 2 * reach :, 2 * reach :]


def _disc(diameter: float, reach: int, like: Tensor) -> Tensor:  # [2 reach + 1, 2 reach + 1]
    """A disc of sum 1, with a soft edge of a pixel."""
    ticks = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
    radius = (ticks[:, None] ** 2 + ticks[None, :] ** 2).sqrt()
    disc = (diameter / 2 + 0.5 - radius).clamp(0, 1)
    return disc / disc.sum()


def _to_srgb(linear: Tensor) -> Tensor:
    """The inverse of `srgb_to_linear`."""
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curved)
