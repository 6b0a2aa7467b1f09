"""Makes the pictures of the README: `make pictures`, after `make demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.files.drawing.hints import read_directions
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.motion.draw import draw_motion
from cine3d_core.motion.flow import motion_from_hints
from cine3d_core.output.clip import open_camera_path, prepare_on, shot_of
from cine3d_core.render.frame import render_frame

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "docs" / "sample"
PANEL = (640, 426)  # width, height of one picture of four


def panel(rgb: Tensor, title: str) -> np.ndarray:
    """A titled picture [h, w, 3] BGR of an image [3, H, W]."""
    picture = (rgb.clamp(0, 1).permute(1, 2, 0).numpy()[..., ::-1] * 255).round().astype(np.uint8)
    picture = cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA)
    place = (14, PANEL[1] - 16)
    picture[-44:] //= 3  # a dark band, so that the title can be read on anything
    cv2.putText(picture, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255))
    return picture


def stages(scene_path: Path) -> np.ndarray:
    """Photo, depth, motion and a frame from the end of a camera move."""
    photo = read_photo(SAMPLE / "photo.jpg")
    height, width = photo.rgb.shape[1:]
    drawn = read_directions(
        SAMPLE / "hints.json", height=height, width=width, original_size=(height, width)
    )
    mask = rasterize_polygons(drawn.polygons, height, width)
    motion = draw_motion(photo.rgb, motion_from_hints(mask, drawn.hints))
    scene = load_scene(scene_path)
    prepared = prepare_on(scene, torch.device("cpu"))
    still, side = (open_camera_path(scene, name, None) for name in ("still", "side"))
    depth = render_frame(prepared, shot_of(still, 0), 0).depth
    moved = render_frame(prepared, shot_of(side, 0), 20).rgb
    top = [panel(photo.rgb, "photo"), panel((1 / depth).expand(3, -1, -1), "depth")]
    bottom = [panel(motion, "motion"), panel(moved, "frame 20, camera to the side")]
    return np.vstack([np.hstack(top), np.hstack(bottom)])


# Loop: start, middle, last frame before the seam. Camera: moves where they are farthest away.
SHOTS = (
    ("still", 0),
    ("still", 30),
    ("still", 59),
    ("orbit", 15),
    ("orbit", 45),
    ("slide", 30),
    ("rise", 30),
    ("push-in", 30),
)


def shots(scene_path: Path) -> np.ndarray:
    """Frames of the loop and of camera moves."""
    scene = load_scene(scene_path)
    prepared = prepare_on(scene, torch.device("cpu"))
    panels = []
    for name, frame in SHOTS:
        path = open_camera_path(scene, name, None)
        rendered = render_frame(prepared, shot_of(path, frame), frame)
        panels.append(panel(rendered.rgb, f"{name}, frame {frame}"))
    rows = [np.hstack(panels[i : i + 4]) for i in range(0, len(panels), 4)]
    return cv2.resize(np.vstack(rows), None, fx=0.625, fy=0.625, interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    scene_file, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for made, title in ((stages(scene_file), "stages"), (shots(scene_file), "shots")):
        cv2.imwrite(str(folder / f"{title}.jpg"), made, [cv2.IMWRITE_JPEG_QUALITY, 88])
