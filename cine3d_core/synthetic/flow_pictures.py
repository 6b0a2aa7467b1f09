"""Pictures of synthetic flows: textures of photographs on what flows and on what stands around."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.synthetic.flows import (
    SKY,
    SMOKE,
    SPEED_SPREAD,
    SPEEDS,
    WATER,
    Array,
    Generator,
    Mask,
    Size,
    Surface,
    smooth_noise,
)

Picture = NDArray[np.float32]  # [H, W, 3] sRGB in [0, 1]

PHOTO_SIDE = 512  # px; textures need no more
TEXTURE_SIDE = 128


@dataclass(frozen=True)
class FlowScene:
    """A picture of something that flows, with the truth."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    kind: NDArray[np.uint8]  # [H, W] index into fluid_flows.KINDS, 0 where nothing moves
    flow: NDArray[np.float32]  # [H, W, 2] px/frame, zero where nothing moves
    nearness: NDArray[np.float32]  # [H, W] disparity in [0, 1]
    family: str  # of the foremost surface


@dataclass(frozen=True)
class PhotoBank:
    """Photographs to cut textures from."""

    photos: tuple[NDArray[np.uint8], ...]  # each [h, w, 3]
    skies: tuple[int, ...]  # those with sky in their upper part
    waters: tuple[int, ...]  # those with water in their lower part


def read_photos(
    folder: Path, *, only: Collection[str] | None = None, without: Collection[str] = ()
) -> PhotoBank:
    """The photographs that `photos.csv` of a folder lists (columns name, file, contents).

    Args:
        folder: holds the list and the pictures.
        only: names to take; None takes all.
        without: names to leave out.

    Raises:
        InputError: no list, a picture that cannot be read, or none left.
    """
    table = folder / "photos.csv"
    if not table.is_file():
        raise InputError(f"{folder} has no photos.csv (name,file,contents); write one")
    with open(table, newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["name"] not in without]
    rows = [row for row in rows if only is None or row["name"] in only]
    if not rows:
        raise InputError(f"{table} lists no photograph that may be used; name others")
    photos = tuple(_read(folder / row["file"]) for row in rows)
    tags = [set(row["contents"].split("+")) for row in rows]
    skies = tuple(i for i, tag in enumerate(tags) if tag & {"sky", "clouds"})
    return PhotoBank(photos, skies, tuple(i for i, tag in enumerate(tags) if "water" in tag))


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{path} is not a readable picture; give a JPEG or PNG")
    scale = PHOTO_SIDE / max(picture.shape[:2])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[:, :, ::-1].astype(np.uint8)


def make_scene(rng: Generator, size: Size, surfaces: list[Surface], bank: PhotoBank) -> FlowScene:
    """Paints surfaces (far to near) into one picture; speeds are drawn here."""
    rgb = random_view(rng, bank, size)
    kind = np.zeros((size.height, size.width), np.uint8)
    flow = np.zeros((size.height, size.width, 2), np.float32)
    near = np.zeros(kind.shape)
    for surface in surfaces:
        rgb = _with_ground(rng, rgb, surface, bank)
        inside = _without_what_rises(surface)
        rgb = _painted(rng, rgb, surface, inside, bank, size)
        mean = max(float(np.linalg.norm(surface.flow, axis=-1)[inside].mean()), 1e-9)
        wanted = SPEEDS[surface.family] * size.long_side * np.exp(SPEED_SPREAD * rng.normal())
        kind[inside], flow[inside] = surface.kind, surface.flow[inside] * (wanted / mean)
        near = np.where(inside | (surface.kind == WATER), surface.nearness, near)
    for hidden, nearness in _things_in_front(rng, size, kind > 0):
        view = random_view(rng, bank, size) * rng.uniform(0.3, 1)
        rgb = np.where(hidden[..., None], view, rgb)
        kind[hidden], flow[hidden], near[hidden] = 0, 0, nearness
    rgb = _lit(rng, rgb, size)
    return FlowScene(
        np.round(rgb * 255).astype(np.uint8),
        kind,
        flow,
        near.astype(np.float32),
        surfaces[-1].family,
    )


def random_view(rng: Generator, bank: PhotoBank, size: Size) -> Picture:
    """Most of a random photograph, mirrored half of the time."""
    photo = bank.photos[rng.integers(len(bank.photos))]
    return _crop(rng, photo, size.height, size.width, least=0.5)


def _crop(
    rng: Generator, photo: NDArray[np.uint8], height: int, width: int, *, least: float
) -> Picture:
    """A random part of a photograph, at least `least` of it each way, at the asked size."""
    h, w = (max(8, int(side * rng.uniform(least, 1))) for side in photo.shape[:2])
    y, x = (
        int(rng.integers(0, side - s + 1)) for s, side in zip((h, w), photo.shape, strict=False)
    )
    part = photo[y : y + h, x : x + w]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    part = cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(part, np.float32) / np.float32(255)


def _fluid_photo(rng: Generator, bank: PhotoBank, kind: int) -> NDArray[np.uint8]:
    """The part of a photograph where such a fluid is, or any photograph."""
    known = {SKY: bank.skies, WATER: bank.waters}.get(kind, ())
    if not known or rng.random() < (0.15 if kind == SKY else 0.5):
        return bank.photos[rng.integers(len(bank.photos))]
    photo = bank.photos[known[rng.integers(len(known))]]
    half = int(0.45 * len(photo))
    return photo[:half] if kind == SKY else photo[-half:]


def _painted(
    rng: Generator, rgb: Picture, surface: Surface, inside: Mask, bank: PhotoBank, size: Size
) -> Picture:
    """The picture with a surface over it."""
    photo = _fluid_photo(rng, bank, surface.kind)
    direct = 0.6 if surface.kind == SKY else 0.35  # as photographed, perspective included
    if rng.random() < direct:
        look = _crop(rng, photo, size.height, size.width, least=0.4)
    else:
        look = textured(_crop(rng, photo, TEXTURE_SIDE, TEXTURE_SIDE, least=0.15), surface.texture)
    look = _tinted(rng, look, surface.kind)
    alpha = inside.astype(np.float32)
    if surface.kind == SMOKE:
        thick = 0.75 + 0.25 * smooth_noise(rng, size, 0.06 * size.long_side)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 1.5) * np.clip(thick, 0.2, 1)
    return (rgb + alpha[..., None] * (look - rgb)).astype(np.float32)


def textured(texture: Picture, place: Array) -> Picture:  # [T, T, 3], [H, W, 2] -> [H, W, 3]
    """A texture laid on a surface, mirrored at its edges, blurred where it is far away."""
    side = len(texture)
    folded = np.abs((place + 1) % 2 - 1) * (side - 1)
    at_x, at_y = (folded[..., i].astype(np.float32) for i in (0, 1))
    steps = [
        np.abs(np.diff(place, axis=a, append=place.take([-1], axis=a))).max(-1) for a in (0, 1)
    ]
    texels = np.clip(np.maximum(*steps) * side, 1, 256)
    level = np.clip(np.log2(texels), 0, 6)
    levels = [texture, *(cv2.GaussianBlur(texture, (0, 0), s) for s in (2.0, 8.0, 32.0))]
    seen = [cv2.remap(t, at_x, at_y, cv2.INTER_LINEAR).astype(np.float32) for t in levels]
    out = np.zeros_like(seen[0])
    for number, picture in enumerate(seen):
        weight = np.clip(1 - np.abs(level / 2 - number), 0, 1).astype(np.float32)
        out += weight[..., None] * picture
    return out


def _tinted(rng: Generator, look: Picture, kind: int) -> Picture:
    """Colours that such a fluid may have."""
    if kind == SMOKE:
        grey = look.mean(-1, keepdims=True)
        look = 0.2 * look + 0.8 * grey
        return np.clip(rng.uniform(0.3, 0.6) + 0.5 * look, 0, 1).astype(np.float32)
    strength = rng.uniform(0, 0.7) if kind == WATER else rng.uniform(0, 0.3)
    colours = ((0.25, 0.4, 0.5), (0.35, 0.45, 0.35), (0.85, 0.88, 0.9), (0.12, 0.16, 0.2))
    colour = np.array(colours[rng.integers(len(colours))], np.float32) * rng.uniform(0.7, 1.3)
    grey = look.mean(-1, keepdims=True) - look.mean()
    return np.clip(look + strength * (colour + grey - look), 0, 1).astype(np.float32)


def _with_ground(rng: Generator, rgb: Picture, surface: Surface, bank: PhotoBank) -> Picture:
    """Around water, often a ground in the same perspective; upright things keep the backdrop."""
    if surface.family not in ("river", "sea") or rng.random() < 0.35:
        return rgb
    photo = bank.photos[rng.integers(len(bank.photos))]
    texture = _crop(rng, photo, TEXTURE_SIDE, TEXTURE_SIDE, least=0.15)
    ground = textured(texture, surface.texture * rng.uniform(1, 3))
    return np.where((surface.nearness > 0.01)[..., None], ground, rgb).astype(np.float32)


def _without_what_rises(surface: Surface) -> Mask:
    """Rocks and banks hide the water behind them."""
    if surface.rising == 0:
        return surface.inside
    length = surface.rising + 1
    kernel = np.ones((length, 1), np.uint8)
    dry = (~surface.inside).astype(np.uint8)
    grown = cv2.dilate(dry, kernel, anchor=(0, 0))
    return surface.inside & (grown == 0)


def _things_in_front(rng: Generator, size: Size, moving: Mask) -> list[tuple[Mask, float]]:
    """Outlines of things that stand before everything; none in half of the pictures."""
    things: list[tuple[Mask, float]] = []
    if rng.random() < 0.5:
        return things
    x, y = size.grid()
    for _ in range(rng.integers(1, 4)):
        centre_x, foot = rng.uniform(0, size.width), rng.uniform(0.4, 1.1) * size.height
        half = np.exp(rng.uniform(-4.0, -2.2)) * size.width
        top = foot - np.exp(rng.uniform(-2, -0.3)) * size.height
        ragged = 0.4 * smooth_noise(rng, size, 0.05 * size.long_side)
        thing = (np.abs(x - centre_x) / half + ragged < 1) & (y < foot) & (y > top)
        if (thing & moving).sum() < 0.4 * moving.sum():
            things.append((thing, float(np.clip(foot / size.height, 0.1, 1))))
    return things


def _lit(rng: Generator, rgb: Picture, size: Size) -> Picture:
    """Light that changes over the picture, exposure, colour of the light, sensor noise, blur."""
    light = np.exp(0.15 * rng.random() * smooth_noise(rng, size, 0.5 * size.long_side))
    gain = np.exp(rng.normal(size=3) * 0.06 + rng.normal() * 0.25)
    out = (rgb * light[..., None]) ** np.exp(rng.normal() * 0.2) * gain
    if rng.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 0.8))
    noise = rng.normal(size=out.shape) * rng.uniform(0, 0.02)
    return np.clip(out + noise, 0, 1).astype(np.float32)
