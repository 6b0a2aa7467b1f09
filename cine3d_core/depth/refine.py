"""From a raw disparity to a clean depth map at the photo's resolution.

Networks see a small picture, so their depth edges are soft and lie beside the picture's edges.
Every pixel in such a ramp would become a point flying between the near and the far surface. Here
the ramps are found, and every pixel in them goes to the near or to the far side, as its colour
says. The statistics are those of the guided filter (He, Sun and Tang, TPAMI 2013), with the
confident pixels either side of a ramp as its training set, in the manner of closed-form matting.

"disparity01" is affine inverse depth in [0, 1], near = 1. Lengths are shares of the long side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.imaging.guided_filter import predict_from_colour, regress_on_colour, resized
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.imaging.spread import spread
from cine3d_core.imaging.windows import (
    bilateral,
    box_mean,
    dilated,
    distance_to,
    median_of_mask,
    shrunk,
    window_max,
)
from cine3d_core.scene import DepthMap

_FAR = 0.95  # of the farthest depth: nothing stands there
SKY_SEAM = 0.003  # of the long side: where sky and ground meet, depth knows better


@dataclass(frozen=True)
class DepthParams:
    """How raw disparity becomes depth."""

    farthest: float = 40.0  # depth where disparity01 is 0; the nearest is 1
    guide_radius: float = 0.008  # of the long side: window of edge-aware upsampling
    guide_epsilon: float = 0.05  # variance of colour below which it is texture
    sky_gap: float = 0.03  # disparity01 between the farthest ground and the sky
    edge_radius: float = 0.012  # of the long side: how far a soft or shifted edge is looked for
    sky_edge_radius: float = 0.024  # the same at the sky: there a ramp shows as a pale rim
    solid_radius: float = 0.01  # the same: so near the sky a thing's depth is not its own
    edge_epsilon: float = 1e-3  # variance of colour too small to tell two sides apart
    edge_jump: float = 0.05  # disparity01: smaller jumps are left alone
    edge_proof: float = 0.45  # share of a jump that colour must explain to prove it
    clear_jump: float = 0.2  # disparity01: up to here, only an edge of colour proves a jump
    edge_slope: float = 5.0  # disparity01 per long side: gentler slopes are surfaces
    edge_contrast: float = 2.5  # an edge is this much steeper than what lies beside it


@dataclass(frozen=True)
class _Edges:
    """Where disparity jumps, and between which two values."""

    near: Tensor  # [H, W] disparity of the near side
    far: Tensor  # [H, W]
    jump: Tensor  # [H, W] how much of that difference lies in steep ramps
    ramp: Tensor  # [H, W] bool, neither near nor far
    zone: Tensor  # [H, W] bool, ramp and what a shifted edge may have put on the wrong side


def disparity_to_depth(disparity: Tensor, *, params: DepthParams) -> Tensor:
    """Z-depth from disparity01 of any shape: 1 at disparity 1, `farthest` at 0."""
    least = 1.0 / params.farthest
    return 1.0 / (disparity.clamp(0, 1) * (1 - least) + least)


def depth_to_disparity(depth: Tensor, *, params: DepthParams) -> Tensor:
    """Inverse of `disparity_to_depth`; what lies beyond `farthest` gets 0."""
    least = 1.0 / params.farthest
    return ((1.0 / depth.clamp(min=1e-6) - least) / (1 - least)).clamp(0, 1)


def upsample_disparity(
    disparity: Tensor,  # [1, h, w]
    rgb: Tensor,  # [3, H, W]
    *,
    params: DepthParams,
) -> Tensor:  # [1, H, W]
    """Disparity (or any soft map) at the photo's size, edges drawn towards the photo's edges.

    Values stay in the range of the input. A map that is no smaller than the photo is only resized.
    """
    size = (rgb.shape[1], rgb.shape[2])
    if disparity.shape[1] >= size[0] and disparity.shape[2] >= size[1]:
        return F.interpolate(disparity[None], size=size, mode="area")[0]
    small = F.interpolate(rgb[None], size=disparity.shape[1:], mode="area")[0]
    target = _as_image(disparity)
    radius = _pixels(params.guide_radius, target.shape)
    regression = regress_on_colour(
        _as_image(small),
        target,
        torch.ones_like(target),
        radius=radius,
        epsilon=params.guide_epsilon,
    )
    filtered = predict_from_colour(resized(regression, *size), _without_texture(_as_image(rgb)))
    return torch.clamp(filtered, target.min(), target.max())[None].to(disparity)


def with_sky(depth: DepthMap) -> DepthMap:
    """The depth with all of the sky in `fluid` as far as the farthest, without steps in it.

    A dark cloud easily passes for something near, and tears where the sky drifts over its outline.
    What lies beside the ground keeps its depth: there the outline of the depth's own sky is better.
    """
    assert depth.fluid is not None
    sky = depth.fluid[:1]
    radius = max(2, round(SKY_SEAM * max(sky.shape)))
    added = ~dilated(~(sky[0] > 0.5), radius)[None].to(depth.depth.device)
    far = depth.depth.max().expand_as(depth.depth)
    return replace(
        depth,
        depth=torch.where(added, far, depth.depth),
        sky=torch.where(added, torch.maximum(depth.sky, sky.to(depth.sky)), depth.sky),
    )


def with_sky_where_far(depth: DepthMap) -> DepthMap:
    """The depth as it is, with the sky in `fluid` where nothing nearer stands."""
    assert depth.fluid is not None
    sky, far = depth.fluid[:1], depth.depth > _FAR * depth.depth.max()
    return replace(depth, sky=torch.where(far, sky, sky.clamp(max=0.5)).to(depth.sky))


def place_sky_farthest(
    disparity: Tensor,  # [1, H, W] disparity01
    sky: Tensor,  # [1, H, W] probability
    *,
    params: DepthParams,
) -> Tensor:  # [1, H, W]
    """Disparity 0 in the sky and at least `sky_gap` outside, blended where the sky is uncertain.

    Unchanged when there is no sky at all.
    """
    if not bool((sky > 0.5).any()):
        return disparity
    # Below 0.25 and above 0.75 a probability means no and yes; only between is it a mixture.
    share = ((sky - 0.25) * 2).clamp(0, 1)
    return (params.sky_gap + (1 - params.sky_gap) * disparity) * (1 - share)


def remove_flying_pixels(
    disparity: Tensor,  # [1, H, W] disparity01
    rgb: Tensor,  # [3, H, W]
    *,
    params: DepthParams,
) -> Tensor:  # [1, H, W]
    """Soft depth edges become one-pixel steps on the photo's edges; slopes stay as they are."""
    values, guide = _as_image(disparity), _without_texture(_as_image(rgb))
    edges = _find_edges(values, params)
    if not bool(edges.zone.any()):
        return disparity
    share = (values - edges.far) / (edges.near - edges.far).clamp(min=1e-6)
    is_near, proven = _choose_side(share, guide, edges, params)
    # Texture leaves gaps in a ramp; what lies in them would lend ramp values to both sides.
    ramp = _closed(edges.ramp & proven, _pixels(params.edge_radius / 3, values.shape))
    # A pixel outside the ramp that keeps its side keeps its value too, and lends it to others.
    moved = edges.zone & proven & (ramp | (is_near != (share > 0.5)))
    # Away from edges there are no sides.
    lends = ~moved & (edges.near - edges.far > params.edge_jump)
    near = _continue_side(values, is_near & lends, edges.near, moved)
    far = torch.minimum(_continue_side(values, ~is_near & lends, edges.far, moved), near)
    gentle = _soften(values, edges.ramp & ~proven, moved, params)
    sharp = torch.where(moved, torch.where(is_near, near, far), gentle)
    return sharp[None].to(disparity)


def refine_depth(
    disparity: Tensor,  # [1, h, w] disparity01
    sky: Tensor,  # [1, h, w] probability; at the photo's size it is taken as it is
    rgb: Tensor,  # [3, H, W]
    *,
    params: DepthParams,
) -> DepthMap:
    """Clean depth at the photo's size: upsampled, no flying pixels, sky farthest."""
    large = upsample_disparity(disparity, rgb, params=params)
    land = remove_flying_pixels(large, rgb, params=params)
    outlined = sky.shape[1:] == rgb.shape[1:]
    sky = upsample_disparity(sky, rgb, params=params)
    sharp = _before_the_sky(land, sky, rgb, params)
    if outlined:
        sharp = _in_outline(sharp, land, sky, params=params)
    # At its border the sky now ends where depth says: both must tell the same story.
    sky = torch.where(sharp < params.sky_gap / 2, sky, sky.clamp(max=0.5))
    return DepthMap(depth=disparity_to_depth(sharp, params=params), sky=sky)


def _before_the_sky(land: Tensor, sky: Tensor, rgb: Tensor, params: DepthParams) -> Tensor:
    """The sky put behind the land; at its border no pixel lies between the two.

    A window wide enough for the sky's soft border would put things in front of one another where
    there is no edge (on the noted photographs it costs order), so it is used at the sky alone.
    """
    placed = place_sky_farthest(land, sky, params=params)
    if placed is land:
        return land
    wide = replace(params, edge_radius=params.sky_edge_radius)
    sharp = remove_flying_pixels(placed, rgb, params=wide)
    share = _as_image(sky)
    radius = _pixels(params.sky_edge_radius, share.shape)
    border = dilated(share > 0.25, radius) & dilated(share < 0.75, radius)
    # on the land a step between the two would tear a thing apart
    land = (sharp > params.sky_gap) & (placed > params.sky_gap)
    near = box_mean(border.to(sharp[0]), radius // 2)[None]
    return torch.where(
        land, torch.lerp(placed, sharp, near), torch.where(border[None], sharp, placed)
    )


def _in_outline(
    sharp: Tensor,  # [1, H, W] disparity01 by `_before_the_sky`, for where the sky wavers
    land: Tensor,  # [1, H, W] disparity01 without the sky
    sky: Tensor,  # [1, H, W] probability; elsewhere its outline is known to the pixel
    *,
    params: DepthParams,
) -> Tensor:  # [1, H, W]
    """The disparity in front of the sky's outline.

    What stands at the sky's border, or is too thin to have a depth of its own, gets that of the
    solid thing on which it hangs: a mast stays upright, and no twig stays in the sky.
    """
    share = _as_image(sky)
    placed = place_sky_farthest(land, sky, params=params)
    radius = _pixels(params.solid_radius, share.shape)
    # the outline is known where the probability jumps; a border that fades stays soft
    reach = max(radius, _pixels(params.sky_edge_radius, share.shape))
    known = dilated(window_max(share, 1) + window_max(-share, 1) > 0.4, reach)
    known &= (share <= 0.3) | (share >= 0.75)
    values = torch.where(known, _as_image(placed), _as_image(sharp))
    inside = values < params.sky_gap / 2
    if placed is land or bool(inside.all()):
        return placed
    before = ~inside & (share <= 0.5)
    near = distance_to(inside) <= radius
    solid = before & ~near & (share < 0.25)
    # a step between the two would tear the thing apart
    between = torch.lerp(_as_image(sharp), _as_image(placed), box_mean(known.to(values), radius))
    values = torch.where(solid, between, values)
    spreading, reached = spread(values, solid, dilated(before, max(1, radius // 2)))
    # where values from two sides meet there is no edge
    there = (before & reached).to(values)
    smooth = box_mean(spreading * there, radius) / box_mean(there, radius).clamp(min=1e-6)
    # what hangs on nothing, as a star or a bird, is far off
    smooth = torch.where(reached, smooth, params.sky_gap)
    return torch.where(before & near & known, smooth, values)[None].to(land)


def _find_edges(values: Tensor, params: DepthParams) -> _Edges:
    radius = _pixels(params.edge_radius, values.shape)
    near, far = window_max(values, radius), -window_max(-values, radius)
    steepness = _steepness(values)
    # The gentlest slope nearby is that of the surfaces an edge would separate; on a slope without
    # an edge it equals the slope itself.
    surface = -window_max(-box_mean(steepness, max(1, radius // 4)), radius)
    steep = steepness * max(values.shape) > params.edge_slope
    steep &= (steepness > params.edge_contrast * surface) & (near - far > params.edge_jump)
    # Over the window side, an area is a width and summed gradients are a jump; what a slope does
    # in so wide a window, or a speckle, is neither.
    size, spread = 2 * radius + 1, max(1, radius // 2)
    width = window_max(box_mean(steep.to(values), radius) * size, spread)
    jump = window_max(box_mean(steep * steepness, radius) * size, spread)
    steep &= jump > params.edge_jump
    # An edge lies wrong by about its own softness.
    zone = distance_to(steep) <= (0.75 * width).clamp(1, radius)
    zone &= near - far > params.edge_jump
    return _Edges(near, far, jump=torch.minimum(jump, near - far), ramp=steep, zone=zone)


def _choose_side(
    share: Tensor, guide: Tensor, edges: _Edges, params: DepthParams
) -> tuple[Tensor, Tensor]:
    """Whether a pixel belongs to the near surface, and whether there is a jump at all.

    `share` is 1 at the near and 0 at the far value of the pixel's window.
    """
    proven = edges.jump > params.clear_jump
    height, width = share.shape
    radius = _pixels(params.edge_radius, share.shape)
    # Windows this wide vary slowly: their statistics are as good from a smaller picture.
    factor = max(1, radius // 8)
    small = max(1, round(height / factor)), max(1, round(width / factor))
    small_guide = shrunk(guide, *small)
    belief = share.clamp(0, 1)
    at_edge = edges.near - edges.far > params.edge_jump
    # First only pixels clearly on one side teach; then all do, with the sides they were given.
    sure = at_edge & ((belief - 0.5).abs() > 0.35)
    for teaches in (sure, at_edge):
        regression = regress_on_colour(
            small_guide,
            shrunk(belief, *small),
            shrunk(teaches.to(share), *small),
            radius=max(1, round(radius / factor)),
            epsilon=params.edge_epsilon,
        )
        regression = resized(regression, height, width)
        by_colour = predict_from_colour(regression, guide)
        # Later rounds explain what earlier ones have put in: only the first is a proof.
        proven = proven | ((teaches is sure) & (regression.explained > params.edge_proof))
        # Where colour explains little it gives no side: there the disparity itself decides.
        trust = (1.5 * regression.explained - 0.1).clamp(0, 1)
        side = trust * by_colour + (1 - trust) * share > 0.5
        belief = torch.where(edges.zone, side.to(belief), belief)
    smooth = median_of_mask(belief > 0.5, _pixels(0.0024, share.shape))
    return torch.where(edges.zone, smooth, belief > 0.5), proven


def _continue_side(values: Tensor, known: Tensor, extreme: Tensor, wanted: Tensor) -> Tensor:
    """Values of one side of the edges, continued into the ramps."""
    # What is thinner than its own ramp has no pixel of its own value; the extreme of the window,
    # at a small weight, stands in for it.
    weights = known + wanted.to(values) * 1e-3
    return push_pull(torch.where(known, values, extreme)[None], weights[None])[0]


def _without_texture(guide: Tensor) -> Tensor:
    """The guide's edges without its fine texture, which is no edge of depth (bilateral filter)."""
    radius = _pixels(0.0016, guide.shape)
    return bilateral(guide, radius, colours=0.12, pixels=radius)


def _soften(values: Tensor, ramp: Tensor, moved: Tensor, params: DepthParams) -> Tensor:
    """Ramps that are no jumps, spread out until a camera move does not tear them."""
    radius = _pixels(params.edge_radius, values.shape)
    half = max(1, radius // 2)
    share = dilated(ramp, half) & ~dilated(moved, radius)
    share = box_mean(share.to(values), half) * ~dilated(moved, half)
    return values + share * (box_mean(box_mean(values, half), half) - values)


def _closed(mask: Tensor, radius: int) -> Tensor:
    grown = dilated(mask, radius)
    return ~dilated(~grown, radius) | mask


def _steepness(values: Tensor) -> Tensor:
    """Length of the gradient, per pixel, by central differences."""
    padded = F.pad(values[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    if values.device.type == "cpu":  # NumPy's last bit, which differs from torch's
        return torch.from_numpy(np.hypot(across.numpy(), down.numpy())) / 2
    return torch.hypot(across, down) / 2


def _pixels(share: float, shape: tuple[int, ...]) -> int:
    """A share of the long side in whole pixels, at least one."""
    return max(1, round(share * max(shape[:2])))


def _as_image(x: Tensor) -> Tensor:
    """[1, H, W] -> [H, W]; [3, H, W] -> [H, W, 3]."""
    planes = x.detach().float()
    image = planes[0] if len(planes) == 1 else planes.permute(1, 2, 0)
    return image.contiguous()
