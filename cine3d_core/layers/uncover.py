"""What the camera or the flow may uncover: behind nearer surfaces, and beyond the frame.

Background first, as in the paper (section 3.1) and in 3D Photo (Shih et al., CVPR 2020): a surface
is continued only from itself and what lies behind it, so foreground never leaks in. Unlike there,
only the band that can come into view is filled, and only at real depth jumps: a smooth surface that
the layering has cut in two needs no second copy of itself.

Terms: an *edge* pixel is visible and lies right beside something nearer, across a jump. What lies
in front of its nearest edge pixel is the *foreground*; the *rim* is visible but so close to the
edge that it may hold foreground colour. Lengths are shares of the canvas' long side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.nearest import nearest_pixel
from cine3d_core.layers.blur import soft_width
from cine3d_core.layers.border import border_source, continued
from cine3d_core.layers.fill import FilledPicture, analytic_fill, context_mean, window_around
from cine3d_core.scene import LayeredDepthImage

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# rgb [3, H, W], depth [1, H, W], context [1, H, W] bool, hole [1, H, W] bool: fills the hole from
# the context; what rgb and depth hold elsewhere must not be looked at.
FillFunction = Callable[[Tensor, Tensor, Tensor, Tensor], FilledPicture]

# Beside a jump, what rises by so many times more than it falls is the jump's far side.
FAR_SIDE = 2.0
AS_FAR = 0.9  # of the farthest depth: the sky
HALO = 0.04  # of the way to the foreground's colour, on the other side of the background's
OVERLAP = 2  # rims


@dataclass(frozen=True)
class InpaintParams:
    """How far and where surfaces are continued."""

    band: float = 0.08  # of the long side: never farther behind a nearer surface
    parallax: float = 0.1  # long sides that a disparity of 1 moves across the screen, at most
    jump_slope: float = 5.0  # disparity per long side: what is steeper is a jump, not a surface
    jump_width: float = 0.002  # of the long side: over how many pixels a jump may spread
    fringe: float = 0.002  # of the long side: where background may hold foreground colour
    sky_rim: float = 0.005  # the same where it is as far as the sky, whose border is less sure
    soft_rim: float = 0.02  # the same where the edge is out of focus, at most
    fringe_share: float = 0.4  # foreground by this share at the rim's end is foreground
    clearance: float = 0.05  # a filled pixel is farther than what covers it by this share


@dataclass(frozen=True)
class ExtendedCanvas:
    """A photo grown on every side."""

    rgb: Tensor  # [3, H + 2m, W + 2m]
    depth: Tensor  # [1, H + 2m, W + 2m]
    inpainted: Tensor  # [1, H + 2m, W + 2m] bool, True in the margin
    source: Tensor  # [H + 2m, W + 2m] int64 which of the photo's pixels is shown, row-major


@dataclass(frozen=True)
class _Stack:
    """The layers while they are being filled; changed in place, private to one call."""

    rgb: Tensor  # [3, H, W] the photo
    layer: Array  # [H, W] where each pixel of the photo is visible
    depth: Array  # [H, W] its depth
    moves_with: Array  # [H, W] flat index of the pixel whose motion it shares, mostly its own
    layers_rgba: Tensor  # [L, 4, H * W]
    layers_depth: Tensor  # [L, H * W]
    inpainted: Tensor  # [L, H * W] bool


@dataclass(frozen=True)
class _Band:
    """Where the surfaces of one layer go on behind others; [H, W] each."""

    hole: Mask  # covered, to be filled
    rim: Mask  # visible pixels of this layer beside the hole
    overlap: Mask  # and a little farther: the fill goes on behind them, so that no crack opens
    foreground: Mask  # in front of the nearest edge pixel
    width: Array  # px of the rim there
    context: Mask  # this layer and behind, without foreground and rim
    distance: Array  # px to the nearest edge pixel
    blurred: Mask  # the nearest edge is out of focus


def inpaint_layers(
    ldi: LayeredDepthImage,
    *,
    params: InpaintParams,
    fill: FillFunction = analytic_fill,
) -> LayeredDepthImage:
    """The layers with what camera and flow may uncover; the visible picture stays as it is.

    Expects every pixel in exactly one layer, and keeps that for pixels not marked `inpainted`. A
    continued surface is stored in its own layer, or in the next where its own layer is in front of
    it; where there is no next, one layer is added. A visible pixel with foreground colour moves to
    the foreground, whose motion it shares from then on, with clean background behind it.
    """
    stack = _copy(ldi)
    jump = _jump(stack, params)
    # Farthest first: where two surfaces want one place, the one that all others uncover gets it.
    for index in reversed(range(len(ldi.rgba))):
        band = _find_band(stack, index, params, jump)
        wanted = band.hole | band.rim
        if not band.hole.any() or not band.context.any():
            continue
        planes = _surface_depth(stack, band, index), band.context, wanted
        filled = fill(stack.rgb, *(_there(plane, stack)[None] for plane in planes))
        mixed = _foreground_in_rim(stack, filled.rgb, band, params)
        _give_to_foreground(stack, mixed, band.foreground)
        hidden = band.hole | mixed | band.overlap
        _store(stack, filled, hidden, index, params=params, same_surface=jump / 2)
    return _to_ldi(stack)


def extend_canvas(
    rgb: Tensor,  # [3, H, W]
    depth: Tensor,  # [1, H, W]
    margin_px: int,
) -> ExtendedCanvas:
    """The photo continued into a margin on every side, its depth with it.

    Colour and depth are continued together, so that depth edges stay on the picture's edges.
    """
    seen = torch.zeros_like(depth, dtype=torch.bool)
    source = border_source(rgb, margin_px)
    return ExtendedCanvas(
        rgb=continued(rgb, source),
        depth=continued(depth, source),
        inpainted=F.pad(seen, (margin_px,) * 4, value=True),
        source=source,
    )


def _copy(ldi: LayeredDepthImage) -> _Stack:
    visible = ((ldi.rgba[:, 3] > 0) & ~ldi.inpainted[:, 0]).cpu().numpy()
    layer = np.zeros(visible.shape[1:], dtype=np.int64)
    for index in range(1, len(visible)):
        layer[visible[index]] = index
    depth = np.where(visible, ldi.depth[:, 0].float().cpu().numpy(), 0).sum(axis=0)
    spare = (0, 0, 0, 1)  # an empty layer behind the last
    return _Stack(
        rgb=(ldi.rgba[:, :3] * ldi.rgba[:, 3:]).sum(dim=0),
        layer=layer,
        depth=np.maximum(depth, 1e-6),
        moves_with=np.arange(depth.size).reshape(depth.shape),
        layers_rgba=F.pad(ldi.rgba.flatten(2), (*spare[:2], 0, 0, *spare[2:])),
        layers_depth=F.pad(ldi.depth[:, 0].flatten(1), spare),
        inpainted=F.pad(ldi.inpainted[:, 0].flatten(1), spare),
    )


def _to_ldi(stack: _Stack) -> LayeredDepthImage:
    used = len(stack.inpainted) - (0 if stack.inpainted[-1].any() else 1)
    size = stack.rgb.shape[1:]
    return LayeredDepthImage(
        rgba=stack.layers_rgba[:used].unflatten(2, size),
        depth=stack.layers_depth[:used, None].unflatten(2, size),
        inpainted=stack.inpainted[:used, None].unflatten(2, size),
        moves_with=_there(stack.moves_with, stack),
    )


def _jump(stack: _Stack, params: InpaintParams) -> float:
    """Disparity that a steep but smooth surface climbs within the reach of the jump search."""
    reach = _pixels(params.jump_width, stack.depth)
    return params.jump_slope * (reach + 1) / max(stack.depth.shape)


def _find_band(stack: _Stack, index: int, params: InpaintParams, jump: float) -> _Band:
    """Hole, rim and context of layer `index`."""
    disparity, reach = 1.0 / stack.depth, _pixels(params.jump_width, stack.depth)
    gap = _window_max(disparity, reach) - disparity
    drop = disparity + _window_max(-disparity, reach)
    # Ground that falls off steeply behind something is the far side of that, not another near one.
    near_side = (drop > jump) & (gap < FAR_SIDE * drop)
    beside = _window_max(near_side.astype(np.uint8), 1) > 0
    behind = stack.layer >= index
    edge = behind & beside & ~near_side & (gap > jump)
    if not (edge & (stack.layer == index)).any():
        nothing = np.zeros_like(edge)
        return _Band(nothing, nothing, nothing, nothing, gap, behind, gap, nothing)
    distance, nearest = nearest_pixel(edge)
    foreground = disparity > disparity.flat[nearest] + jump / 2
    # What comes out from behind the foreground, even where a thin strip lies between the two.
    opening = _window_max(disparity, 2 * _pixels(params.fringe, edge)) - disparity
    width = np.minimum(params.parallax * opening, params.band) * max(edge.shape) + reach
    # A covered pixel belongs to the nearest edge only: what lies deeper is continued on its own.
    hole = foreground & (distance <= width.flat[nearest]) & (stack.layer.flat[nearest] == index)
    far = stack.depth > AS_FAR * stack.depth.max()
    wide = np.where(far, _pixels(params.sky_rim, far), _pixels(params.fringe, far))
    soft = soft_width(
        stack.rgb,
        foreground,
        behind & ~foreground,
        distance,
        nearest,
        _pixels(params.soft_rim, far),
    )
    blurred = (soft > wide).flat[nearest]
    wide = np.maximum(wide, soft).flat[nearest]
    rim = ~foreground & (distance < wide)
    beneath = _window_max(hole.astype(np.uint8), OVERLAP * _pixels(params.fringe, edge)) > 0
    # The near side of another jump may be half of something else, in depth and colour.
    context = behind & ~foreground & ~rim & ~near_side
    rim &= stack.layer == index
    # Not so close to where it ends itself that its copy would peek out there.
    ends = _window_max(
        (near_side & ~foreground).astype(np.uint8), OVERLAP * _pixels(params.fringe, gap)
    )
    overlap = beneath & (context | rim) & (stack.layer == index) & (ends == 0)
    return _Band(hole, rim, overlap, foreground, wide, context, distance, blurred)


def _surface_depth(stack: _Stack, band: _Band, index: int) -> Array:
    """Depth of layer `index`, taken from its nearest pixel where the context lies behind it.

    Otherwise a fill would slope from this surface down to those behind, and be stretched apart.
    """
    own = band.context & (stack.layer == index)
    if not own.any():
        return stack.depth
    _, nearest = nearest_pixel(own)
    return stack.depth.flat[nearest]


def _foreground_in_rim(stack: _Stack, filled: Tensor, band: _Band, params: InpaintParams) -> Mask:
    """Rim pixels whose colour is on the way from the filled background's to the foreground's.

    Or beyond the background's, away from the foreground's: a sharpened photo has such a line
    around its things, which would stay behind as a ghost of their outlines.
    """
    mixed = np.zeros_like(band.rim)
    for rim in (band.rim & ~band.blurred, band.rim & band.blurred):
        if rim.any():
            mixed |= _mixed(stack, filled, replace(band, rim=rim), params)
    return mixed


def _mixed(stack: _Stack, filled: Tensor, band: _Band, params: InpaintParams) -> Mask:
    mixed = np.zeros_like(band.rim)
    radius = 2 * int(band.width[band.rim].max())
    part = window_around(torch.from_numpy(band.rim)[None], radius)
    nearer, photo, filled = band.foreground[part], stack.rgb[:, *part], filled[:, *part]
    towards = context_mean(photo, _there(nearer, stack)[None], radius) - filled
    share = ((photo - filled) * towards).sum(dim=0) / (towards**2).sum(dim=0).clamp(min=1e-3)
    # Next to the foreground a mixture is what lenses make; farther off it takes an error of depth,
    # or a lens out of focus.
    needed = params.fringe_share * band.distance[part] / band.width[part] * ~band.blurred[part]
    # A line on the whole, and not half the pixels of a texture.
    usual = context_mean(share[None], _there(band.rim[part], stack)[None], radius)[0]
    halo = (torch.maximum(share, usual) < -HALO).cpu().numpy()
    some: Mask = band.rim[part] & ((share.cpu().numpy() > needed + 0.05) | halo)
    # Only what hangs together with the foreground is part of it; specks are texture.
    size = 2 * _pixels(params.jump_width, mixed) + 1
    mixed[part] = some & (cv2.medianBlur((some | nearer).astype(np.uint8), size) > 0)
    return mixed


def _give_to_foreground(stack: _Stack, mixed: Mask, foreground: Mask) -> None:
    """Mixed pixels move to the layer and depth of the nearest foreground pixel."""
    if not mixed.any():
        return
    _, nearest = nearest_pixel(foreground)
    mixed = mixed & (stack.depth.flat[nearest] < stack.depth)
    source, target = nearest[mixed], np.flatnonzero(mixed)
    at = _there(target, stack)
    old = _there(stack.layer.flat[target], stack)
    stack.layers_rgba[old, :, at] = 0
    stack.layers_depth[old, at] = 0
    stack.layer.flat[target] = stack.layer.flat[source]
    stack.depth.flat[target] = stack.depth.flat[source]
    stack.moves_with.flat[target] = stack.moves_with.flat[source]
    new = _there(stack.layer.flat[target], stack)
    # Whatever had been invented there makes room for what is seen.
    stack.layers_rgba[new, :3, at] = stack.rgb.flatten(1)[:, at].T
    stack.layers_rgba[new, 3, at] = 1
    stack.layers_depth[new, at] = _there(stack.depth.flat[target], stack)
    stack.inpainted[new, at] = False


def _store(
    stack: _Stack,
    filled: FilledPicture,
    where: Mask,
    index: int,
    *,
    params: InpaintParams,
    same_surface: float,
) -> None:
    """Write fills behind what covers them; not where the same surface goes on already."""
    target = np.flatnonzero(where)
    at = _there(target, stack)
    front = _there(stack.depth.flat[target], stack)
    depth = torch.maximum(filled.depth.flatten()[at], front * (1 + params.clearance))
    present = stack.layers_rgba[:, 3, at] > 0
    same = (1.0 / stack.layers_depth[:, at].clamp(min=1e-6) - 1.0 / depth).abs() < same_surface
    taken = (same & present & stack.inpainted[:, at]).any(dim=0)
    # The first free layer from its own on, and behind what is visible there.
    least = _there(np.maximum(index, stack.layer.flat[target] + 1), stack)
    free = ~present & (torch.arange(len(present), device=at.device)[:, None] >= least)
    kept = free.any(dim=0) & ~taken
    layer, at, depth = free.to(torch.uint8).argmax(dim=0)[kept], at[kept], depth[kept]
    stack.layers_rgba[layer, :3, at] = filled.rgb.flatten(1)[:, at].T
    stack.layers_rgba[layer, 3, at] = 1
    stack.layers_depth[layer, at] = depth
    stack.inpainted[layer, at] = True


def _pixels(share: float, image: Array) -> int:
    """A share of the long side in whole pixels, at least one."""
    return max(1, round(share * max(image.shape)))


def _window_max(values: Array, radius: int) -> Array:
    size = 2 * radius + 1
    return cv2.dilate(values, np.ones((size, size), np.uint8), borderType=cv2.BORDER_REPLICATE)


def _there(values: Array, stack: _Stack) -> Tensor:
    """On the device of the stack's colours, and in their precision if it has one."""
    tensor = torch.from_numpy(values)
    return tensor.to(stack.rgb if tensor.is_floating_point() else stack.rgb.device)
