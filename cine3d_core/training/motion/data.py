"""Training data of the motion network: synthetic pictures in shards, or films in folders.

A shard is one `.npy` of records, read without being loaded whole. Every record holds a picture,
its true flow, and a few draws of arrows with the analytic flow that they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.motion.guidance import Arrows, View, make_guidance, region_labels
from cine3d_core.motion.refine import analytic_base
from cine3d_core.synthetic.flow_pictures import FlowScene
from cine3d_core.synthetic.flows import SKY, Size

SIZES = (Size(128, 192), Size(192, 128), Size(144, 192), Size(96, 192), Size(160, 160))
SHARD = 48  # scenes
MAX_ARROWS = 8
SHRINK = 2  # stored pixels per pixel that the network sees, along each axis
SINGLE_DRAWS = 2  # of one arrow per region, in each scene
DRAWS = SINGLE_DRAWS + 1  # and of a random number of arrows
FLOW_UNIT = 1e-3  # stored flow 1 = this share of the long side per frame
SMALLEST_REGION = 0.005  # share of the picture that gets an arrow of its own

Array = NDArray[np.floating]
Nearness = Callable[[Tensor], Tensor]  # [3, H, W] sRGB -> [1, H, W] in [0, 1]


def record_type(size: Size) -> np.dtype:
    """The record of one scene."""
    plane, field = (size.height, size.width), (size.height, size.width, 2)
    return np.dtype(
        [
            ("rgb", np.uint8, (*plane, 3)),
            ("kind", np.uint8, plane),
            ("flow", np.float16, field),
            ("nearness", np.uint8, (2, *plane)),  # true, and as the depth network sees it
            ("arrows", np.float32, (DRAWS, MAX_ARROWS, 4)),  # x, y, u, v in px and px/frame
            ("counts", np.uint8, DRAWS),
            ("base", np.float16, (DRAWS, *field)),
        ]
    )


def make_record(
    scene: FlowScene, rng: np.random.Generator, nearness: Nearness
) -> NDArray[np.void]:  # []
    """Draws arrows on a scene and packs everything."""
    size = Size(*scene.kind.shape)
    record = np.zeros((), record_type(size))
    record["rgb"], record["kind"] = scene.rgb, scene.kind
    record["flow"] = scene.flow / (FLOW_UNIT * size.long_side)
    rgb = torch.from_numpy(scene.rgb).permute(2, 0, 1).float() / 255
    record["nearness"][0] = np.round(scene.nearness * 255)
    record["nearness"][1] = np.round(nearness(rgb)[0].numpy() * 255)
    for draw in range(DRAWS):
        arrows = (arrows_per_region if draw < SINGLE_DRAWS else random_arrows)(scene, rng)
        count = len(arrows.feet)
        record["counts"][draw] = count
        record["arrows"][draw, :count] = np.concatenate([arrows.feet, arrows.vectors], 1)
        moving, behind = (torch.from_numpy(m)[None] for m in (scene.kind > 0, scene.kind == SKY))
        base = analytic_base(moving, behind, arrows)
        record["base"][draw] = base.permute(1, 2, 0).numpy() / (FLOW_UNIT * size.long_side)
    return record


def arrows_per_region(
    scene: FlowScene, rng: np.random.Generator
) -> Arrows:
    """One true arrow in every connected region, somewhere away from its border."""
    label = region_labels(scene.kind > 0, scene.kind == SKY)
    area = np.bincount(label.ravel())
    area[0] = 0
    numbers = np.argsort(-area, kind="stable")[:MAX_ARROWS]
    least = SMALLEST_REGION * label.size
    kept = [n for rank, n in enumerate(numbers) if area[n] > (least if rank else 0)]
    return _true_arrows(scene, [_inner_pixel(label == n, scene.flow, rng) for n in kept])


def random_arrows(scene: FlowScene, rng: np.random.Generator) -> Arrows:
    """One to six true arrows anywhere; regions may get several or none."""
    inside = scene.kind > 0
    count = int(rng.integers(1, 7))
    return _true_arrows(scene, [_inner_pixel(inside, scene.flow, rng) for _ in range(count)])


def _inner_pixel(region: NDArray, flow: Array, rng: np.random.Generator) -> tuple[int, int]:
    """A random pixel not too near the border, where something moves; x, y."""
    distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    speed = np.linalg.norm(flow.astype(np.float32), axis=-1)
    good = (distance >= 0.3 * distance.max()) & (speed >= 0.2 * speed[region].mean()) & region
    y, x = np.nonzero(good if good.any() else region)
    chosen = int(rng.integers(len(x)))
    return int(x[chosen]), int(y[chosen])


def _true_arrows(scene: FlowScene, pixels: list[tuple[int, int]]) -> Arrows:
    at = np.array(pixels)
    vectors = scene.flow[at[:, 1], at[:, 0]].astype(np.float64)
    return Arrows(at + 0.5, vectors + 1e-9)  # an arrow without length is no arrow


def write_shard(path: Path, records: list[NDArray[np.void]]) -> None:
    """Writes records of one size; a reader never sees half of them."""
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, np.stack(records))


@dataclass(frozen=True)
class Shards:
    """All shards of a folder, mapped into memory."""

    arrays: tuple[NDArray[np.void], ...]  # each [scenes]

    def draw(self, rng: np.random.Generator, count: int) -> list[NDArray[np.void]]:
        """Records of one size from a random shard."""
        shard = self.arrays[rng.integers(len(self.arrays))]
        return [shard[i] for i in rng.choice(len(shard), size=count, replace=len(shard) < count)]

    def __iter__(self) -> Iterator[NDArray[np.void]]:
        """Every record."""
        for array in self.arrays:
            yield from array


def open_shards(folder: Path, prefix: str) -> Shards:
    """The shards PREFIX-*.npy of a folder.

    Raises:
        InputError: there are none.
    """
    paths = sorted(folder.glob(f"{prefix}-*.npy"))
    if not paths:
        raise InputError(
            f"{folder} holds no {prefix}-*.npy; make them with `cine3d train motion scenes`"
        )
    return Shards(tuple(np.load(path, mmap_mode="r", allow_pickle=False) for path in paths))


@dataclass(frozen=True)
class MotionBatch:
    """Pictures of one size with arrows and truth."""

    planes: Tensor  # [B, 13, H, W] of `motion.guidance`; H, W half of the stored
    flow: Tensor  # [B, 2, H, W] truth in the network's units
    weight: Tensor  # [B, 1, H, W] 1 / mean true speed of the region there, 0 outside

    def to(self, device: torch.device) -> MotionBatch:
        """The same on a device."""
        return MotionBatch(*(t.to(device) for t in (self.planes, self.flow, self.weight)))


@dataclass(frozen=True)
class DrawParams:
    """How records become samples."""

    without_arrows: float = 0.25  # share of the samples
    one_per_region: float = 0.5
    nearness: tuple[float, float] = (0.6, 0.25)  # as estimated, true but distorted; else none
    colours: bool = True  # vary them


def make_batch(
    records: list[NDArray[np.void]], rng: np.random.Generator, params: DrawParams
) -> MotionBatch:
    """Random arrows, mirrored or not, with varied colours."""
    samples = [_sample(record, rng, params) for record in records]
    return MotionBatch(*(torch.stack(parts) for parts in zip(*samples, strict=True)))


def _sample(
    record: NDArray[np.void], rng: np.random.Generator, params: DrawParams
) -> tuple[Tensor, Tensor, Tensor]:
    choice = rng.random()
    single = choice < params.without_arrows + params.one_per_region
    draw = int(rng.integers(SINGLE_DRAWS)) if single else SINGLE_DRAWS
    count = 0 if choice < params.without_arrows else int(record["counts"][draw])
    drawn = record["arrows"][draw, :count].astype(np.float64) / SHRINK
    arrows = Arrows(drawn[:, :2], drawn[:, 2:])
    inside = (record["kind"] > 0)[..., None].astype(np.float32)
    share = _blocks(inside)
    kind = _plane(_largest(record["kind"]) * (share >= 0.5)).to(torch.uint8)
    unit = FLOW_UNIT * max(kind.shape) / share.clip(min=1e-3) * (share >= 0.5)
    flow = _plane(_blocks(record["flow"] * inside) * unit)
    base = _plane(_blocks(record["base"][draw] * inside) * unit) if count else None
    rgb = _plane(_blocks(record["rgb"].astype(np.float32) / 255))
    near = _plane(_blocks(_nearness(record, rng, params)))
    rgb = _recoloured(rgb, rng) if params.colours else rgb
    if rng.random() < 0.5:
        rgb, kind, near, flow = (t.flip(-1) for t in (rgb, kind, near, flow))
        sign = torch.tensor([-1.0, 1.0])[:, None, None]
        flow, base = flow * sign, None if base is None else base.flip(-1) * sign
        arrows = arrows.mirrored(kind.shape[-1])
    guidance = make_guidance(View(rgb, kind > 0, kind == SKY, near), arrows, base)
    true = flow / guidance.unit
    return guidance.planes, true, _weight(kind[0].numpy(), true)


def _blocks(plane: Array) -> Array:  # [H, W, C] -> [H / 2, W / 2, C]
    """Means of the blocks of SHRINK x SHRINK pixels."""
    height, width, channels = plane.shape
    return plane.reshape(height // SHRINK, SHRINK, width // SHRINK, SHRINK, channels).mean((1, 3))


def _largest(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:  # [H, W] -> [H / 2, W / 2, 1]
    height, width = plane.shape
    blocks = plane.reshape(height // SHRINK, SHRINK, width // SHRINK, SHRINK)
    return blocks.max((1, 3))[..., None]


def _plane(image: NDArray[Any]) -> Tensor:  # [H, W, C] -> [C, H, W]
    return torch.from_numpy(np.ascontiguousarray(image.astype(np.float32))).permute(2, 0, 1)


def _nearness(record: NDArray[np.void], rng: np.random.Generator, params: DrawParams) -> Array:
    """[H, W, 1] in [0, 1]."""
    choice = rng.random()
    if choice >= sum(params.nearness):
        return np.zeros((*record["kind"].shape, 1), np.float32)
    if choice < params.nearness[0]:
        return record["nearness"][1].astype(np.float32)[..., None] / 255
    near = record["nearness"][0].astype(np.float32) / 255
    near = cv2.GaussianBlur(near, (0, 0), float(rng.uniform(0.5, 4)))
    return (near ** np.exp(0.3 * rng.normal()))[..., None]


def _recoloured(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    gain = torch.tensor(np.exp(rng.normal(size=3) * 0.08 + rng.normal() * 0.15)).float()
    grey = rgb.mean(0, keepdim=True)
    saturation = float(rng.uniform(0.2, 1.3))
    return ((grey + saturation * (rgb - grey)) * gain[:, None, None]).clamp(0, 1)


def _weight(kind: NDArray[np.uint8], flow: Tensor) -> Tensor:  # [1, H, W]
    """Makes slow regions count as much as fast ones."""
    label = region_labels(kind > 0, kind == SKY)
    area = np.bincount(label.ravel())
    speed = flow.norm(dim=0).numpy().ravel()
    mean = np.bincount(label.ravel(), speed) / np.maximum(area, 1)
    weight = 1 / np.maximum(mean, 1e-2)
    weight[0] = 0
    return torch.from_numpy(weight[label].astype(np.float32))[None]
