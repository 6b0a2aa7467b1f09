"""Write one scene: still, depth, flow, classes, and true frames with their regions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .blender_scene import BlenderScene
from .catalogue import TEST_CROPS, TRAIN_CROPS, Crops
from .fluids import NUM_FRAMES
from .layouts_test import TEST_LAYOUTS
from .layouts_train import TRAIN_LAYOUTS
from .png import drop_notes, write_labels
from .site import Site
from .surfaces import KINDS, Surface
from .views import (
    View,
    flow_of,
    intrinsics,
    points_of,
    pose_at,
    published_views,
    random_views,
    regions_of,
)

FORMAT = 1
FPS = 25.0
_SOURCE = pose_at((0.0, 0.0, 0.0))


Layout = Callable[[Site], tuple[float, float]]  # builds; gives pitch in degrees and focal length


@dataclass(frozen=True)
class Split:
    """What one half of the truth is made from; the halves share nothing."""

    name: str
    first_seed: int
    crops: Crops
    layouts: tuple[Layout, ...]
    scenes: int
    size: tuple[int, int]  # width, height
    samples: int  # rays per pixel
    source_frames: int  # true frames from the fixed camera
    views: Callable[[np.random.Generator, int], list[View]]  # of a loop's length


TEST = Split(
    name="test",
    first_seed=1000,
    crops=TEST_CROPS,
    layouts=TEST_LAYOUTS,
    scenes=len(TEST_LAYOUTS),
    size=(640, 360),
    samples=12,
    source_frames=1,
    views=lambda rng, num_frames: published_views(num_frames),
)
TRAIN = Split(
    name="train",
    first_seed=0,
    crops=TRAIN_CROPS,
    layouts=TRAIN_LAYOUTS,
    scenes=3 * len(TRAIN_LAYOUTS),
    size=(384, 216),
    samples=12,
    source_frames=4,
    views=random_views,
)


def write_scene(
    out: Path, split: Split, number: int, *, textures: Path, size: tuple[int, int], threads: int
) -> Path:
    """Build and render scene `number` of a split into its own folder of `out`; gives the folder."""
    seed = split.first_seed + number
    layout = split.layouts[number % len(split.layouts)]
    site = Site(seed, textures, split.crops)
    pitch_deg, focal = layout(site)
    width, height = size
    camera = intrinsics(focal * width, width, height)
    family = layout.__name__.replace("_", "-")
    folder = out / f"{split.name}-{number:02d}-{family}"
    (folder / "views").mkdir(parents=True, exist_ok=True)
    surfaces = [_pitched(surface, pitch_deg) for surface in site.surfaces]
    surfaces = _scaled(surfaces, focal, width // 4, height // 4)
    scene = BlenderScene(
        surfaces,
        focal_px=focal * width,
        width=width,
        height=height,
        samples=split.samples,
        threads=threads,
    )
    rng = np.random.default_rng((seed, 1))
    views = split.views(rng, NUM_FRAMES)
    frames = np.sort(rng.choice(np.arange(5, NUM_FRAMES), split.source_frames, replace=False))
    disparities = _write_still(folder, scene, surfaces, camera)
    _write_views(folder, scene, surfaces, camera, views)
    for frame in frames.tolist():
        _save_picture(scene, folder / "truth_source" / f"{frame:04d}.png", _SOURCE, frame)
    record = {
        "format": FORMAT,
        "name": folder.name,
        "split": split.name,
        "seed": seed,
        "family": family,
        "textures": sorted(site.used),
        "width": width,
        "height": height,
        "num_frames": NUM_FRAMES,
        "fps": FPS,
        "intrinsics": camera.tolist(),
        "disparity_range": disparities,
        "trajectories": _by_trajectory(views, lambda view: view.frame),
        "poses": {
            name: {str(view.frame): view.world_to_camera.tolist() for view in members}
            for name, members in _by_trajectory(views, lambda view: view).items()
        },
        "source_frames": frames.tolist(),
    }
    # Written last: a folder with this file is complete.
    (folder / "scene.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return folder


def _scaled(surfaces: list[Surface], focal: float, width: int, height: int) -> list[Surface]:
    """The same still, with its nearest surface at a depth of about 1."""
    preview = BlenderScene(
        surfaces, focal_px=focal * width, width=width, height=height, samples=1, threads=1
    )
    nearest = float(np.percentile(preview.geometry(_SOURCE).depth, 0.5))
    return [replace(surface, vertices=surface.vertices / nearest) for surface in surfaces]


def _by_trajectory(views: list[View], value: Callable) -> dict[str, list]:
    grouped: dict[str, list] = {}
    for view in views:
        grouped.setdefault(view.trajectory, []).append(value(view))
    return grouped


def _pitched(surface: Surface, pitch_deg: float) -> Surface:
    """The surface as a camera sees it that looks down by the pitch."""
    cos, sin = np.cos(np.radians(pitch_deg)), np.sin(np.radians(pitch_deg))
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return replace(surface, vertices=surface.vertices @ turn.T)


def _write_still(
    folder: Path, scene: BlenderScene, surfaces: list[Surface], camera: np.ndarray
) -> list[float]:
    """Write all that belongs to the still; gives the range of its disparity."""
    _save_picture(scene, folder / "still.png", _SOURCE, 0)
    geometry, velocity = scene.geometry(_SOURCE), scene.velocity(_SOURCE)
    moving = _moving(surfaces)[geometry.surface]
    velocity = np.where(moving[..., None], velocity, 0.0)
    points = points_of(geometry.depth.astype(np.float64), camera)
    flow = flow_of(points, velocity, camera[0, 0])
    np.save(folder / "depth.npy", geometry.depth.astype(np.float32))
    np.save(folder / "flow.npy", flow.astype(np.float32))
    np.save(folder / "velocity3d.npy", np.moveaxis(velocity, -1, 0).astype(np.float32))
    write_labels(folder / "moving.png", moving * 255)
    kinds = np.array([KINDS.index(surface.kind) for surface in surfaces])
    write_labels(folder / "classes.png", kinds[geometry.surface])
    return [float(1 / geometry.depth.max()), float(1 / geometry.depth.min())]


def _write_views(
    folder: Path,
    scene: BlenderScene,
    surfaces: list[Surface],
    camera: np.ndarray,
    views: list[View],
) -> None:
    still = scene.geometry(_SOURCE)
    for view in views:
        path = folder / "views" / view.trajectory / f"{view.frame:04d}.png"
        _save_picture(scene, path, view.world_to_camera, view.frame)
        seen = scene.geometry(view.world_to_camera)
        labels = regions_of(seen, view.world_to_camera, still, camera, _moving(surfaces))
        write_labels(path.with_suffix(".regions.png"), labels)


def _save_picture(scene: BlenderScene, path: Path, pose: np.ndarray, frame: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene.save_picture(path, pose, frame)
    drop_notes(path)


def _moving(surfaces: list[Surface]) -> np.ndarray:
    return np.array([surface.moving for surface in surfaces])
