"""Varied views of outlined photographs: crops, mirrors, colours, blur, fluids put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.fluid_polygons import paint_classes, read_outlines
from cine3d_core.files.inputs import sha256_of
from cine3d_core.training.fluid.composites import (
    SKY,
    UNKNOWN,
    WATER,
    Array,
    ClassMap,
    with_fog,
    with_lake,
    with_plume,
    with_sky_of,
    with_stream,
)

WORK_SIDE = 768  # px, of the photographs in memory
SIZES = ((256, 384), (384, 256))  # height, width of the views
NOBODY = -1  # no photograph


@dataclass(frozen=True)
class FluidPhoto:
    """One outlined photograph."""

    name: str
    rgb: Array  # [H, W, 3] float32 sRGB in [0, 1]
    classes: ClassMap  # [H, W]


@dataclass(frozen=True)
class FluidView:
    """A picture made of one or two photographs."""

    rgb: np.ndarray  # [h, w, 3] uint8
    classes: ClassMap  # [h, w], UNKNOWN where nothing is taught
    photo: int  # number of the photograph
    donor: int  # of the one that lent its sky, or NOBODY


def read_photos(photos: Path, outlines: Path, split: str) -> list[FluidPhoto]:
    """All outlined photographs of a split, by name.

    Raises:
        InputError: a photograph is missing or is not the one that was outlined.
    """
    found = []
    for path in sorted(outlines.glob("*.json")):
        drawn = read_outlines(path)
        if drawn.split != split:
            continue
        file = photos / drawn.file
        if not file.is_file() or sha256_of(file) != drawn.sha256:
            raise InputError(f"{file} is not the photograph that {path.name} outlines")
        bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if bgr is None:
            raise InputError(f"{file} is not a readable picture; give a JPEG or PNG")
        scale = min(1.0, WORK_SIDE / max(bgr.shape[:2]))
        size = (round(bgr.shape[1] * scale), round(bgr.shape[0] * scale))
        small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
        rgb = np.ascontiguousarray(small[..., ::-1]).astype(np.float32) / 255
        found.append(FluidPhoto(drawn.name, rgb, paint_classes(drawn, size[1], size[0])))
    return found


def make_view(photos: Sequence[FluidPhoto], number: int, random: Generator) -> FluidView:
    """A varied view of photograph `number`."""
    rgb, classes = photos[number].rgb, photos[number].classes
    scenery = (classes == SKY).mean() > 0.1
    donor = NOBODY
    if scenery and random.random() < 0.3:
        donors = [
            i for i, p in enumerate(photos) if i != number and (p.classes == SKY).mean() > 0.2
        ]
        donor = int(random.choice(donors))
        lent = photos[donor]
        rgb, classes = with_sky_of(rgb, classes, (lent.rgb, lent.classes), random)
    calm = not (classes == WATER).any()
    if scenery and random.random() < (0.35 if calm else 0.1):
        rgb, classes = with_lake(rgb, classes, random)
    elif random.random() < 0.15:
        rgb, classes = with_stream(rgb, classes, random)
    kind = random.random()
    if kind < 0.1:
        rgb, classes = with_fog(rgb, classes, random)
    elif kind < 0.16:
        rgb, classes = with_plume(rgb, classes, random)
    rgb, classes = _cropped(rgb, classes, random)
    return FluidView(_recoloured(rgb, random), classes, number, donor)


def read_scenes(scenes: Path) -> list[FluidPhoto]:
    """Rendered scenes, SCENE/still.png and SCENE/classes.png, by name.

    Raises:
        InputError: one of the two is not readable.
    """
    found = []
    for folder in sorted(path.parent for path in scenes.glob("*/classes.png")):
        bgr = cv2.imread(str(folder / "still.png"), cv2.IMREAD_COLOR)
        classes = cv2.imread(str(folder / "classes.png"), cv2.IMREAD_GRAYSCALE)
        if bgr is None or classes is None:
            raise InputError(f"{folder} holds no readable still.png and classes.png; render it")
        rgb = np.ascontiguousarray(bgr[..., ::-1]).astype(np.float32) / 255
        found.append(FluidPhoto(folder.name, rgb, np.asarray(classes, np.uint8)))
    return found


def make_scene_view(scene: FluidPhoto, random: Generator) -> FluidView:
    """A varied view of a rendered scene, which belongs to no photograph."""
    rgb, classes = _cropped(scene.rgb, scene.classes, random)
    return FluidView(_recoloured(rgb, random), classes, NOBODY, NOBODY)


def _cropped(rgb: Array, classes: ClassMap, random: Generator) -> tuple[Array, ClassMap]:
    """A turned, mirrored, resized part; what lies beyond the photograph is unknown."""
    height, width = classes.shape
    upright = height > width
    size = SIZES[int(upright != (random.random() < 0.15))]
    # mostly nearly the whole photograph, as at inference
    share = random.uniform(0.75, 1.0) if random.random() < 0.65 else random.uniform(0.35, 0.75)
    scale = min(height / size[0], width / size[1]) * share
    stretch = np.exp(random.uniform(-0.12, 0.12))
    angle = np.deg2rad(random.normal(0, 2.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([scale * stretch, scale / stretch])
    if random.random() < 0.5:
        matrix[:, 0] *= -1
    room = np.array([width - scale * size[1], height - scale * size[0]])
    centre = np.array([width, height]) / 2 + random.uniform(-0.5, 0.5, 2) * room
    offset = centre - matrix @ (np.array([size[1], size[0]]) / 2)
    blur = max(scale / 2, 0.01)  # against aliasing, as warpAffine does not average
    smooth = cv2.GaussianBlur(rgb, (0, 0), blur) if scale > 1.2 else rgb
    warp = np.column_stack([matrix, offset]).astype(np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view = cv2.warpAffine(smooth, warp, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    labels = cv2.warpAffine(classes, warp, size[::-1], flags=flags, borderValue=UNKNOWN)
    return view, np.asarray(labels, np.uint8)


def _recoloured(rgb: Array, random: Generator) -> np.ndarray:  # [h, w, 3] uint8
    """Other light, camera and compression."""
    picture = np.clip(rgb, 0, 1) ** np.exp(random.normal(0, 0.3))
    grey = picture.mean(2, keepdims=True)
    saturation = 0.0 if random.random() < 0.06 else random.uniform(0.5, 1.4)
    picture = grey + (picture - grey) * saturation
    picture = picture * np.exp(random.normal(0, 0.07, 3)) * np.exp(random.normal(0, 0.15))
    middle = picture.mean()
    picture = middle + (picture - middle) * random.uniform(0.75, 1.25)
    if random.random() < 0.2:
        picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), random.uniform(0.5, 1.8))
    picture = picture + random.normal(0, random.uniform(0, 0.025), picture.shape)
    stored = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if random.random() < 0.3:
        quality = int(random.integers(35, 90))
        _, code = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, quality])
        stored = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return stored
