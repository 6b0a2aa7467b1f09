"""Data for training depth: labelled photo crops and synthetic scenes, packed small.

Every picture is one `.npz` (`rgb` uint8 [H, W, 3], `disparity` float16 [H, W], `sky` uint8 [H, W])
in the folder `photos` or `scenes`; a photo crop is called PHOTO.cNNNN-F, a scene by its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Generator = np.random.Generator
FloatArray = NDArray[np.floating]

PACKED_SHORT_SIDE = 320  # pixels
SKY_REPAIR = 0.75  # sky probability above which a teacher's disparity is pulled to the far end
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


@dataclass(frozen=True)
class DepthBatch:
    """Pictures with labels; each disparity has a scale and shift of its own."""

    rgb: Tensor  # [B, 3, H, W] sRGB in [0, 1]
    disparity: Tensor  # [B, 1, H, W] near = large
    sky: Tensor  # [B, 1, H, W] probability
    exact: Tensor  # [B] 1 where the labels are exact, 0 where a teacher made them


@dataclass(frozen=True)
class DepthFiles:
    """Where the packed pictures lie."""

    photos: tuple[Path, ...]
    scenes: tuple[Path, ...]


# ------------------------------------------------------------------ packing


def repair_sky(
    disparity: FloatArray,  # [H, W] in [0, 1]
    sky: FloatArray,  # [H, W] probability
) -> FloatArray:
    """The disparity with sure sky and clouds pulled to the far end."""
    return np.where(sky > SKY_REPAIR, disparity * (1 - sky), disparity)


def read_crop(picture: Path) -> tuple[NDArray[np.uint8], FloatArray]:
    """RGB bytes [H, W, 3] and labels [H, W, 2] in [0, 1]: disparity, sky.

    NAME.jpg has NAME.disparity.png (16 bit) and NAME.sky.png (8 bit) beside it.
    """
    bgr = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    disparity = cv2.imread(str(picture.with_suffix(".disparity.png")), cv2.IMREAD_UNCHANGED)
    sky = cv2.imread(str(picture.with_suffix(".sky.png")), cv2.IMREAD_UNCHANGED)
    if bgr is None or disparity is None or sky is None:
        raise ValueError(
            f"{picture} lacks a readable picture, .disparity.png or .sky.png; label it again"
        )
    labels = np.dstack((disparity.astype(np.float32) / 65535, sky.astype(np.float32) / 255))
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8), labels


def pack_crop(picture: Path) -> LabelledImage:
    """A labelled crop brought to the packed size, with its sky repaired."""
    rgb, labels = read_crop(picture)
    scale = PACKED_SHORT_SIDE / min(rgb.shape[:2])
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_AREA), np.float32)
    return LabelledImage(
        rgb.astype(np.uint8),
        repair_sky(labels[:, :, 0], labels[:, :, 1]).astype(np.float16),
        np.rint(labels[:, :, 1] * 255).astype(np.uint8),
    )


def write_packed(path: Path, image: LabelledImage) -> None:
    """Writes under another name first, so that a reader never sees half a file."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, rgb=image.rgb, disparity=image.disparity, sky=image.sky)
    partial.replace(path)


def pack_photos(crop_folders: Sequence[Path], data: Path) -> Iterator[Path]:
    """Packs every labelled crop of the folders; yields each file written."""
    out = data / "photos"
    out.mkdir(parents=True, exist_ok=True)
    for number, folder in enumerate(crop_folders):
        for picture in sorted(folder.glob("*.jpg")):
            photo, crop = picture.stem.rsplit(".", 1)
            target = out / f"{photo}.{crop}-{number}.npz"
            write_packed(target, pack_crop(picture))
            yield target


def make_texture_bank(crop_folders: Sequence[Path], *, count: int, seed: int) -> TextureBank:
    """Squares from random crops, and windows with nothing but sky."""
    generator = np.random.default_rng(seed)
    pictures = sorted(path for folder in crop_folders for path in folder.glob("*.jpg"))
    textures, skies = [], []
    for index in generator.permutation(len(pictures)):
        rgb, labels = read_crop(pictures[index])
        if len(textures) < count:
            textures.append(random_square(rgb, generator))
        window = sky_window(rgb, labels[:, :, 1])
        if window is not None:
            skies.append(cv2.resize(window, SKY_SIZE[::-1], interpolation=cv2.INTER_AREA))
    return TextureBank(
        np.stack(textures), np.stack(skies) if skies else np.zeros((0, *SKY_SIZE, 3), np.uint8)
    )


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


# ------------------------------------------------------------------ drawing


def find_files(data: Path) -> DepthFiles:
    """All packed pictures, sorted by name."""
    photos, scenes = (
        tuple(path for path in sorted((data / kind).glob("*.npz")) if ".partial" not in path.name)
        for kind in ("photos", "scenes")
    )
    if not photos or not scenes:
        raise ValueError(
            f"{data} holds {len(photos)} packed photo crops and {len(scenes)} scenes; "
            "both are needed: make them with the steps photos and scenes"
        )
    return DepthFiles(photos, scenes)


def split_files(
    files: DepthFiles, *, validation_photos: Sequence[str], validation_scenes: int
) -> tuple[DepthFiles, DepthFiles]:
    """Training and validation: whole photographs and the lowest seeds are held out."""
    held = set(validation_photos)
    photos_held = tuple(path for path in files.photos if path.stem.rsplit(".", 1)[0] in held)
    scenes_held = tuple(path for path in files.scenes if int(path.stem) < validation_scenes)
    training = DepthFiles(
        tuple(path for path in files.photos if path not in set(photos_held)),
        tuple(path for path in files.scenes if path not in set(scenes_held)),
    )
    return training, DepthFiles(photos_held, scenes_held)


def read_planes(path: Path) -> FloatArray:
    """A packed picture as [H, W, 5]: RGB in [0, 1], disparity, sky."""
    with np.load(path, allow_pickle=False) as arrays:
        rgb = arrays["rgb"].astype(np.float32) / 255
        disparity = arrays["disparity"].astype(np.float32)
        sky = arrays["sky"].astype(np.float32) / 255
    return np.dstack((rgb, disparity, sky))


def random_view(planes: FloatArray, size: tuple[int, int], generator: Generator) -> FloatArray:
    """Window of 60 to 100 % of the possible sides, maybe mirrored, at `size` (height, width)."""
    rows, columns = planes.shape[:2]
    stretch = 2 ** generator.uniform(-0.2, 0.2)
    aspect = size[1] / size[0] * stretch  # width over height
    share = 1 - 0.4 * generator.random() ** 1.5
    height = int(min(rows, columns / aspect) * share)
    width = int(height * aspect)
    y, x = int(generator.integers(rows - height + 1)), int(generator.integers(columns - width + 1))
    window = planes[y : y + height, x : x + width]
    if generator.random() < 0.5:
        window = window[:, ::-1]
    shrinking = height > size[0]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    # OpenCV resizes at most four channels at once
    rgb, labels = (np.ascontiguousarray(part) for part in (window[:, :, :3], window[:, :, 3:]))
    resized = [cv2.resize(part, size[::-1], interpolation=method) for part in (rgb, labels)]
    return np.dstack(resized).astype(np.float32)


def recolour(rgb: FloatArray, generator: Generator) -> FloatArray:
    """The picture [H, W, 3] with other exposure, gamma, colours, sharpness and noise."""
    grey = rgb.mean(axis=2, keepdims=True)
    saturation = 0.0 if generator.random() < 0.05 else generator.uniform(0.5, 1.4)
    rgb = grey + (rgb - grey) * saturation
    rgb = np.clip(rgb * generator.uniform(0.88, 1.12, 3), 0, 1) ** np.exp(
        generator.uniform(-0.35, 0.35)
    )
    middle = rgb.mean()
    rgb = middle * generator.uniform(0.75, 1.25) + (rgb - middle) * generator.uniform(0.7, 1.25)
    if generator.random() < 0.15:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), generator.uniform(0.4, 1.6)), np.float64)
    if generator.random() < 0.3:
        rgb = rgb + generator.normal(0, generator.uniform(0, 0.03), rgb.shape)
    return np.clip(rgb, 0, 1).astype(np.float32)


def to_batch(planes: Sequence[FloatArray], exact: Sequence[bool]) -> DepthBatch:
    """Pictures [H, W, 5] of one size as tensors."""
    stacked = torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2).contiguous()
    return DepthBatch(
        rgb=stacked[:, :3],
        disparity=stacked[:, 3:4],
        sky=stacked[:, 4:],
        exact=torch.tensor(exact, dtype=torch.float32),
    )


def draw_batch(
    files: DepthFiles, size: tuple[int, int], *, photos: int, scenes: int, generator: Generator
) -> DepthBatch:
    """Random augmented pictures: `photos` of teacher-labelled crops, `scenes` of exact ones."""
    paths = [files.photos[i] for i in generator.integers(len(files.photos), size=photos)]
    paths += [files.scenes[i] for i in generator.integers(len(files.scenes), size=scenes)]
    pictures = []
    for path in paths:
        view = random_view(read_planes(path), size, generator)
        pictures.append(np.dstack((recolour(view[:, :, :3], generator), view[:, :, 3:])))
    return to_batch(pictures, [False] * photos + [True] * scenes)
