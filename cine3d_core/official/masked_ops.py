"""Morphology, diffusion and medians over the known part of an image, as the authors compute them.

Masks are float tensors of zeros and ones. Behaviour fixed by recorded outputs of the original
program (which takes erosion and opening from kornia).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MEDIAN_CHUNK = 65536  # windows gathered at once: 32 MB at 11x11
EDGE = 11  # px, window along a layer's edges
DIFFUSED = 15  # px, window over which values spread in a round
AROUND_CONTEXT = 40  # px in which holes are filled


def eroded(
    mask: Tensor,  # [B, C, H, W]
    size: int,
) -> Tensor:  # [B, C, H, W]
    """Minimum over a size x size window (y - size // 2 ...); outside is no constraint."""
    before, after = size // 2, size - 1 - size // 2
    padded = F.pad(-mask, (before, after, before, after), value=-torch.inf)
    return -F.max_pool2d(padded, size, stride=1)


def opened(
    mask: Tensor,  # [B, C, H, W]
    size: int,
) -> Tensor:  # [B, C, H, W]
    """Erosion, then dilation: removes what is narrower than `size` (odd)."""
    return F.max_pool2d(eroded(mask, size), size, stride=1, padding=size // 2)


def box_mean(
    image: Tensor,  # [B, C, H, W]
    size: int,
) -> Tensor:  # [B, C, H, W]
    """Mean over a size x size window (odd), zero outside the image."""
    if image.device.type != "cpu":
        return F.avg_pool2d(image, size, stride=1, padding=size // 2)
    import cv2  # running sums: ten times as fast as pooling; only needed on the CPU

    planes = image.reshape(-1, *image.shape[-2:]).detach().numpy()
    means = [
        cv2.boxFilter(plane, -1, (size, size), borderType=cv2.BORDER_CONSTANT) for plane in planes
    ]
    return torch.stack([torch.from_numpy(mean) for mean in means]).view(image.shape)


@dataclass(frozen=True)
class DiffusionRound:
    """One growth of the known area; see `plan_diffusion`."""

    weight: Tensor  # [1, 1, h, w] how much each pixel counts
    fresh: Tensor  # [1, 1, h, w] 1 / mean weight around pixels filled in this round, else 0


@dataclass(frozen=True)
class Diffusion:
    """How values spread from a mask: all that does not depend on the values."""

    known: Tensor  # [1, 1, H, W] bool: where values are given
    mask: Tensor  # [1, 1, H, W] the mask after the last round, in [0, 1]
    window: tuple[slice, slice]  # rows and columns that are worked on, h x w of them
    rounds: tuple[DiffusionRound, ...]


def plan_diffusion(
    mask: Tensor,  # [1, 1, H, W]
    *,
    rounds: int = 7,
    support: Tensor | None = None,  # [1, 1, H, W] bool
) -> Diffusion:
    """Prepare `diffused`: in every round the ring next to what is known becomes known.

    Args:
        mask: where values are known.
        rounds: how often the known area grows, by half a window each time.
        support: where values may differ from zero; all else is left out of the work.
    """
    known = mask > 0
    sources = known if support is None else known & support
    window = _grown_window(sources[0, 0], rounds * (DIFFUSED // 2))
    weight, steps = mask, []
    for _ in range(rounds):
        mean = box_mean(weight, DIFFUSED)
        # running sums leave traces of rounding where nothing is near
        mean = torch.where(mean < 1e-9, 0.0, mean)
        fresh = torch.where(weight > 0, 0.0, (mean > 0) / mean.clamp(min=1e-6))
        steps.append(DiffusionRound(*(t[(..., *window)].clone() for t in (weight, fresh))))
        weight = mean
    return Diffusion(known, weight, window, tuple(steps))


def _grown_window(mask: Tensor, border: int) -> tuple[slice, slice]:
    """Rows and columns of the bounding box of `mask`, grown; empty for an empty mask."""
    ys, xs = mask.nonzero().T
    if len(ys) == 0:
        return slice(0, 0), slice(0, 0)
    rows = slice(max(int(ys.min()) - border, 0), int(ys.max()) + border + 1)
    return rows, slice(max(int(xs.min()) - border, 0), int(xs.max()) + border + 1)


def diffused(
    value: Tensor,  # [1, C, H, W]
    diffusion: Diffusion,
) -> Tensor:  # [1, C, H, W]
    """`value` kept where it is known, weighted means of it around, 0 out of reach."""
    result = torch.zeros_like(value)
    inside = (..., *diffusion.window)
    part = value[inside] * diffusion.known[inside]
    if part.numel() == 0:
        return result
    for step in diffusion.rounds:
        part = part + box_mean(part * step.weight, DIFFUSED) * step.fresh
    result[inside] = part
    return result


def masked_median(
    image: Tensor,  # [1, 1, H, W] >= 0
    mask: Tensor,  # [1, 1, H, W]
    size: int = 11,
    where: Tensor | None = None,  # [1, 1, H, W] bool
) -> Tensor:  # [1, 1, H, W]
    """Median over size x size windows (odd) whose unknown pixels count as extremes.

    Unknown pixels, those outside the image among them, stand for the smallest and the largest
    value in turn, counted in reading order over all windows of the image. So the median tends to
    that of the known ones.

    Args:
        image: values; the border outside counts as unknown and as 0.
        mask: what is known.
        size: side of the window.
        where: pixels to compute, all by default; the others become 0.
    """
    result = torch.zeros_like(image).flatten()
    pixels = torch.arange(result.numel(), device=image.device)
    if where is not None:
        pixels = pixels[where.flatten()]
    odd_start = _starts_with_largest(mask, size).flatten()
    border = (size // 2,) * 4
    padded, known = F.pad(image, border)[0, 0], F.pad(mask, border)[0, 0] > 0
    extremes = (padded.min(), padded.max())
    for chunk in pixels.split(MEDIAN_CHUNK):
        y, x = chunk // image.shape[-1], chunk % image.shape[-1]
        windows, valid = (_windows(t, y, x, size) for t in (padded, known))
        result[chunk] = _window_medians(windows, valid, odd_start[chunk], extremes)
    return result.view(image.shape)


def _starts_with_largest(mask: Tensor, size: int) -> Tensor:
    """Whether the number of unknown pixels in all windows before this one is odd."""
    known = F.avg_pool2d(mask, size, 1, size // 2, divisor_override=1).round().long().flatten()
    unknown = size * size - known
    return (unknown.cumsum(0) - unknown) % 2 == 1


def _windows(padded: Tensor, y: Tensor, x: Tensor, size: int) -> Tensor:
    """The size x size windows [N, size * size] whose corners are at (y, x)."""
    steps = torch.arange(size, device=padded.device)
    rows, columns = y[:, None, None] + steps[:, None], x[:, None, None] + steps
    return padded[rows, columns].flatten(1)


def _window_medians(
    windows: Tensor,  # [N, K]
    valid: Tensor,  # [N, K] bool
    odd_start: Tensor,  # [N] bool
    extremes: tuple[Tensor, Tensor],
) -> Tensor:  # [N]
    count = valid.sum(1)
    unknown = windows.shape[1] - count
    smallest = (unknown + ~odd_start) // 2  # how many of the unknown stand for the minimum
    rank = windows.shape[1] // 2 - smallest
    ordered = windows.masked_fill(~valid, torch.inf).sort(dim=1).values
    inside = ordered.gather(1, rank.clamp(0, windows.shape[1] - 1)[:, None])[:, 0]
    median = torch.where(rank < 0, extremes[0], inside)
    return torch.where(rank >= count, extremes[1], median)


def refined_depth(
    depth: Tensor,  # [1, 1, H, W] > 0
    alpha: Tensor,  # [1, 1, H, W]
) -> Tensor:  # [1, 1, H, W]
    """Depth of one layer, its values near the layer's edges replaced by medians; 0 outside."""
    inside = depth * alpha
    core = eroded(alpha, EDGE) > 0
    edge = (alpha > 0) & ~core
    return torch.where(core, inside, masked_median(inside, alpha, EDGE, edge) * alpha)


def inpainting_box(
    mask: Tensor,  # [1, 1, H, W], not empty
) -> Tensor:  # [1, 1, H, W]
    """Ones in the bounding box of `mask`, grown by `AROUND_CONTEXT`.

    As published, the box never reaches the image's last row and column.
    """
    box = torch.zeros_like(mask)
    height, width = mask.shape[-2:]
    ys, xs = mask[0, 0].nonzero().T
    top, left = max(int(ys.min()) - AROUND_CONTEXT, 0), max(int(xs.min()) - AROUND_CONTEXT, 0)
    bottom = min(int(ys.max()) + AROUND_CONTEXT, height - 1)
    right = min(int(xs.max()) + AROUND_CONTEXT, width - 1)
    box[..., top:bottom, left:right] = 1
    return box
