"""What the see network is told: labels of every pixel, and the few places that were looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.networks.see import CLASSES
from cine3d_core.training.see import disparity as disparity_losses
from cine3d_core.training.see.photos import NOT_SKY, STILL_OR_SKY, UNKNOWN
from cine3d_core.training.see.views import Batch, View

SKY, WATER, FALLS, SMOKE, FIRE = range(1, len(CLASSES))
STEEPNESS = 4.0  # of the ranking: how sure a difference of one mean deviation is
LEVEL_RATIO = 4 / 3  # levels that differ by less are not ranked
CALM = 3.0  # weight of calm water beside the arrows
ARROW_RADIUS = 0.035  # of the view's width: round its foot an arrow counts


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss."""

    labels: float = 0.4  # the label maker's disparity
    exact: float = 0.7  # that of made-up scenes
    edges: float = 0.15
    levels: float = 0.5
    ranks: float = 0.8
    order: float = 1.2
    same: float = 1.2
    classes: float = 1.2
    dice: float = 0.6
    direction: float = 0.25


@dataclass(frozen=True)
class Terms:
    """Parts of the loss, each already weighted except `total`, their sum."""

    total: Tensor
    depth: Tensor
    pairs: Tensor
    classes: Tensor
    direction: Tensor


def terms_of(answer: Tensor, batch: Batch, weights: Weights) -> Terms:
    """Weighted loss of the network's answer [B, 9, h/2, w/2]."""
    size = batch.classes.shape[-2:]
    answer = F.interpolate(answer.float(), size=size, mode="bilinear", align_corners=False)
    disparity = disparity_losses.normalised(answer[:, :1])
    depth = dense_depth(disparity, batch, weights)
    pairs = noted_depth(disparity, batch.views, weights)
    classes = class_error(answer[:, 1:-2], batch.classes, weights)
    direction = weights.direction * direction_error(answer[:, -2:], batch)
    return Terms(depth + pairs + classes + direction, depth, pairs, classes, direction)


def dense_depth(disparity: Tensor, batch: Batch, weights: Weights) -> Tensor:
    """Error against labels of every pixel, which have another scale and shift."""
    kind = weights.labels * (1 - batch.exact) + weights.exact * batch.exact
    known = batch.weight.mean(dim=(1, 2, 3))
    residual = (disparity - _normalised_where(batch.disparity, batch.weight)) * batch.weight
    # the worst fifth of a label maker's answer is left out, of the truth nothing
    kept = (batch.exact + (1 - batch.exact) * 0.8) * known
    error = disparity_losses.trimmed_error(_sunk(residual, batch.weight), kept)
    edge = disparity_losses.gradient_error(residual)
    share = torch.where(batch.exact > 0, 2.0, 1.0) * weights.edges
    return (kind * (known > 0.05) * (error + share * edge)).mean()


def _sunk(residual: Tensor, weight: Tensor) -> Tensor:
    """What is unknown is made worst, so that trimming leaves it out."""
    return residual + (1 - weight) * 1e3


def _normalised_where(disparity: Tensor, weight: Tensor) -> Tensor:
    """As `disparity_losses.normalised`; where most is unknown the result means nothing."""
    total = weight.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    mean = (disparity * weight).sum(dim=(1, 2, 3), keepdim=True) / total
    return disparity_losses.normalised(torch.where(weight > 0, disparity, mean))


def noted_depth(disparity: Tensor, views: list[View], weights: Weights) -> Tensor:
    """Levels, ordered pairs and pairs on one thing; disparity [B, 1, h, w] is normalised."""
    total = disparity.new_zeros(())
    soft = F.avg_pool2d(disparity, 3, 1, 1)
    for plane, view in zip(soft, views, strict=True):

        def at(points: np.ndarray, plane: Tensor = plane) -> Tensor:  # [n, 2] -> [n]
            return sampled(plane, torch.from_numpy(points))[0]

        if len(view.order):
            gap = at(view.order[:, :2]) - at(view.order[:, 2:])
            total = total + weights.order * F.softplus(-STEEPNESS * gap).mean() / STEEPNESS
        if len(view.same):
            gap = (at(view.same[:, :2]) - at(view.same[:, 2:])).abs()
            total = total + weights.same * gap.mean() * min(1.0, len(view.same) / 2)
        if len(view.levels) >= 6:
            total = total + level_error(at(view.levels[:, :2]), view, weights)
    return total / len(views)


def level_error(found: Tensor, view: View, weights: Weights) -> Tensor:
    """Difference from the noted nearness, and wrong order among its clear steps."""
    wanted = torch.from_numpy(view.levels[:, 2]).to(found)
    error = found.new_zeros(())
    if float(wanted.max() - wanted.min()) > 5:
        a, b = (_centred(x) for x in (found, wanted))
        error = weights.levels * (a - b).abs().mean()
    steps = torch.log((wanted[:, None] + 1) / (wanted[None] + 1))
    nearer = steps > torch.log(torch.tensor(LEVEL_RATIO))
    if nearer.any():
        gap = (found[:, None] - found[None])[nearer]
        error = error + weights.ranks * F.softplus(-STEEPNESS * gap).mean() / STEEPNESS
    return error


def _centred(x: Tensor) -> Tensor:
    centred = x - x.median()
    return centred / centred.abs().mean().clamp(min=0.05)


def sampled(planes: Tensor, points: Tensor) -> Tensor:  # [C, h, w], [N, 2] -> [C, N]
    """Values at points in pixels, linear between pixel centres."""
    size = points.new_tensor([planes.shape[2], planes.shape[1]])
    grid = (points + 0.5) / size * 2 - 1
    return F.grid_sample(planes[None], grid[None, None].to(planes), align_corners=False)[0, :, 0]


def class_error(logits: Tensor, classes: Tensor, weights: Weights) -> Tensor:
    """Cross entropy with the sure pixels and their groups, and overlap of each class."""
    logs = logits.log_softmax(1)
    sure = classes < len(CLASSES)
    picked = logs.gather(1, classes.clamp(max=len(CLASSES) - 1).long()[:, None])[:, 0]
    weight = logits.new_tensor([1.0, 1.0, 1.5, 2.0, 2.0, 2.0])[
        classes.clamp(max=len(CLASSES) - 1).long()
    ]
    entropy = -(picked * weight * sure).sum()
    either = torch.logsumexp(logs[:, :2], 1)  # still or sky
    entropy = entropy - (either * (classes == STILL_OR_SKY)).sum()
    not_sky = torch.log1p(-logs[:, SKY].exp().clamp(max=1 - 1e-6))
    entropy = entropy - (not_sky * (classes == NOT_SKY)).sum()
    count = (classes != UNKNOWN).sum().clamp(min=1)
    overlap = _dice(logs.exp(), classes)
    return weights.classes * entropy / count + weights.dice * overlap


def _dice(share: Tensor, classes: Tensor) -> Tensor:
    """1 - overlap of sky, wet, falls and smoke over the batch (Milletari et al. 2016)."""
    sure = (classes < len(CLASSES)).to(share)
    total = share.new_zeros(())
    wanted: list[tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = [
        (lambda p: p[:, SKY], (SKY,)),
        (lambda p: p[:, WATER] + p[:, FALLS], (WATER, FALLS)),
        (lambda p: p[:, FALLS], (FALLS,)),
        (lambda p: p[:, SMOKE], (SMOKE,)),
    ]
    for pick, kinds in wanted:
        truth = torch.stack([(classes == kind).to(share) for kind in kinds]).sum(0)
        guess = pick(share) * sure
        both = (guess * truth).sum()
        # a class that is not in the batch says little: the constant damps it
        room = 0.005 * truth.numel()
        total = total + 1 - (2 * both + room) / (guess.sum() + truth.sum() + room)
    return total / len(wanted)


def direction_error(way: Tensor, batch: Batch) -> Tensor:
    """Distance from the unit vector in discs round the arrows' feet; calm water has none.

    So the length says how sure it is that something runs, and the mean of several answers is
    short where they disagree.
    """
    errors, calm = [], way.new_zeros(())
    rows, columns = torch.meshgrid(*(torch.arange(s) for s in way.shape[-2:]), indexing="ij")
    for plane, view, classes in zip(way, batch.views, batch.classes, strict=True):
        for x, y, dx, dy in view.arrows.tolist():
            disc = (columns - x) ** 2 + (rows - y) ** 2 < (ARROW_RADIUS * way.shape[3]) ** 2
            found = plane[:, disc]
            wanted = found.new_tensor([[dx], [dy]])
            cosine = (found * wanted).sum(0) / (found.norm(dim=0) + 1e-3)
            errors.append(1 - cosine.mean() + 0.5 * (found - wanted).square().mean())
        wet = (classes == WATER) | (classes == FALLS)
        if view.calm and wet.any():
            calm = calm + CALM * plane[:, wet].square().mean()
    known = torch.stack(errors).mean() if errors else way.new_zeros(())
    return known + calm / len(batch.views)
