"""Motion and surface of every layer, continued to where its points may travel.

A point of a layer flows over pixels that the layer does not own: behind a post, across the cut
that splits one water surface into two layers, out of the picture. There it needs a velocity and a
depth. The published code diffuses both outward by 49 px (reference, section 1.9); here they
continue over the whole canvas, once per scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cine3d_core.imaging.nearest import nearest_pixel
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.imaging.windows import window_max
from cine3d_core.scene import LayeredDepthImage, MotionField

# Disparity per long side of the picture; what is steeper is a jump. Water seen from a boat's height
# climbs by about 2 from the horizon to the picture's lower border.
JUMP_SLOPE = 5.0
# And this many times as steep as the gentlest climb so near: what climbs evenly is a slope, however
# steep. A jump that a resized depth has blurred is narrower.
JUMP_CONTRAST = 2.0
SLOPE_PX = 4
# Cosine of the angle up to which flows on both sides of a jump are one; and the part of their speed
# that must go across.
ONE_FLOW = 0.7
CROSSING = 0.3
# Share of its depth by which what flows passes behind what the photo shows at rest there; more than
# the splatter takes for one surface, less than what is filled in lies behind what covers it.
BEHIND = 0.025
# Up to this much behind what is seen, what is hidden backs it and is no surface to flow on.
BENEATH = 0.051
FOOTPRINT_PX = 2  # how far a point of a flow that is stretched a little reaches


@dataclass(frozen=True)
class LayerMotion:
    """What carries the points of each layer."""

    velocity: Tensor  # [L, 2, H, W] px/frame; zero where the layer's own points rest
    cycles: Tensor  # [L, 1, H, W] int16 >= 1
    depth: Tensor  # [L, 1, H, W] where the layer's flowing points are: its surface, continued
    in_place: dict[str, Tensor]  # [L, C, H, W] of the layer's visible points, see `MotionField`
    region: Tensor | None  # [L, 1, H, W] uint8, see `MotionField`


def motion_of_layers(layers: LayeredDepthImage, field: MotionField) -> LayerMotion:
    """Splits one motion field among inpainted layers and continues it.

    Args:
        layers: inpainted; every pixel is visible (not inpainted) in exactly one layer.
        field: motion of what is visible, same size.
    """
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted  # [L, 1, H, W]
    depth = (layers.depth * visible).sum(dim=0)
    component = surface_components(depth, field.moving, field.velocity)
    swinging, swinging_cycles = field.swinging, field.cycles
    # Moving pixels on the near side of a jump belong to what stands before the water.
    field = _only_moving(field, component > 0)
    # What flows on over a bank would flood what the photo shows there, which never moves.
    banks = ~field.moving & ~swinging
    bank = _largest(banks.to(depth), 1) > 0
    # As far as the banks around, too: a point reaches over its pixel, past the edge of a rock. Not
    # so the water beside them, behind which there may be something else.
    bank_depth = torch.where(banks, _largest(depth * banks, FOOTPRINT_PX), depth)
    velocities, cycles, depths = [], [], []
    regions, drawn = [], torch.zeros_like(field.cycles) if field.region is None else field.region
    for layer in range(len(visible)):
        own = visible[layer]
        surfaces = _touching(component, own)
        if not bool(surfaces.any()):  # nothing moves here, so nothing needs to be continued
            velocities.append(torch.zeros_like(field.velocity))
            cycles.append(torch.ones_like(field.cycles))
            regions.append(torch.zeros_like(drawn))
            depths.append(torch.where(layers.rgba[layer, 3:] > 0.5, layers.depth[layer], depth))
            continue
        domain = own | surfaces
        velocities.append(_continue_velocity(field, domain))
        cycles.append(_continue_numbers(field.cycles, field.moving & domain))
        regions.append(_continue_numbers(drawn, field.moving & domain))
        continued = _continue_depth(layers, layer, domain, depth)
        behind = torch.maximum(continued, bank_depth * (1 + BEHIND))
        depths.append(torch.where(bank, behind, continued))
    # What is hidden rests: it is uncovered where what stands before it bends away.
    in_place = {kind: planes[None] * visible for kind, planes in field.in_place.items()}
    layer_cycles = torch.where(swinging & visible, swinging_cycles, torch.stack(cycles))
    region = None
    if field.region is not None:
        region = torch.where(swinging & visible, field.region, torch.stack(regions))
    return LayerMotion(torch.stack(velocities), layer_cycles, torch.stack(depths), in_place, region)


def _largest(values: Tensor, radius: int) -> Tensor:
    """The largest of [1, H, W] values around each pixel."""
    return window_max(values[0], radius)[None]


def surface_components(depth: Tensor, moving: Tensor, velocity: Tensor) -> Tensor:
    """Numbers connected moving surfaces: [1, H, W] int64.

    Surfaces are apart where depth jumps, unless the flow goes over the jump, as water over the
    steps of a cascade, whose ledges are hidden. 0 means none: static, or the near edge of a jump,
    where a mask drawn a little too large catches what stands before the water.
    """
    disparity = 1 / depth
    jump = JUMP_SLOPE / max(depth.shape)
    near_edge = torch.zeros_like(moving)
    for axis in (1, 2):
        count = disparity.shape[axis] - 1
        first, second = disparity.narrow(axis, 0, count), disparity.narrow(axis, 1, count)
        across = _flows_across(velocity, axis)
        for side, climb in ((0, first - second), (1, second - first)):
            beyond = moving.narrow(axis, 1 - side, count)
            own = _thick(moving, axis, side).narrow(axis, side, count) & (across | ~beyond)
            jumps = (climb > jump) & (climb > JUMP_CONTRAST * _gentlest(climb, axis))
            near_edge.narrow(axis, side, count).logical_or_(jumps & ~own)
    smooth = (moving & ~near_edge)[0].cpu().numpy().astype(np.uint8)
    _, labels = cv2.connectedComponents(smooth, connectivity=4)
    return torch.from_numpy(labels).long()[None].to(moving.device)


def _gentlest(climb: Tensor, axis: int) -> Tensor:
    """The least climb [1, H, W] within `SLOPE_PX` along an axis, 0 where it falls."""
    radius = [0, 0]
    radius[axis - 1] = SLOPE_PX
    size = [2 * r + 1 for r in radius]
    return -functional.max_pool2d(-climb[None].clamp(min=0), size, stride=1, padding=radius)[0]


def _thick(moving: Tensor, axis: int, side: int) -> Tensor:
    """Pixels with two moving ones before (side 0) or after them along an axis: [1, H, W] bool."""
    pad = [0, 0, 0, 0]
    pad[2 * (2 - axis) + side] = 2
    padded = functional.pad(moving[None].float(), pad, mode="replicate")[0] > 0.5
    count, start = moving.shape[axis], side
    return padded.narrow(axis, start, count) & padded.narrow(axis, start + 1, count)


def _flows_across(velocity: Tensor, axis: int) -> Tensor:
    """Whether the flow goes from a pixel to its neighbour along an axis, or back: [1, H, W] bool.

    It does where it has about one direction in both and that is not along their common edge.
    """
    count = velocity.shape[axis] - 1
    pair = velocity.narrow(axis, 0, count), velocity.narrow(axis, 1, count)
    speeds = [torch.linalg.vector_norm(half, dim=0, keepdim=True) for half in pair]
    agreement = (pair[0] * pair[1]).sum(dim=0, keepdim=True)
    channel = 2 - axis  # x of columns, y of rows
    across = [half[channel : channel + 1].abs() for half in pair]
    agrees = agreement > ONE_FLOW * speeds[0] * speeds[1]
    return agrees & (across[0] > CROSSING * speeds[0]) & (across[1] > CROSSING * speeds[1])


def _only_moving(field: MotionField, keep: Tensor) -> MotionField:
    moving = field.moving & keep
    cycles = torch.where(moving, field.cycles, torch.ones_like(field.cycles))
    return replace(field, velocity=field.velocity * moving, moving=moving, cycles=cycles)


def _touching(component: Tensor, own: Tensor) -> Tensor:
    """Pixels of all surfaces that have a part in `own`: [1, H, W] bool."""
    inside = torch.zeros(int(component.max()) + 1, dtype=torch.bool, device=component.device)
    inside[component[own]] = True
    inside[0] = False
    return inside[component]


def _continue_velocity(field: MotionField, domain: Tensor) -> Tensor:
    """The field where the domain is; elsewhere the flow goes on where it is nearer than a bank."""
    moving = (field.moving & domain).to(field.velocity)
    filled = push_pull(torch.cat([field.velocity * moving, moving]), domain.to(moving))
    share = filled[2:]  # divided out again, so that the flow does not slow down towards banks
    continued = filled[:2] / share.clamp(min=0.5) * (share >= 0.5)
    return torch.where(domain, field.velocity, continued)


def _continue_numbers(numbers: Tensor, known: Tensor) -> Tensor:  # [1, H, W], two of them
    """Whole numbers of regions: elsewhere that of the nearest one, no mean of several."""
    if int(numbers.min()) == int(numbers.max()):
        return numbers
    _, nearest = nearest_pixel(known[0].cpu().numpy())
    index = torch.from_numpy(nearest).to(numbers.device)
    return numbers.reshape(-1)[index][None]


def _continue_depth(
    layers: LayeredDepthImage, layer: int, domain: Tensor, visible_depth: Tensor
) -> Tensor:
    """Its connected surfaces' depth, what the layer hides, and a membrane in disparity elsewhere.

    Where a surface goes on in another layer, flow stays on it and does not go behind it.
    """
    hidden = (layers.rgba[layer, 3:] > 0.5) & ~domain
    hidden &= layers.depth[layer] > visible_depth * (1 + BENEATH)
    depth = torch.where(hidden, layers.depth[layer], visible_depth)
    known = hidden | domain
    disparity = torch.where(known, 1 / depth, torch.zeros_like(depth))
    filled = push_pull(disparity, known.to(depth))
    # 1 / (1 / z) is not z: known depths stay as they are, so that points at rest do not move.
    return torch.where(known, depth, 1 / filled.clamp(min=1e-6))
