"""Pictures inside the .blend: the photo behind the points, and the motion in front of them."""

from __future__ import annotations

import bpy
import numpy as np

_BACKGROUND_ALPHA = 0.5


def set_background(root: bpy.types.Object, camera: bpy.types.Object, png: np.ndarray) -> None:
    """The photo behind the points, packed into the .blend: upright and present everywhere."""
    root.cine3d.picture = image = packed_image(root.cine3d.picture, f"{root.name} Photo", png)
    backgrounds = camera.data.background_images
    if not any(background.image == image for background in backgrounds):
        background = backgrounds.new()
        background.image, background.alpha = image, _BACKGROUND_ALPHA
        background.frame_method = "CROP"  # an odd last row is not rendered
    camera.data.show_background_images = True


def show_background(root: bpy.types.Object, camera: bpy.types.Object, shown: bool) -> None:
    """Show or hide the photo behind the points, for who looks through a camera."""
    for background in camera.data.background_images:
        if background.image == root.cine3d.picture:
            background.show_background_image = shown


def packed_image(image: bpy.types.Image | None, name: str, png: np.ndarray) -> bpy.types.Image:
    """The image, made where there is none, with a PNG file [n] uint8 as its content."""
    if image is None:
        image = bpy.data.images.new(name, 1, 1)
    image.pack(data=png.tobytes(), data_len=len(png))
    image.source = "FILE"  # only now: Blender would look for a file
    image.buffers_free()  # what it showed before
    return image


def show_overlay(root: bpy.types.Object, camera: bpy.types.Object, png: np.ndarray) -> None:
    """A picture of the motion in front of the points, for who looks through the photo's camera."""
    root.cine3d.motion = image = packed_image(root.cine3d.motion, f"{root.name} Motion", png)
    backgrounds = camera.data.background_images
    overlay = next((b for b in backgrounds if b.image == image), None)
    if overlay is None:
        overlay = backgrounds.new()
        overlay.image, overlay.display_depth, overlay.alpha = image, "FRONT", 1.0
        overlay.frame_method = "CROP"
    overlay.show_background_image = True
    camera.data.show_background_images = True


def overlay_shown(root: bpy.types.Object) -> bool:
    """Whether a picture of the motion lies over the photo."""
    return any(shown.show_background_image for shown in _overlays(root))


def hide_overlay(root: bpy.types.Object) -> None:
    """Take the picture of the motion away."""
    for overlay in _overlays(root):
        overlay.show_background_image = False


def _overlays(root: bpy.types.Object):
    image = root.cine3d.motion
    for camera in (child for child in root.children if child.type == "CAMERA"):
        for background in camera.data.background_images:
            if image is not None and background.image == image:
                yield background
