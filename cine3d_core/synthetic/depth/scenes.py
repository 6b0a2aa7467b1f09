"""Pictures of random synthetic worlds with exact disparity and sky, a function of a seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.synthetic.depth.meshes import Mesh
from cine3d_core.synthetic.depth.objects import MATERIALS
from cine3d_core.synthetic.depth.pack import LabelledImage, TextureBank
from cine3d_core.synthetic.depth.raster import NOTHING, Light, Materials, View, cast, shade
from cine3d_core.synthetic.depth.worlds import SUPERSAMPLING, WORLDS, World

Generator = np.random.Generator
FloatArray = NDArray[np.float32]


def draw_materials(bank: TextureBank, texture_metres: float, generator: Generator) -> Materials:
    """Photo textures, half of them washed out towards one colour."""
    chosen = bank.textures[generator.integers(len(bank.textures), size=MATERIALS)].astype(
        np.float32
    )
    plain = generator.beta(0.5, 0.7, (MATERIALS, 1, 1, 1)).astype(np.float32)
    colour = generator.uniform(20, 245, (MATERIALS, 1, 1, 3)).astype(np.float32)
    own = chosen.mean(axis=(1, 2), keepdims=True)
    colour = np.where(generator.random((MATERIALS, 1, 1, 1)) < 0.5, colour, own)
    level = np.clip(chosen * (1 - plain) + colour * plain, 0, 255).astype(np.uint8)
    pyramid = [level]
    while level.shape[1] > 4:
        k, side = level.shape[0], level.shape[1] // 2
        level = level.reshape(k, side, 2, side, 2, 3).mean(axis=(2, 4)).astype(np.uint8)
        pyramid.append(level)
    return Materials(
        tuple(pyramid),
        (10 ** generator.uniform(-0.5, 0.7, MATERIALS) / texture_metres).astype(np.float32),
        generator.uniform(0.6, 1.3, (MATERIALS, 3)).astype(np.float32),
        (generator.random(MATERIALS) ** 4).astype(np.float32),
    )


def draw_light(lamp: View, generator: Generator) -> Light:
    """The lamp with random strength and tint, and light from all around."""
    warmth = generator.uniform(-0.15, 0.15)
    tint = np.array([1 + warmth, 1, 1 - warmth])
    strength, ambient = generator.uniform(0.2, 1.1), generator.uniform(0.2, 0.6)
    return Light(lamp, (strength * tint).astype(np.float32), (ambient / tint).astype(np.float32))


def paint_sky(bank: TextureBank, view: View, generator: Generator) -> FloatArray:
    """Linear sky for the whole picture: a photographed one, or a gradient from the horizon."""
    size = (view.width, view.height)
    if len(bank.skies) and generator.random() < 0.75:
        sky = bank.skies[generator.integers(len(bank.skies))]
        sky = sky[:, ::-1] if generator.random() < 0.5 else sky
        return (cv2.resize(sky, size, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255) ** 2
    low, high = generator.uniform(0.4, 1, 3), generator.uniform(0.05, 0.7, 3)
    rise = np.linspace(1, 0, view.height)[:, None, None]
    gradient = np.broadcast_to(low * (1 - rise) + high * rise, (view.height, view.width, 3))
    return gradient.astype(np.float32)


def mirrored(mesh: Mesh) -> Mesh:
    """The mesh upside down below z = 0; what already lies below is squeezed flat out of sight."""
    flip = np.array([1, 1, -1], np.float32)
    above = np.maximum(mesh.points, (-np.inf, -np.inf, 0)).astype(np.float32)
    return Mesh(above * flip, mesh.normals * flip, mesh.uv, mesh.faces, mesh.material)


def add_water(
    colour: FloatArray,
    depth_hits: FloatArray,
    world: World,
    sky: FloatArray,
    looks: tuple[Materials, Light],
) -> tuple[FloatArray, FloatArray]:
    """Colour and inverse depth with the mirror of water in front; ripples grow below."""
    assert world.water is not None
    water = cast(world.water, world.view)
    wet = water.inverse_depth > depth_hits
    upside = mirrored(world.mesh)
    hits = cast(upside, world.view)
    image = shade(upside, world.view, hits, *looks)
    image = np.where((hits.face == NOTHING)[:, :, None], sky[::-1], image)
    rows, columns = np.meshgrid(
        *(np.arange(side, dtype=np.float32) for side in wet.shape), indexing="ij"
    )
    own = shade(world.water, world.view, water, *looks)
    ripple = (own.mean(axis=2) - own.mean()) * 40 * np.linspace(0, 1, len(wet))[:, None]
    image = cv2.remap(
        image,
        columns,
        rows + ripple.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    image = 0.75 * image + 0.25 * own
    return (
        np.where(wet[:, :, None], image, colour).astype(np.float32),
        np.where(wet, water.inverse_depth, depth_hits).astype(np.float32),
    )


def haze(
    colour: FloatArray, inverse_depth: FloatArray, sky: FloatArray, generator: Generator
) -> FloatArray:
    """Airlight that swallows the distance; median depth keeps 60 to 100 % of its contrast."""
    seen = inverse_depth > 0
    middle = np.median(inverse_depth[seen]) if seen.any() else 1.0
    rate = -np.log(1 - 0.4 * generator.random() ** 2) * middle
    clear = np.exp(-rate / np.maximum(inverse_depth, 1e-6))[:, :, None]
    air = sky.mean(axis=(0, 1))
    return np.where(seen[:, :, None], colour * clear + air * (1 - clear), colour).astype(np.float32)


def defocus(image: FloatArray, inverse_depth: FloatArray, generator: Generator) -> FloatArray:
    """Lens blur that grows with the distance in disparity from a random plane of focus."""
    spread = np.quantile(inverse_depth, 0.98) - np.quantile(inverse_depth, 0.02) + 1e-6
    focus = np.quantile(inverse_depth, generator.uniform(0.3, 1.0))
    strength = generator.uniform(1, 9) * SUPERSAMPLING
    radius = np.clip(np.abs(inverse_depth - focus) / spread * strength, 0, strength)
    radius = cv2.GaussianBlur(radius, (0, 0), 2.0)[:, :, None]
    result, last = image, 0.0
    for sigma in (1.0, 2.0, 4.0, 8.0):
        blurred = cv2.GaussianBlur(image, (0, 0), sigma)
        share = np.clip((radius - last) / (2 * sigma - last), 0, 1)
        result, last = result * (1 - share) + blurred * share, 2 * sigma
    return result.astype(np.float32)


def contact_shade(inverse_depth: FloatArray) -> FloatArray:
    """Darkening [H, W] in nooks: places farther than their surroundings."""
    around = cv2.GaussianBlur(inverse_depth, (0, 0), 6.0 * SUPERSAMPLING)
    nook = np.clip((around - inverse_depth) / np.maximum(around, 1e-6), 0, 0.5)
    return (1 - 0.8 * nook).astype(np.float32)


def develop(linear: FloatArray, generator: Generator) -> NDArray[np.uint8]:
    """Bytes in sRGB at the final size, each with another exposure and noise."""
    rows, columns = linear.shape[0] // SUPERSAMPLING, linear.shape[1] // SUPERSAMPLING
    small = cv2.resize(linear, (columns, rows), interpolation=cv2.INTER_AREA)
    small *= generator.uniform(0.25, 0.6) / max(float(np.quantile(small, 0.8)), 1e-3)
    noise = generator.normal(0, generator.uniform(0, 0.02), small.shape)
    return np.clip((np.sqrt(np.clip(small, 0, 1)) + noise) * 255, 0, 255).astype(np.uint8)


def render_world(world: World, bank: TextureBank, generator: Generator) -> LabelledImage:
    """Picture, disparity and sky of a world."""
    looks = draw_materials(bank, world.texture_metres, generator), draw_light(world.lamp, generator)
    hits = cast(world.mesh, world.view)
    inverse_depth = hits.inverse_depth
    colour = shade(world.mesh, world.view, hits, *looks)
    sky = paint_sky(bank, world.view, generator)
    if world.outdoors:
        colour = np.where((hits.face == NOTHING)[:, :, None], sky, colour)
    if world.water is not None:
        colour, inverse_depth = add_water(colour, inverse_depth, world, sky, looks)
    if world.outdoors:
        colour = haze(colour, inverse_depth, sky, generator)
    else:
        colour = colour * contact_shade(inverse_depth)[:, :, None]
    if generator.random() < 0.35:
        colour = defocus(colour, inverse_depth, generator)
    rgb = develop(colour, generator)
    size = (rgb.shape[1], rgb.shape[0])
    disparity = cv2.resize(inverse_depth, size, interpolation=cv2.INTER_AREA)
    empty = cv2.resize((inverse_depth == 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    disparity /= max(float(disparity.max()), 1e-9)
    return LabelledImage(rgb, disparity.astype(np.float16), np.rint(empty * 255).astype(np.uint8))


def render_scene(bank: TextureBank, seed: int) -> LabelledImage:
    """The random scene of a seed; drawn again where a close-up shows a hole or anything is flat."""
    generator = np.random.default_rng(seed)
    makers, shares = zip(*WORLDS, strict=True)
    while True:
        world = makers[generator.choice(len(makers), p=shares)](generator)
        image = render_world(world, bank, generator)
        holes = not world.outdoors and image.sky.any()
        if not holes and float(image.disparity.astype(np.float32).std()) > 0.02:
            return image
