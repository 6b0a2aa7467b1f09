"""A region's flow from arrows: a sparse least-squares solve on a coarse grid (own method).

First a guide: what the arrows say by distance alone. Then the flow nearest to the guide, most so
near the arrows, that does not diverge, does not pass through banks, and is smooth. Last its speed
is evened out and fitted to the arrows.

Banks are rocks (holes of the region) and the region's outer border; the picture's frame is open.
Where the arrows ask for a flow that has no way out (a fall that ends at its foot), those parts of
the outer border that it meets head-on are opened: there the water comes from or goes to.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DIVERGENCE = 200.0  # weights per cell: flux must not seep away over a hundred cells
CLOSED_BANK = 100.0
OPEN_BANK = 0.01
SMOOTH = 0.1
GUIDE_FAR = 5e-4
GUIDE_NEAR = 0.05
NEAR = 0.08  # radius of the strong guide around an arrow, share of the grid's long side
AROUND = 0.35  # radius within which a flow is judged, share of the grid's long side
ENOUGH = 0.3  # share of the guide that a flow between closed banks must keep there
EVENNESS = 0.5  # speed is raised to this power: 1 keeps it, 0 makes it the same everywhere
MAX_SPEED_FIT = 4.0  # by how much at most an arrow speeds up or slows down its surroundings


@dataclass(frozen=True)
class Grid:
    """The cells of a region: square blocks of pixels that hold at least one of its pixels."""

    index: NDArray[np.int64]  # [h, w] number of the cell, -1 outside
    centres: Array  # [n, 2] x, y in pixels
    block: int  # side in pixels

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.centres)


def solve_region(
    region: Mask,  # [H, W] one connected region
    anchors: Array,  # [A, 2] feet of the arrows that it follows, pixels
    vectors: Array,  # [A, 2]
    *,
    own: bool,  # whether the arrows stand in the region; else they only guide it from afar
    block_px: int,  # side of the grid's cells
    banks: bool = True,  # whether the region's borders hold the flow
) -> Array:  # [H, W, 2]
    """Velocity of a region; meaningful inside it only."""
    grid = make_grid(region, block_px)
    guide = guide_vectors(grid.centres, anchors, vectors)  # [n, 2]
    tensors = _bank_tensors(grid, region) if banks else _no_banks(grid)
    flow = _nearest_flow(grid, guide, anchors if own else anchors[:0], *tensors)
    flow = _even_speed(flow, guide)
    if own:
        flow = _fitted_speed(flow, grid, anchors, vectors)
    return _to_pixels(grid, flow, region.shape)


def _nearest_flow(
    grid: Grid, guide: Array, anchors: Array, rocks: Array, outer: Array
) -> Array:  # [n, 2]
    """Flow nearest to the guide with all outer borders closed, or if that fails, with some open."""
    pull = sparse.diags(np.tile(GUIDE_FAR + GUIDE_NEAR * _nearness(grid, anchors, NEAR), 2))
    energy = _flow_energy(grid) + pull
    right = pull @ guide.T.ravel()
    closed = CLOSED_BANK * (rocks + outer)
    flow = _solve(energy + _quadratic(closed), right)
    across = _across(outer, guide)
    if (
        _agreement(flow, guide, _nearness(grid, anchors, AROUND)) >= ENOUGH
        or not (across > 0.5).any()
    ):
        return flow
    share = np.clip((across - 0.4) / 0.3, 0, 1)
    weight = CLOSED_BANK * (OPEN_BANK / CLOSED_BANK) ** share
    half_open = CLOSED_BANK * rocks + weight[:, None, None] * outer
    return _solve(energy + _quadratic(half_open), right)


def _agreement(flow: Array, guide: Array, weight: Array) -> float:
    """1 where the flow is the guide, about 0 where it comes back on the sides as it went."""
    return float((weight @ (flow * guide).sum(1)) / (weight @ (guide * guide).sum(1) + 1e-12))


def _nearness(grid: Grid, anchors: Array, share: float) -> Array:  # [n] in [0, 1]
    """Gaussian around the arrows, its radius a share of the grid's long side; 1 without arrows."""
    if len(anchors) == 0:
        return np.ones(grid.count)
    radius = share * max(grid.index.shape) * grid.block
    squared = np.min([((grid.centres - anchor) ** 2).sum(1) for anchor in anchors], axis=0)
    return np.exp(-squared / radius**2)


def _even_speed(flow: Array, guide: Array) -> Array:  # [n, 2]
    """Narrows stay faster than pools, but less so; the mean speed becomes the guide's."""
    speed = np.linalg.norm(flow, axis=1)
    wanted = np.linalg.norm(guide, axis=1).mean()
    if speed.mean() < 1e-3 * wanted:
        return guide  # shut in on all sides: better a flow through banks than none
    even = flow * (np.maximum(speed, 1e-9) ** (EVENNESS - 1))[:, None]
    return even * (wanted / np.linalg.norm(even, axis=1).mean())


def _fitted_speed(flow: Array, grid: Grid, anchors: Array, vectors: Array) -> Array:  # [n, 2]
    """Scales the flow smoothly, by factors, so that its speed at the arrows is theirs."""
    found = np.linalg.norm(_interpolation(grid, anchors) @ flow, axis=1) + 1e-9
    ratio = np.log(np.linalg.norm(vectors, axis=1) / found)[:, None]
    limit = np.log(MAX_SPEED_FIT)
    factor = np.exp(np.clip(guide_vectors(grid.centres, anchors, ratio), -limit, limit))
    return flow * factor


def guide_vectors(points: Array, anchors: Array, vectors: Array) -> Array:  # [n, 2]
    """What the arrows say at [n, 2] points by distance alone: weights 1 / distance^2."""
    total, weights = np.zeros((len(points), vectors.shape[1])), np.zeros((len(points), 1))
    for anchor, vector in zip(anchors, vectors, strict=True):  # points x arrows would fill memory
        weight = 1 / (((points - anchor) ** 2).sum(1, keepdims=True) + 1.0)
        total += weight * vector
        weights += weight
    return total / weights


def make_grid(region: Mask, block: int) -> Grid:
    """Cuts a region into blocks of `block` pixels."""
    height, width = region.shape
    padded = np.pad(region, ((0, -height % block), (0, -width % block)))
    h, w = padded.shape[0] // block, padded.shape[1] // block
    inside = padded.reshape(h, block, w, block).any((1, 3))
    index = np.full((h, w), -1)
    index[inside] = np.arange(inside.sum())
    y, x = np.nonzero(inside)
    return Grid(index, (np.array([x, y], np.float64).T + 0.5) * block, block)


def _flow_energy(grid: Grid) -> sparse.csr_matrix:  # [2n, 2n]
    """Smoothness between neighbours, divergence on every square of four cells."""
    index = grid.index
    pairs = [(index[:, :-1], index[:, 1:]), (index[:-1], index[1:])]
    steps = sparse.vstack([_differences(a.ravel(), b.ravel(), grid.count) for a, b in pairs])
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]]
    square = np.stack([c.ravel() for c in corners], 1)
    square = square[(square >= 0).all(1)]
    d_x = _rows(square, [-0.5, 0.5, -0.5, 0.5], grid.count)
    d_y = _rows(square, [-0.5, -0.5, 0.5, 0.5], grid.count)
    divergence = sparse.hstack([d_x, d_y]).tocsr()
    smooth = sparse.kron(sparse.identity(2), SMOOTH * (steps.T @ steps))
    return (DIVERGENCE * (divergence.T @ divergence) + smooth).tocsr()


def _differences(a: NDArray, b: NDArray, count: int) -> sparse.csr_matrix:
    pairs = np.stack([a, b], 1)
    return _rows(pairs[(pairs >= 0).all(1)], [-1.0, 1.0], count)


def _rows(columns: NDArray, values: list[float], count: int) -> sparse.csr_matrix:
    """One row per line of `columns` [r, k], with the same k values in each."""
    pointers = np.arange(len(columns) + 1) * len(values)
    data = np.tile(values, len(columns))
    return sparse.csr_matrix((data, columns.ravel(), pointers), shape=(len(columns), count))


def _bank_tensors(grid: Grid, region: Mask) -> tuple[Array, Array]:  # [n, 2, 2] each
    """Borders of the region's holes, and its outer border."""
    filled = np.asarray(ndimage.binary_fill_holes(region), bool)
    return _border_tensor(~(filled & ~region), grid), _border_tensor(filled, grid)


def _no_banks(grid: Grid) -> tuple[Array, Array]:
    none = np.zeros((grid.count, 2, 2))
    return none, none


def _quadratic(tensor: Array) -> sparse.csr_matrix:  # [n, 2, 2] -> [2n, 2n]
    """The energy v' T v of every cell."""
    diagonals = [[sparse.diags(tensor[:, i, j]) for j in range(2)] for i in range(2)]
    return sparse.csr_matrix(sparse.bmat(diagonals))


def _across(tensor: Array, guide: Array) -> Array:  # [n] in [0, 1]
    """How squarely the guide meets the border in each cell; 0 where there is none."""
    meets = np.einsum("ni,nij,nj->n", guide, tensor, guide)
    size = np.trace(tensor, axis1=1, axis2=2) * (guide**2).sum(1)
    return meets / (size + 1e-12)


def _border_tensor(mask: Mask, grid: Grid) -> Array:  # [n, 2, 2]
    """Sum of n n' along the border in each cell, n its normal; trace 1 for a straight border."""
    block, (h, w) = grid.block, grid.index.shape
    soft = cv2.GaussianBlur(
        mask.astype(np.float32), (0, 0), max(0.5 * block, 0.7), borderType=cv2.BORDER_REPLICATE
    )
    g_x = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    g_y = cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    products = np.stack([g_x * g_x, g_x * g_y, g_y * g_y], -1)
    pad = ((0, h * block - mask.shape[0]), (0, w * block - mask.shape[1]), (0, 0))
    sums = np.pad(products, pad).reshape(h, block, w, block, 3).sum((1, 3)).astype(np.float64)
    tensor = sums[grid.index >= 0] * (np.sqrt(np.pi) * max(1.0, 1.4 / block))
    return tensor[:, [0, 1, 1, 2]].reshape(-1, 2, 2)


def _interpolation(grid: Grid, points: Array) -> sparse.csr_matrix:  # [p, n]
    """Bilinear weights of the cells around each point, those outside the region left out."""
    h, w = grid.index.shape
    at = np.clip(points / grid.block - 0.5, 0, [w - 1, h - 1])
    low = np.minimum(at.astype(int), [max(w - 2, 0), max(h - 2, 0)])
    rows, columns, values = [], [], []
    for dy in (0, 1):
        for dx in (0, 1):
            cell = np.minimum(low + [dx, dy], [w - 1, h - 1])
            weight = np.prod(1 - np.abs(at - (low + [dx, dy])), axis=1)
            number = grid.index[cell[:, 1], cell[:, 0]]
            kept = (number >= 0) & (weight > 1e-9)
            rows.append(np.nonzero(kept)[0])
            columns.append(number[kept])
            values.append(weight[kept])
    data = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    matrix = sparse.csr_matrix(data, shape=(len(points), grid.count))
    return sparse.diags(1 / np.asarray(matrix.sum(1)).ravel()) @ matrix


def _solve(energy: sparse.spmatrix, right: Array) -> Array:  # [2n, 2n], [2n] -> [n, 2]
    # the matrix is symmetric positive definite: no pivoting, and an ordering for symmetric ones
    factors = splu(
        sparse.csc_matrix(energy),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return factors.solve(right).reshape(2, -1).T


def _to_pixels(grid: Grid, solution: Array, shape: tuple[int, int]) -> Array:  # [H, W, 2]
    """Smooth enlargement; cells outside the region take the nearest cell's velocity first."""
    outside = grid.index < 0
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    coarse = solution[grid.index[tuple(np.asarray(nearest))]]
    h, w = grid.index.shape
    size = (w * grid.block, h * grid.block)
    fine = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return fine[: shape[0], : shape[1]].astype(np.float64)
