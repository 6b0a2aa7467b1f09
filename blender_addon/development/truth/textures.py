"""Textures out of photographs: crops, seamless tiles, water of a photograph's colours, cut-outs.

Arrays are [h, w, 3] or [h, w, 4] sRGB in [0, 1], row 0 on top.
"""

from __future__ import annotations

import functools
from pathlib import Path

import bpy
import numpy as np

Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the picture


@functools.lru_cache(maxsize=16)
def read_photo(path: Path) -> np.ndarray:
    """A photograph [h, w, 3], halved until its longer side is at most 1024."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    photo = pixels.reshape(height, width, 4)[::-1, :, :3].astype(np.float64)
    while max(photo.shape) > 1024:
        even = photo[: photo.shape[0] // 2 * 2, : photo.shape[1] // 2 * 2]
        photo = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return photo


def cropped(photo: np.ndarray, box: Box) -> np.ndarray:
    """The part of a photograph inside the box."""
    height, width = photo.shape[:2]
    left, top, right, bottom = box
    return photo[
        int(top * height) : max(int(bottom * height), int(top * height) + 2),
        int(left * width) : max(int(right * width), int(left * width) + 2),
    ]


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture at another size, bilinear (shrinking by no more than about 2)."""
    for axis, size in ((0, height), (1, width)):
        length = picture.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        first = np.minimum(place.astype(int), length - 2)
        share = (place - first).reshape([-1 if i == axis else 1 for i in range(picture.ndim)])
        low = np.take(picture, first, axis)
        picture = low + (np.take(picture, first + 1, axis) - low) * share
    return picture


def smoothed(values: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur of [h, w, ...] that wraps around at the borders."""
    spectrum = np.fft.rfft2(values, axes=(0, 1))
    fy = np.fft.fftfreq(values.shape[0])[:, None]
    fx = np.fft.rfftfreq(values.shape[1])[None]
    gain = np.exp(-2 * (np.pi * sigma_px) ** 2 * (fy**2 + fx**2))
    gain = gain.reshape(gain.shape + (1,) * (values.ndim - 2))
    return np.fft.irfft2(spectrum * gain, s=values.shape[:2], axes=(0, 1))


def seamless(picture: np.ndarray, overlap: float = 0.3) -> np.ndarray:
    """The picture made periodic along both axes by fading its ends into each other.

    What is faded has its mean level removed and the weights keep its variance, so that the seam
    is no softer than the rest; slow changes of light across the picture are levelled first.
    """
    mirrored = np.concatenate([picture, picture[::-1]])
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    level = smoothed(mirrored, 0.25 * min(picture.shape[:2]))[: len(picture), : picture.shape[1]]
    mean = picture.mean((0, 1))
    detail = picture - level
    for axis in (0, 1):
        length = detail.shape[axis]
        faded = int(length * overlap)
        angle = (np.arange(faded) + 0.5) / faded * np.pi / 2
        shape = [-1 if i == axis else 1 for i in range(3)]
        head, rest = np.split(detail, [faded], axis)
        body, tail = np.split(rest, [length - 2 * faded], axis)
        seam = head * np.sin(angle).reshape(shape) + tail * np.cos(angle).reshape(shape)
        detail = np.concatenate([seam, body], axis)
    return np.clip(mean + detail, 0, 1)


def noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    slope: float = 1.5,  # amplitude ~ 1 / frequency^slope
    stretch: float = 1.0,  # > 1: longer along the columns' axis (u)
    lowest: float = 1.0,  # cycles per picture below which there is nothing
) -> np.ndarray:
    """Periodic noise [h, w] with mean 0 and deviation 1."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    fy = np.fft.fftfreq(shape[0])[:, None] * shape[0]
    fx = np.fft.rfftfreq(shape[1])[None] * shape[1] * stretch
    frequency = np.hypot(fy, fx)
    gain = np.where(frequency >= lowest, np.maximum(frequency, 1e-6) ** -slope, 0.0)
    values = np.fft.irfft2(spectrum * gain, s=shape)
    return (values - values.mean()) / values.std()


def coloured(values: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The values [h, w] in the colours of a photograph, so that both have the same histogram."""
    pixels = photo.reshape(-1, 3)
    ordered = pixels[np.argsort(pixels @ (0.299, 0.587, 0.114), kind="stable")]
    chunks = np.array_split(ordered, 128)
    palette = np.stack([chunk.mean(0) for chunk in chunks])
    rank = np.empty(values.size)
    rank[np.argsort(values, axis=None, kind="stable")] = np.linspace(0, 1, values.size)
    place = rank.reshape(values.shape) * (len(palette) - 1)
    first = np.minimum(place.astype(int), len(palette) - 2)
    share = (place - first)[..., None]
    return palette[first] * (1 - share) + palette[first + 1] * share


def water_tile(
    rng: np.random.Generator,
    photo: np.ndarray,  # [h, w, 3] a crop of water, sky or rapids: colours and some detail
    *,
    stretch: float = 1.0,
    detail: float = 0.5,  # share of the photograph's own pattern
    lowest: float = 4.0,
    contrast: float = 1.0,
    shape: tuple[int, int] = (512, 1024),
) -> np.ndarray:
    """A periodic tile of ripples (u along the flow) in the colours of a photograph."""
    height = noise(rng, shape, slope=2.2, stretch=stretch, lowest=lowest)
    ripples = height - np.roll(height, 6, axis=0) + 0.6 * (height - np.roll(height, 6, axis=1))
    fine = noise(rng, shape, slope=1.5, stretch=stretch, lowest=3 * lowest)
    ripples = ripples / ripples.std() + 0.35 * fine
    tile = resized(seamless(photo), *shape) @ np.array((0.299, 0.587, 0.114))
    pattern = tile - smoothed(tile, 40)
    pattern /= max(pattern.std(), 1e-3)
    colours = coloured((1 - detail) * ripples / ripples.std() + detail * pattern, photo)
    mean = colours.mean((0, 1))
    return mean + contrast * (colours - mean)


def linear(srgb: np.ndarray) -> np.ndarray:
    """Scene-linear values of sRGB colour."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
