"""The splatter as its definition reads: a loop over pixels and points, in float64."""

import torch
from torch import Tensor

from cine3d_core.geometry import NEAR_PLANE
from cine3d_core.render.fragments import Points, SplatParams


def splat(
    points: Points, features: Tensor, height: int, width: int, params: SplatParams
) -> tuple[Tensor, Tensor]:
    """Covered feature sum [C, H, W] and coverage [1, H, W]."""
    image = [[torch.zeros(features.shape[1])] * width for _ in range(height)]
    alpha = torch.zeros(1, height, width)
    for row in range(height):
        for column in range(width):
            touching = _touching(points, row, column, params)
            for share, point in _shares(touching[: params.max_points], params):
                image[row][column] = image[row][column] + share * features[point]
                alpha[0, row, column] += share
    stacked = torch.stack([torch.stack(line) for line in image])  # [H, W, C]
    return stacked.permute(2, 0, 1), alpha


def _touching(
    points: Points, row: int, column: int, params: SplatParams
) -> list[tuple[float, int, float]]:
    """(depth, index, weight) of all points that touch the pixel, nearest first."""
    found = []
    for index in range(len(points.depth)):
        away_x = abs(float(points.pixels[index, 0]) - (column + 0.5))
        away_y = abs(float(points.pixels[index, 1]) - (row + 0.5))
        radius, depth = float(points.radius[index]), float(points.depth[index])
        if params.footprint == "tent":
            weight = max(0.0, 1 - away_x / radius) * max(0.0, 1 - away_y / radius)
        else:
            weight = max(0.0, 1 - (away_x**2 + away_y**2) / radius**2)
        if depth > NEAR_PLANE and weight > params.min_weight:
            found.append((depth, index, weight))
    return sorted(found)


def _shares(
    touching: list[tuple[float, int, float]], params: SplatParams
) -> list[tuple[float, int]]:
    """(share of the pixel, point index)."""
    left, result = 1.0, []
    if not touching:
        return result
    surface = touching[0][0] * (1 + params.same_surface)
    covered = sum(weight for depth, _, weight in touching if depth <= surface)
    gain = min(1 / covered, params.crack_gain)
    for depth, index, weight in touching:
        if params.compositing == "over":
            share = weight * left
        else:
            share = min(left, weight * gain if depth <= surface else weight)
        left -= share
        result.append((share, index))
    return result
