"""A small photo made of numbers: sky, a river, a post in it; with depth and mask."""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

WIDTH, HEIGHT = 160, 90


@dataclass(frozen=True)
class River:
    photo: Path
    depth: Path
    mask: Path


def write_river(folder: Path, seed=0) -> River:
    """The pictures as PNG files in a folder."""
    generator = np.random.default_rng(seed)
    rows = np.linspace(0, 1, HEIGHT)[:, None].repeat(WIDTH, axis=1)  # 0 at the top
    columns = np.linspace(0, 1, WIDTH)[None].repeat(HEIGHT, axis=0)
    water = rows > 0.5
    post = (rows > 0.3) & (np.abs(columns - 0.3) < 0.05)
    texture = generator.uniform(0.35, 0.65, (HEIGHT // 3, WIDTH // 3, 3))
    photo = texture.repeat(3, axis=0).repeat(3, axis=1)[:HEIGHT]
    photo = np.pad(photo, ((0, 0), (0, WIDTH - photo.shape[1]), (0, 0)), mode="edge")
    photo[..., 2] += 0.3 * ~water
    photo[post] = (0.5, 0.2, 0.1)
    nearness = np.where(water, 0.2 + 1.2 * (rows - 0.5), 0.1)
    nearness[post] = 0.95
    river = River(folder / "river.png", folder / "depth.png", folder / "mask.png")
    for path, values in (
        (river.photo, photo),
        (river.depth, nearness),
        (river.mask, water & ~post),
    ):
        write_png(path, values.astype(np.float32))
    return river


def write_png(path: Path, values: np.ndarray) -> None:
    """Write [H, W] or [H, W, 3] values in [0, 1], top row first."""
    rgba = np.ones((*values.shape[:2], 4), np.float32)
    rgba[..., :3] = values if values.ndim == 3 else values[..., None]
    image = bpy.data.images.new(path.stem, values.shape[1], values.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(rgba[::-1]).ravel())  # bottom row first
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def read_png(path: Path) -> np.ndarray:
    """RGB [H, W, 3] of a picture file as it is stored, top row first."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)[::-1, :, :3]
    bpy.data.images.remove(image)
    return pixels


def render_still(scene, path, frame=1):
    """RGB [H, W, 3] of a rendered frame."""
    scene.frame_set(frame)
    scene.render.filepath = str(path)
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    return read_png(path)


def import_river(scene, river: River, frames=12) -> bpy.types.Object:
    """Import the photo with its own depth and mask and one arrow's worth of assumption."""
    choices = scene.cine3d
    choices.depth_source, choices.depth_path = "FILE", str(river.depth)
    choices.frames, choices.size = frames, WIDTH
    choices.mask = bpy.data.images.load(str(river.mask))
    choices.mask.pack()  # the .blend is copied to other folders
    assert bpy.ops.cine3d.import_photo(filepath=str(river.photo)) == {"FINISHED"}
    return next(obj for obj in scene.objects if obj.cine3d.is_root)
