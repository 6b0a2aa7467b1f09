"""Cutting the photo into layers by depth, and inventing what each hides of those behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.official.masked_ops import eroded, inpainting_box, opened, refined_depth
from cine3d_core.scene import LayeredDepthImage

InpaintingNet = Callable[[Tensor, Tensor, Tensor], Tensor]  # value, context, hole -> value
EROSION = 10
SMALLEST_LAYER = 10  # px after erosion; a smaller layer is skipped
UNIT = 128  # the inpainting nets halve their input seven times
REACH = 256  # px around what is inpainted that can change the nets' result


def sequential_inpainting(
    rgb: Tensor,  # [1, 3, H, W] in [0, 1]
    depth: Tensor,  # [1, 1, H, W]
    bins: Sequence[float],  # L + 1 edges, near to far
    color_net: InpaintingNet,
    depth_net: InpaintingNet,
) -> LayeredDepthImage:
    """Layers from near to far, each continued behind the nearer ones by the networks.

    `inpainted` is the complement of the published mask: everything in a layer that is invented,
    or too close to the layer's edge to be trusted. Layers of only a few pixels are left out.
    """
    layers, nearer = [], torch.zeros_like(depth)
    for index, (near, far) in enumerate(zip(bins[:-1], bins[1:], strict=True)):
        inside = ((depth >= near) & (depth < far)).to(depth.dtype)
        if index == 0:
            layer = _first_layer(rgb, depth, inside)
        elif eroded(inside, EROSION).sum() < SMALLEST_LAYER:
            continue
        else:
            limit = far if index < len(bins) - 2 else None
            nets = (color_net, depth_net)
            layer = _hidden_layer(rgb, depth, (near, far), limit, nets)
        alpha = layer[0][:, 3:] > 0
        layer_depth = torch.where(alpha & (layer[1] <= nearer), 1.05 * nearer, layer[1])
        nearer = torch.where(alpha, layer_depth, nearer)
        layers.append((layer[0], layer_depth, layer[2] == 0))
    rgba, depths, inpainted = (torch.cat(parts) for parts in zip(*layers, strict=True))
    return LayeredDepthImage(rgba, depths, inpainted)


def _first_layer(rgb: Tensor, depth: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rgba = torch.cat((rgb * inside, inside), dim=1)
    return rgba, refined_depth(depth, inside), inside


def _hidden_layer(
    rgb: Tensor,
    depth: Tensor,
    bounds: tuple[float, float],
    limit: float | None,
    nets: tuple[InpaintingNet, InpaintingNet],
) -> tuple[Tensor, Tensor, Tensor]:  # rgba, depth, mask of what was seen
    """One layer with its holes filled; what comes out beyond `limit` is cut off again."""
    context = eroded((depth >= bounds[0]).to(depth.dtype), EROSION)
    hole = (1 - context) * inpainting_box(context)
    filled = _filled_depth(depth, context, hole, bounds[0], nets[1])
    inside = (filled < bounds[1]).to(depth.dtype)
    color = _cropped(nets[0], rgb * context, context, hole)
    alpha = opened(hole + context, 3)
    rgba = torch.cat((color * hole + rgb * context, alpha), dim=1)
    if limit is not None:
        rgba = rgba * inside
        filled = refined_depth(filled, rgba[:, 3:])
    return rgba, filled, context * inside


def _filled_depth(
    depth: Tensor, context: Tensor, hole: Tensor, nearest: float, net: InpaintingNet
) -> Tensor:  # [1, 1, H, W]
    """Depth continued behind what is nearer: never in front of the photo's own depth."""
    known = context > 0
    log_depth = depth.log()
    mean = log_depth[known].mean()
    predicted = _cropped(net, (log_depth - mean) * context, context, hole)
    filled = torch.where(known, depth, (predicted + mean).exp())
    filled = torch.where(known, depth, _smoothed(filled))
    filled = torch.where(filled < depth, 1.01 * depth, filled)
    return filled.clamp(min=0.9 * nearest)


def _smoothed(image: Tensor, sigma: float = 1.5) -> Tensor:
    """3x3 Gaussian, the border reflected."""
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=image.dtype, device=image.device)
    kernel = (-(steps**2) / (2 * sigma**2)).exp()
    kernel = kernel / kernel.sum()
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    rows = F.conv2d(padded, kernel.view(1, 1, 3, 1))
    return F.conv2d(rows, kernel.view(1, 1, 1, 3))


def _cropped(net: InpaintingNet, value: Tensor, context: Tensor, hole: Tensor) -> Tensor:
    """The net's result, computed only around context and hole; 0 elsewhere.

    The nets ignore what is neither, so a crop on the 128 px grid of the padded full frame, with
    enough around it, gives the full frame's result.
    """
    height, width = value.shape[-2:]
    top, left = (-height % UNIT) // 2, (-width % UNIT) // 2
    padding = (left, -width % UNIT - left, top, -height % UNIT - top)
    value, context, hole = (F.pad(t, padding) for t in (value, context, hole))
    ys, xs = (context + hole)[0, 0].nonzero().T
    crop = (..., _span(ys, value.shape[-2]), _span(xs, value.shape[-1]))
    result = torch.zeros_like(value)
    result[crop] = net(value[crop], context[crop], hole[crop])
    return result[..., top : top + height, left : left + width]


def _span(positions: Tensor, length: int) -> slice:
    """The interval of some positions, grown by the nets' reach to whole units."""
    low = (int(positions.min()) - REACH) // UNIT * UNIT
    high = -(-(int(positions.max()) + 1 + REACH) // UNIT) * UNIT
    return slice(max(low, 0), min(high, length))
