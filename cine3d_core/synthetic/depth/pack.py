"""Made-up depth scenes on disk, and the photographs' textures that they wear.

A scene is one `.npz`, called by its seed: `rgb` uint8 [H, W, 3], `disparity` float16 [H, W], `sky`
uint8 [H, W].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Generator = np.random.Generator
FloatArray = NDArray[np.floating]

TEXTURE_SIDE = 256
SKY_SIZE = (288, 384)


@dataclass(frozen=True)
class TextureBank:
    """Squares cut out of photographs."""

    textures: NDArray[np.uint8]  # [T, S, S, 3] sRGB
    skies: NDArray[np.uint8]  # [N, h, w, 3] sRGB, nothing but sky


@dataclass(frozen=True)
class LabelledImage:
    """A picture with its labels; the scale and shift of the disparity mean nothing."""

    rgb: NDArray[np.uint8]  # [H, W, 3] sRGB
    disparity: NDArray[np.float16]  # [H, W] near = large, sky = 0
    sky: NDArray[np.uint8]  # [H, W] probability * 255


def write_packed(path: Path, image: LabelledImage) -> None:
    """Writes under another name first, so that a reader never sees half a file."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, rgb=image.rgb, disparity=image.disparity, sky=image.sky)
    partial.replace(path)


def make_texture_bank(
    pictures: Sequence[tuple[NDArray[np.uint8], NDArray[np.bool_]]], *, seed: int
) -> TextureBank:
    """A square of each picture, and the windows with nothing but sky.

    Args:
        pictures: RGB bytes [H, W, 3] and where the sky is [H, W].
        seed: of the squares' places.
    """
    generator = np.random.default_rng(seed)
    textures, skies = [], []
    for rgb, sky in pictures:
        textures.append(random_square(rgb, generator))
        window = sky_window(rgb, sky.astype(np.float32))
        if window is not None:
            skies.append(cv2.resize(window, SKY_SIZE[::-1], interpolation=cv2.INTER_AREA))
    none = np.zeros((0, *SKY_SIZE, 3), np.uint8)
    return TextureBank(np.stack(textures), np.stack(skies) if skies else none)


def random_square(rgb: NDArray[np.uint8], generator: Generator) -> NDArray[np.uint8]:
    """A random square of the picture at the size of a texture."""
    side = int(min(rgb.shape[:2]) * generator.uniform(0.25, 0.9))
    y, x = (int(generator.integers(length - side + 1)) for length in rgb.shape[:2])
    square = np.ascontiguousarray(rgb[y : y + side, x : x + side])
    size = (TEXTURE_SIDE, TEXTURE_SIDE)
    return cv2.resize(square, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def write_bank(bank: TextureBank, data: Path) -> None:
    """Keeps the textures beside the packed pictures."""
    np.savez(data / "textures.npz", textures=bank.textures, skies=bank.skies)


def read_bank(data: Path) -> TextureBank:
    """The textures that `write_bank` kept."""
    with np.load(data / "textures.npz", allow_pickle=False) as arrays:
        return TextureBank(arrays["textures"], arrays["skies"])


def sky_window(rgb: NDArray[np.uint8], sky: FloatArray) -> NDArray[np.uint8] | None:
    """The topmost rows that are sky from edge to edge, or None where they are too few."""
    clear = (sky > 0.7).mean(axis=1) > 0.98
    rows = len(clear) if clear.all() else int(np.argmin(clear))
    return np.ascontiguousarray(rgb[: int(rows * 0.95)]) if rows >= 0.2 * len(clear) else None


def pack_scenes(render: Callable[[int], LabelledImage], seeds: range, data: Path) -> Iterator[Path]:
    """Renders the scenes of the seeds that are not there yet; yields each file."""
    out = data / "scenes"
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        target = out / f"{seed:06d}.npz"
        if not target.exists():
            write_packed(target, render(seed))
        yield target
