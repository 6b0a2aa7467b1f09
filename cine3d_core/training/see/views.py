"""Varied views of noted photographs and of made-up scenes, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.networks.see import CLASSES
from cine3d_core.training.see import composites
from cine3d_core.training.see.photos import NOT_SKY, UNKNOWN, Floats, NotedPhoto

SKY, WATER, FALLS, SMOKE, FIRE = range(1, len(CLASSES))
# what `fluid_composites` calls them -> ours
OF_COMPOSITES = {0: 0, 1: SKY, 2: WATER, 3: SMOKE}
DONATED = 0.2  # of the views without fluids get another photograph's


@dataclass(frozen=True)
class View:
    """One varied picture with its labels; points are in pixels."""

    rgb: Floats  # [h, w, 3] in [0, 1]
    classes: NDArray[np.uint8]  # [h, w]
    disparity: Floats  # [h, w] scale and shift free, 0 where `weight` is
    weight: Floats  # [h, w] of the disparity label: 0 none, 1 sure
    exact: bool  # the disparity is the truth, its edges too
    levels: Floats  # [N, 3]
    order: Floats  # [N, 4]
    same: Floats  # [N, 4]
    arrows: Floats  # [N, 4]
    calm: bool  # somebody looked, and could not tell a direction anywhere


@dataclass(frozen=True)
class Batch:
    """Views of one size as tensors, their points as lists of tables."""

    rgb: Tensor  # [B, 3, h, w]
    classes: Tensor  # [B, h, w]
    disparity: Tensor  # [B, 1, h, w]
    weight: Tensor  # [B, 1, h, w]
    exact: Tensor  # [B]
    views: list[View]


def view_of(photo: NotedPhoto, size: tuple[int, int], random: Generator) -> View:
    """A turned, mirrored, resized part of a photograph at `size` (height, width)."""
    height, width = photo.classes.shape
    whole = random.random() < 0.7  # mostly nearly the whole photograph, as at inference
    share = random.uniform(0.85, 1.08) if whole else random.uniform(0.4, 0.85)
    stretch = np.exp(random.uniform(-0.15, 0.15))
    # the whole photograph is squeezed into the view, as the network's size squeezes it a little
    fit_x, fit_y = width / size[1], height / size[0]
    even = np.sqrt(fit_x * fit_y)
    bend = 0.6 if whole else 0.0
    scale_x = min(even * (fit_x / even) ** bend * share * stretch, fit_x * 1.08)
    scale_y = min(even * (fit_y / even) ** bend * share / stretch, fit_y * 1.08)
    angle = np.deg2rad(random.normal(0, 2.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([scale_x, scale_y])
    if random.random() < 0.5:
        matrix[:, 0] *= -1
    room = np.maximum([width - scale_x * size[1], height - scale_y * size[0]], 0)
    centre = np.array([width, height]) / 2 + random.uniform(-0.5, 0.5, 2) * room
    offset = centre - matrix @ (np.array([size[1], size[0]]) / 2)
    warp = np.column_stack([matrix, offset]).astype(np.float32)
    scale = float(np.sqrt(scale_x * scale_y))
    rgb = photo.rgb
    if scale > 1.2:
        rgb = cv2.GaussianBlur(rgb, (0, 0), scale / 2.5)

    def warped(plane: NDArray, flags: int, border: int, value: float = 0.0) -> NDArray:
        return cv2.warpAffine(plane, warp, size[::-1], flags=flags | cv2.WARP_INVERSE_MAP,
                              borderMode=border, borderValue=value)  # fmt: skip

    picture = warped(rgb, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101).astype(np.float32) / 255
    classes = warped(photo.classes, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, UNKNOWN)
    disparity = np.zeros(size, np.float32)
    weight = np.zeros(size, np.float32)
    if photo.disparity is not None:
        disparity = warped(photo.disparity.astype(np.float32), cv2.INTER_LINEAR,
                           cv2.BORDER_REPLICATE)  # fmt: skip
        inside = warped(np.ones((height, width), np.float32), cv2.INTER_NEAREST,
                        cv2.BORDER_CONSTANT)  # fmt: skip
        weight = inside.astype(np.float32)
    return View(
        rgb=np.asarray(picture, np.float32),
        classes=classes.astype(np.uint8),
        disparity=disparity,
        weight=weight,
        exact=False,
        levels=_moved(photo.levels, warp, size, places=1),
        order=_moved(photo.order, warp, size),
        same=_moved(photo.same, warp, size),
        arrows=_turned(photo.arrows, warp, size),
        calm=bool(len(photo.order)) and not len(photo.arrows),
    )


def _moved(table: Floats, warp: NDArray, size: tuple[int, int], *, places: int = 2) -> Floats:
    """The rows whose places lie inside the view, in its pixels."""
    inverse = cv2.invertAffineTransform(warp)
    out, inside = table.copy(), np.ones(len(table), bool)
    for at in range(0, 2 * places, 2):
        out[:, at : at + 2] = table[:, at : at + 2] @ inverse[:, :2].T + inverse[:, 2]
        inside &= (
            (out[:, at : at + 2] > 1) & (out[:, at : at + 2] < [size[1] - 2, size[0] - 2])
        ).all(1)
    return out[inside]


def _turned(arrows: Floats, warp: NDArray, size: tuple[int, int]) -> Floats:
    moved = _moved(arrows, warp, size, places=1)
    way = moved[:, 2:] @ cv2.invertAffineTransform(warp)[:, :2].T
    moved[:, 2:] = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    return moved


def with_falling(view: View, random: Generator) -> View:
    """The view with arrows down its falls: which way they run needs no note."""
    down = _arrows_in(view.classes == FALLS, (0.0, 1.0), random)
    calm = view.calm and not len(down)
    return replace(view, arrows=np.concatenate([view.arrows, down]), calm=calm)


def with_real_fluid(view: View, donor: View, random: Generator) -> View:
    """What flows in the donor laid over the view where it was, as bright as what it covers."""
    mask = np.isin(donor.classes, (WATER, FALLS, SMOKE, FIRE)) & (view.classes != SKY)
    if mask.mean() < 0.02:
        return view
    light = view.rgb[mask].mean(axis=0) / np.maximum(donor.rgb[mask].mean(axis=0), 0.05)
    fluid = np.clip(donor.rgb * np.clip(light, 0.5, 1.6) ** random.uniform(0, 0.7), 0, 1)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), random.uniform(0.6, 1.5))
    touched = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    classes = np.where(touched, UNKNOWN, view.classes)
    classes[mask] = donor.classes[mask]
    return _without_notes_under(
        replace(
            view,
            rgb=(view.rgb * (1 - soft[..., None]) + fluid * soft[..., None]).astype(np.float32),
            classes=classes.astype(np.uint8),
        ),
        touched,
        donor.arrows[mask[tuple(donor.arrows[:, 1::-1].astype(int).T)]],
    )


def with_fluids(view: View, random: Generator) -> View:
    """Now and then a lake, brook, fall, fog bank, plume or flame painted in."""
    add: list[Callable[..., tuple[Floats, NDArray[np.uint8]]]] = []
    wet = np.isin(view.classes, (WATER, FALLS)).any()
    if not wet and random.random() < 0.3:
        choice = random.random()
        add.append(composites.with_lake if choice < 0.45 else
                   composites.with_stream if choice < 0.75 else with_fall)  # fmt: skip
    if not np.isin(view.classes, (SMOKE, FIRE)).any() and random.random() < 0.1:
        choice = random.random()
        add.append(composites.with_fog if choice < 0.4 else
                   composites.with_plume if choice < 0.75 else with_flames)  # fmt: skip
    for paint in add:
        view = _painted(view, paint, random)
    return view


def _painted(view: View, paint: Callable, random: Generator) -> View:
    """The view with something painted in; what was noted under it is forgotten."""
    plain = np.where(view.classes == SKY, 1, np.where(view.classes == 0, 0, composites.UNKNOWN))
    rgb, classes = paint(view.rgb, plain.astype(np.uint8), random)
    changed = classes != plain
    ours = np.full(classes.shape, UNKNOWN, np.uint8)
    for theirs, kind in OF_COMPOSITES.items():
        ours[classes == theirs] = kind
    for kind in (FALLS, FIRE):  # our own painters say it in our words
        ours[classes == 100 + kind] = kind
    changed_soft = cv2.dilate(changed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0

    falls, flames = ours == FALLS, ours == FIRE
    ways = [_arrows_in(falls, (0.0, 1.0), random), _arrows_in(flames, (0.0, -1.0), random)]
    painted = replace(view, rgb=rgb, classes=np.where(changed, ours, view.classes).astype(np.uint8))
    return _without_notes_under(painted, changed_soft, np.concatenate(ways))


def _without_notes_under(view: View, changed: NDArray[np.bool_], arrows: Floats) -> View:
    """The view without what was noted where it changed, and with the arrows of what came."""

    def kept(table: Floats, places: int) -> Floats:
        hit = np.zeros(len(table), bool)
        for at in range(0, 2 * places, 2):
            x, y = table[:, at].astype(int), table[:, at + 1].astype(int)
            hit |= changed[y, x]
        return table[~hit]

    return replace(
        view,
        calm=False,
        weight=view.weight * ~changed,
        levels=kept(view.levels, 1),
        order=kept(view.order, 2),
        same=kept(view.same, 2),
        arrows=np.concatenate([kept(view.arrows, 1), arrows]),
    )


def _arrows_in(mask: NDArray[np.bool_], way: tuple[float, float], random: Generator) -> Floats:
    """Three arrows of one direction at random places of a mask, none where it is empty."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros((0, 4), np.float32)
    chosen = random.integers(len(rows), size=3)
    feet = np.column_stack([columns[chosen], rows[chosen]])
    return np.column_stack([feet, np.tile(way, (3, 1))]).astype(np.float32)


def with_fall(rgb: Floats, classes: NDArray[np.uint8], random: Generator):
    """A fall down a slope: white streaks between two ragged sides, a pool where it ends."""
    height, width = classes.shape
    top, foot = random.uniform(0.05, 0.4) * height, random.uniform(0.55, 0.98) * height
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    down = np.clip((rows - top) / (foot - top), 0, 1)
    lean = random.uniform(-0.12, 0.12) * width
    middle = width * random.uniform(0.15, 0.85) + lean * down
    half = width * random.uniform(0.015, 0.16) * (random.uniform(0.5, 1) + 0.5 * down)
    ragged = half * (1 + 0.35 * composites.cloudy_noise((height, width), random, coarsest=0.1))
    inside = (np.abs(columns - middle) < ragged) & (rows > top) & (rows < foot)
    veil = composites.streaks((height, width), random, along_x=random.uniform(0.7, 1.6),
                              along_y=random.uniform(5, 25))  # fmt: skip
    lumps = composites.cloudy_noise((height, width), random, coarsest=0.15)
    thick = np.clip(random.uniform(0.5, 1.0) + 0.3 * veil + 0.25 * lumps, 0, 1)
    white = random.uniform(0.6, 0.95) + random.uniform(0.04, 0.14) * veil[..., None]
    white = white * (1 + random.uniform(-0.06, 0.06, 3))
    alpha = cv2.GaussianBlur((inside * thick).astype(np.float32), (0, 0), random.uniform(0.5, 1.5))
    mixed = np.clip(rgb * (1 - alpha[..., None]) + white * alpha[..., None], 0, 1)
    solid = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.2)
    labels = classes.copy()
    labels[solid > 0.1] = composites.UNKNOWN
    labels[solid > 0.7] = 100 + FALLS
    return mixed.astype(np.float32), labels


def with_flames(rgb: Floats, classes: NDArray[np.uint8], random: Generator):
    """Flames over a darkened picture."""
    height, width = classes.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    foot = np.array([random.uniform(0.15, 0.85) * width, random.uniform(0.5, 0.95) * height])
    tall = random.uniform(0.12, 0.5) * height
    up = np.clip((foot[1] - rows) / tall, 0, 1)
    noise = composites.cloudy_noise((height, width), random, coarsest=0.08)
    half = width * random.uniform(0.03, 0.2) * (1 - up) ** 0.7
    lick = composites.streaks((height, width), random, along_x=2.5, along_y=random.uniform(8, 20))
    depth = 1.2 - np.abs(columns - foot[0]) / np.maximum(half, 1) + 0.35 * noise + 0.35 * lick
    heat = np.clip(depth, 0, 1.4) * (rows < foot[1]) * (up < 1)
    flame = np.stack([np.clip(heat * 1.6, 0, 1), np.clip(heat * 1.1 - 0.25, 0, 1) ** 1.3,
                      np.clip(heat - 0.85, 0, 1)], -1)  # fmt: skip
    dark = rgb * random.uniform(0.15, 0.8)
    mixed = np.clip(dark + flame * random.uniform(0.8, 1.1), 0, 1)
    labels = classes.copy()
    labels[heat > 0.1] = composites.UNKNOWN
    labels[heat > 0.45] = 100 + FIRE
    return mixed.astype(np.float32), labels


def recolour(picture: Floats, random: Generator) -> Floats:
    """The picture [H, W, 3] with other exposure, gamma, colours, sharpness and noise."""
    rgb = picture.astype(np.float64)
    grey = rgb.mean(axis=2, keepdims=True)
    saturation = 0.0 if random.random() < 0.05 else random.uniform(0.5, 1.4)
    rgb = grey + (rgb - grey) * saturation
    rgb = np.clip(rgb * random.uniform(0.88, 1.12, 3), 0, 1) ** np.exp(random.uniform(-0.35, 0.35))
    middle = rgb.mean()
    rgb = middle * random.uniform(0.75, 1.25) + (rgb - middle) * random.uniform(0.7, 1.25)
    if random.random() < 0.15:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), random.uniform(0.4, 1.6)), np.float64)
    if random.random() < 0.3:
        rgb = rgb + random.normal(0, random.uniform(0, 0.03), rgb.shape)
    return np.clip(rgb, 0, 1).astype(np.float32)


def scene_view(path: Path, size: tuple[int, int], random: Generator) -> View:
    """A varied view of a made-up scene: exact depth and sky, nothing known of other classes."""
    with np.load(path, allow_pickle=False) as stored:
        rgb = stored["rgb"]
        disparity = stored["disparity"].astype(np.float32)
        sky = stored["sky"] > 127
    photo = NotedPhoto(
        name=path.stem,
        content="scene",
        rgb=rgb,
        classes=np.where(sky, SKY, NOT_SKY).astype(np.uint8),
        disparity=disparity.astype(np.float16),
        levels=np.zeros((0, 3), np.float32),
        order=np.zeros((0, 4), np.float32),
        same=np.zeros((0, 4), np.float32),
        arrows=np.zeros((0, 4), np.float32),
    )
    return replace(view_of(photo, size, random), exact=True)


def by_kind(photos: Sequence[NotedPhoto]) -> dict[str, list[NotedPhoto]]:
    """The photographs by what a view is drawn from them for."""
    return {
        "wet": [p for p in photos if np.isin(p.classes, (WATER, FALLS)).any()],
        "air": [p for p in photos if np.isin(p.classes, (FALLS, SMOKE, FIRE)).any()],
        "noted": [p for p in photos if len(p.order)],
        "bare": [p for p in photos if not len(p.order)],
    }


def draw_batch(
    photos: Mapping[str, Sequence[NotedPhoto]],
    scenes: Sequence[Path],
    size: tuple[int, int],
    kinds: Sequence[str],
    random: Generator,
) -> Batch:
    """A batch of views.

    Args:
        photos: to draw from, as `by_kind` sorts them.
        scenes: packed made-up scenes; may be empty.
        size: (height, width), multiples of 32.
        kinds: for each view `wet`, `air`, `noted`, `bare` or `scene`: what to draw it from.
        random: the only source of chance.
    """
    views = []
    for kind in kinds:
        if kind == "scene" and scenes:
            view = scene_view(scenes[int(random.integers(len(scenes)))], size, random)
        else:
            group = photos["noted" if kind == "scene" else kind]
            view = view_of(group[int(random.integers(len(group)))], size, random)
            view = with_falling(view, random)
            if kind in ("noted", "bare") and random.random() < DONATED:
                givers = photos["wet" if random.random() < 0.7 else "air"]
                donor = view_of(givers[int(random.integers(len(givers)))], size, random)
                view = with_real_fluid(view, donor, random)
            else:
                view = with_fluids(view, random)
        views.append(replace(view, rgb=recolour(view.rgb, random)))

    def stacked(planes: list[NDArray]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.stack(planes)))

    return Batch(
        rgb=stacked([v.rgb for v in views]).permute(0, 3, 1, 2),
        classes=stacked([v.classes for v in views]),
        disparity=stacked([v.disparity for v in views])[:, None],
        weight=stacked([v.weight for v in views])[:, None],
        exact=torch.tensor([float(v.exact) for v in views]),
        views=views,
    )
