"""Training pairs of the renderer on disk: a patch of a splat, what it should be, whose points.

One `.npz` per patch, uncompressed. Pictures are stored in 8 bits, planes in half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError

SCENE_PREFIX = "scene"  # names of folders with pairs of synthetic scenes


@dataclass(frozen=True)
class RenderPair:
    """One patch."""

    planes: NDArray[np.float16]  # [6, h, w], see networks.decoder.BASE_PLANES
    target: NDArray[np.uint8]  # [3, h, w]
    weight: NDArray[np.uint8]  # [1, h, w] how much the photo shows what belongs here, 255: all
    layers: NDArray[np.uint8]  # [S, 5, y, x] parts of layers, see networks.features.PLANES
    point: NDArray[np.int32]  # [h, w, K] pixels of `layers`, counted layer by layer, row by row
    share: NDArray[np.float16]  # [h, w, K]


@dataclass(frozen=True)
class RenderBatch:
    """Patches of one size; their layers differ in size and number."""

    planes: Tensor  # [B, 6, h, w]
    target: Tensor  # [B, 3, h, w]
    weight: Tensor  # [B, 1, h, w] in [0, 1]
    layers: tuple[Tensor, ...]  # B of [S, 5, y, x]
    point: Tensor  # [B, h, w, K]
    share: Tensor  # [B, h, w, K]


def write_pair(path: Path, pair: RenderPair) -> None:
    """Writes under another name first: a reader never sees half of it."""
    unfinished = path.with_suffix(".partial")
    with open(unfinished, "wb") as stream:
        np.savez(stream, **vars(pair))
    unfinished.replace(path)


def read_pair(path: Path) -> RenderPair:
    """What `write_pair` wrote."""
    with np.load(path) as arrays:
        return RenderPair(**{field.name: arrays[field.name] for field in fields(RenderPair)})


def without_rare_layers(pair: RenderPair, least: float) -> RenderPair:
    """The pair without layers that make up less than `least` of it; they cost time in training."""
    count, _, height, width = pair.layers.shape
    layer = pair.point // (height * width)
    part = np.bincount(layer.ravel(), pair.share.astype(np.float64).ravel(), minlength=count)
    kept = np.flatnonzero(part >= least * part.sum())
    renumbered = np.full(count, -1)
    renumbered[kept] = np.arange(len(kept))
    gone = renumbered[layer] < 0
    point = renumbered[layer] * (height * width) + pair.point % (height * width)
    return replace(
        pair,
        layers=pair.layers[kept],
        point=np.where(gone, 0, point).astype(np.int32),
        share=np.where(gone, 0, pair.share).astype(np.float16),
    )


def mirrored(pair: RenderPair) -> RenderPair:
    """The pair as in a mirror. The layers stay: they say what the points are, not where."""
    return RenderPair(
        planes=pair.planes[:, :, ::-1],
        target=pair.target[:, :, ::-1],
        weight=pair.weight[:, :, ::-1],
        layers=pair.layers,
        point=pair.point[:, ::-1],
        share=pair.share[:, ::-1],
    )


def recoloured(pair: RenderPair, order: NDArray[np.intp]) -> RenderPair:
    """The pair with its colour channels in another order."""
    planes, layers = pair.planes.copy(), pair.layers.copy()
    planes[:3], layers[:, :3] = planes[order], layers[:, order]
    return replace(pair, planes=planes, layers=layers, target=pair.target[order])


def transposed(pair: RenderPair) -> RenderPair:
    """The pair with rows and columns exchanged."""
    return RenderPair(
        planes=pair.planes.transpose(0, 2, 1),
        target=pair.target.transpose(0, 2, 1),
        weight=pair.weight.transpose(0, 2, 1),
        layers=pair.layers,
        point=pair.point.transpose(1, 0, 2),
        share=pair.share.transpose(1, 0, 2),
    )


def to_batch(pairs: Sequence[RenderPair]) -> RenderBatch:
    """Float tensors of several pairs."""

    def stacked(name: str, scale: float = 1.0) -> Tensor:
        arrays = [np.ascontiguousarray(getattr(pair, name)) for pair in pairs]
        return torch.from_numpy(np.stack(arrays)).float() / scale

    layers = tuple(torch.from_numpy(pair.layers).float() for pair in pairs)
    points = np.stack([np.ascontiguousarray(pair.point) for pair in pairs])
    scale = torch.tensor([255.0, 255.0, 255.0, 1.0, 1.0])[:, None, None]
    return RenderBatch(
        planes=stacked("planes"),
        target=stacked("target", 255.0),
        weight=stacked("weight", 255.0),
        layers=tuple(layer / scale for layer in layers),
        point=torch.from_numpy(points).long(),
        share=stacked("share"),
    )


def find_pairs(folder: Path) -> list[Path]:
    """All pairs below a folder.

    Raises:
        InputError: there are none.
    """
    paths = sorted(folder.rglob("*.npz"))
    if not paths:
        raise InputError(f"{folder} holds no pairs; make some with `cine3d train render photos`")
    return paths


def splat_features(
    maps: Tensor,  # [S, C, y, x]
    point: Tensor,  # [h, w, K] int64
    share: Tensor,  # [h, w, K]
) -> Tensor:  # [C, h, w]
    """What the splat makes of features of points; gradients go to the features."""
    height, width, count = point.shape
    rows = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
    total = torch.nn.functional.embedding_bag(
        point.view(-1, count), rows, per_sample_weights=share.view(-1, count), mode="sum"
    )
    return total.T.view(-1, height, width)


def on_device(batch: RenderBatch, device: torch.device) -> RenderBatch:
    """The batch on a device."""
    moved = {f.name: getattr(batch, f.name) for f in fields(batch) if f.name != "layers"}
    moved = {name: tensor.to(device) for name, tensor in moved.items()}
    return RenderBatch(layers=tuple(layer.to(device) for layer in batch.layers), **moved)


def is_scene(path: Path) -> bool:
    """Whether a pair comes from a synthetic scene."""
    return path.parent.name.startswith(SCENE_PREFIX)


def where_seen(picture: Tensor, batch: RenderBatch) -> Tensor:
    """The picture where it can be judged, the true one elsewhere."""
    return torch.lerp(batch.target, picture, batch.weight)
