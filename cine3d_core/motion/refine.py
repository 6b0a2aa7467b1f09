"""A flow refined by the motion network, as it saw fluids flow: perspective, falls, narrows.

The network answers with a smooth correction at low resolution (`networks.motion`). It is enlarged
inside the mask and applied to the analytic flow, which knows the banks. `directing.direct_motion`
takes a `MotionRefiner` as its `refine` and sees to mask and arrows afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cine3d_core.motion.direct import FlowTask
from cine3d_core.motion.flow import HINT_FRAMES, MotionParams, motion_from_hints
from cine3d_core.motion.guidance import Arrows, View, make_guidance, mirrored, nearness_of
from cine3d_core.networks.motion import MAX_LOG_SPEED, corrected
from cine3d_core.scene import MotionHint

NETWORK_SIDE = 96  # px, long side of what the network sees
SMALLEST_SIDE = 32  # px; below it the arrows' own flow stays as it is
BASE_SIDE = 192  # px, of the analytic flow that it corrects
BASE_PARAMS = MotionParams(grid_cells=40)
SEEN = 0.05  # share of the small mask under a pixel from which the network has seen its region


@dataclass(frozen=True)
class MotionRefiner:
    """Makes the flow of one part; the same task gives the same bits."""

    network: nn.Module  # of `networks.motion`, in evaluation mode

    def __call__(self, task: FlowTask) -> Tensor:  # [2, H, W] px/frame
        """The refined flow; without any arrows, or too small to be seen, the analytic one."""
        hints = task.hints or task.guessed
        if not hints:
            return task.base
        arrows = arrows_of(hints)
        view = View(task.rgb, task.moving, task.behind, nearness_of(task.depth))
        return self.refined(view, arrows, task.base)

    def refined(self, view: View, arrows: Arrows, fallback: Tensor) -> Tensor:  # [2, H, W]
        """The flow of a picture with arrows; `fallback` where a region is too small to be seen."""
        middle = resized_view(view, BASE_SIDE)
        if not bool(middle.mask.any()):
            return fallback
        on_grid = resized_arrows(arrows, view, middle)
        base = analytic_base(middle.mask, middle.behind, on_grid)
        correction, seen = self._correction(middle, on_grid, base, view.mask)
        base_full, _ = enlarged(base, middle.mask, view.mask)
        scale = view.mask.shape[2] / middle.mask.shape[2], view.mask.shape[1] / middle.mask.shape[1]
        flow = corrected(base_full, correction) * flow_scale(scale)
        return torch.where(seen & view.mask, flow, fallback)

    def without_arrows(self, view: View) -> Tensor:  # [2, H, W]
        """What the picture alone says; its speed is a convention."""
        small = resized_view(view, NETWORK_SIDE)
        if not bool(small.mask.any()):
            return torch.zeros_like(view.rgb[:2])
        guidance = make_guidance(small, Arrows(np.zeros((0, 2)), np.zeros((0, 2))), None)
        correction = self._asked(guidance.planes)
        flow = corrected(torch.zeros_like(correction[:2]), correction) * guidance.unit
        full, _ = enlarged(flow, small.mask, view.mask)
        scale = view.mask.shape[2] / small.mask.shape[2], view.mask.shape[1] / small.mask.shape[1]
        return full * flow_scale(scale) * view.mask

    def _correction(
        self, middle: View, arrows: Arrows, base: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:  # [3, H, W] in px of `middle`, [1, H, W] bool
        small = resized_view(middle, NETWORK_SIDE)
        base_small = shrunk(base, middle.mask, small.mask)
        scale = small.mask.shape[2] / base.shape[2], small.mask.shape[1] / base.shape[1]
        on_grid = resized_arrows(arrows, middle, small)
        guidance = make_guidance(small, on_grid, base_small * flow_scale(scale))
        correction = self._asked(guidance.planes)
        residual = correction[1:] * guidance.unit / flow_scale(scale)
        log_speed = correction[:1].clamp(-MAX_LOG_SPEED, MAX_LOG_SPEED)
        return enlarged(torch.cat([log_speed, residual]), small.mask, mask)

    @torch.no_grad()
    def _asked(self, planes: Tensor) -> Tensor:  # [13, h, w] -> [3, h, w]
        """The correction, as the mean of what picture and mirrored picture give.

        None, which is zeros, for pictures that the network's five halvings would use up.
        """
        if min(planes.shape[1:]) < SMALLEST_SIDE:
            return planes.new_zeros(3, *planes.shape[1:])
        device = next(self.network.parameters()).device
        both = torch.stack([planes, mirrored(planes)]).to(device)
        straight, back = self.network(both).cpu()
        return (straight + back.flip(-1) * torch.tensor([1.0, -1.0, 1.0])[:, None, None]) / 2


def analytic_base(mask: Tensor, behind: Tensor, arrows: Arrows) -> Tensor:  # [2, h, w] px/frame
    """The flow that the network corrects: the analytic solver on a coarse grid."""
    return motion_from_hints(mask, hints_of(arrows), params=BASE_PARAMS, behind=behind).velocity


def arrows_of(hints: tuple[MotionHint, ...]) -> Arrows:
    """Feet and vectors of what a person drew."""
    feet = np.array([hint.start for hint in hints], np.float64)
    return Arrows(feet, (np.array([hint.end for hint in hints], np.float64) - feet) / HINT_FRAMES)


def hints_of(arrows: Arrows) -> list[MotionHint]:
    """The arrows as a person draws them."""
    ends = arrows.feet + HINT_FRAMES * arrows.vectors
    return [
        MotionHint((float(a[0]), float(a[1])), (float(b[0]), float(b[1])))
        for a, b in zip(arrows.feet, ends, strict=True)
    ]


def resized_view(view: View, long_side: int) -> View:
    """A smaller view by areas; a pixel moves where half of it does."""
    height, width = view.mask.shape[1:]
    scale = min(1.0, long_side / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    planes = torch.cat([view.rgb, view.mask.float(), view.behind.float(), view.nearness])
    rgb, mask, behind, near = F.interpolate(planes[None], size, mode="area")[0].split((3, 1, 1, 1))
    return View(rgb, mask >= 0.5, (behind >= 0.25) & (mask >= 0.5), near)


def resized_arrows(arrows: Arrows, view: View, other: View) -> Arrows:
    """The same arrows on another view's grid."""
    scale = np.array(
        [other.mask.shape[2] / view.mask.shape[2], other.mask.shape[1] / view.mask.shape[1]]
    )
    return Arrows(arrows.feet * scale, arrows.vectors * scale)


def flow_scale(scale: tuple[float, float]) -> Tensor:  # [2, 1, 1]
    """Factor of a velocity when a grid is scaled by (x, y)."""
    return torch.tensor(scale)[:, None, None]


def shrunk(field: Tensor, mask: Tensor, small_mask: Tensor) -> Tensor:  # [C, h, w]
    """Means of a field over what moves under each pixel of a smaller mask."""
    planes = torch.cat([field * mask, mask.float()])[None]
    small = F.interpolate(planes, small_mask.shape[1:], mode="area")[0]
    return small[:-1] / small[-1:].clamp(min=1e-3) * small_mask


def enlarged(field: Tensor, mask: Tensor, large_mask: Tensor) -> tuple[Tensor, Tensor]:
    """The field of moving areas at a larger size, without static ones; and where it is known.

    Returns:
        [C, H, W] and [1, H, W] bool.
    """
    size = large_mask.shape[1:]
    # the value of moving neighbours goes on for a few pixels, for edges that the small mask misses
    planes, share = field * mask, mask.float()
    for _ in range(2):
        around = F.avg_pool2d(torch.cat([planes, share])[None], 3, 1, 1, count_include_pad=False)[0]
        grown = around[:-1] / around[-1:].clamp(min=1e-6)
        planes = torch.where(share > 0, planes, grown * (around[-1:] > 0))
        share = torch.where(share > 0, share, (around[-1:] > 0).float())
    both = torch.cat([planes, share])[None]
    large = F.interpolate(both, size, mode="bilinear", align_corners=False)[0]
    return large[:-1] / large[-1:].clamp(min=1e-6), large[-1:] > SEEN
