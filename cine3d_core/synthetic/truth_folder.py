"""Scenes with known truth: a still, its exact depth and flow, and true frames along camera moves.

One folder a scene: `scene.json`, `still.png`, `depth.npy` [H, W] z-depth, `flow.npy` [2, H, W]
px/frame, `moving.png`, and for every evaluated frame `views/MOVE/0007.png` with
`views/MOVE/0007.regions.png`. `truth_source/0007.png`, frames of the fixed camera, may be absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import read_json
from cine3d_core.render.animation import Shot
from cine3d_core.scene import Camera, DepthMap, MotionField

FORMAT = 1
STATIC, FLUID, DISOCCLUDED, OUTSIDE = 0, 1, 2, 255  # values of a regions picture
REGIONS = {"static": STATIC, "fluid": FLUID, "disoccluded": DISOCCLUDED}


@dataclass(frozen=True)
class Moment:
    """One true frame: where the camera is on its move, and what time it is."""

    move: str
    frame: int

    @property
    def label(self) -> str:
        """The name of its files."""
        return f"{self.move}_{self.frame:04d}"


@dataclass(frozen=True)
class TrueFrame:
    """What the camera really sees."""

    rgb: Tensor  # [3, H, W]
    regions: Tensor  # [1, H, W] uint8: `STATIC`, `FLUID`, `DISOCCLUDED` or `OUTSIDE`

    @property
    def valid(self) -> Tensor:
        """Pixels that count, [1, H, W] bool: what lies outside the still's view does not."""
        return self.regions != OUTSIDE


@dataclass(frozen=True)
class TruthScene:
    """One scene, without its true frames."""

    folder: Path
    name: str
    seed: int
    sha256: str  # of its scene.json
    rgb: Tensor  # [3, H, W] the still
    depth: DepthMap
    motion: MotionField  # one cycle: the flow as it is
    camera: Camera  # the still's
    num_frames: int
    fps: float
    moments: tuple[Moment, ...]
    poses: dict[str, dict[int, Tensor]]  # move -> frame -> world_to_camera [4, 4] float64

    def shot(self, moment: Moment) -> Shot:
        """The cameras of a true frame and of its neighbours in time."""
        before, after = (self._camera(moment.move, moment.frame + step) for step in (-1, 1))
        return Shot(self._camera(moment.move, moment.frame), before, after)

    def _camera(self, move: str, frame: int) -> Camera:
        """The camera at any frame; between two known ones in proportion, beyond them the last."""
        poses = self.poses[move]
        known = sorted(poses)
        below = max((k for k in known if k <= frame), default=known[0])
        above = min((k for k in known if k >= frame), default=known[-1])
        share = 0.0 if above == below else (frame - below) / (above - below)
        pose = torch.lerp(poses[below], poses[above], share)
        return Camera(self.camera.intrinsics, pose, self.camera.height, self.camera.width)


def find_scenes(folder: Path, names: Sequence[str] | None = None) -> list[TruthScene]:
    """The scenes in a folder, by name; only those of `names`, if given.

    Raises:
        InputError: no scene there, a name that is not there, or a damaged scene.
    """
    places = sorted(path.parent for path in folder.glob("*/scene.json"))
    if not places:
        raise InputError(f"there is no scene in {folder}; give a folder with NAME/scene.json in it")
    missing = set(names or ()) - {place.name for place in places}
    if missing:
        known = ", ".join(place.name for place in places)
        raise InputError(f"no scene {', '.join(sorted(missing))} in {folder}; there are {known}")
    return [read_scene(place) for place in places if names is None or place.name in names]


def read_scene(folder: Path) -> TruthScene:
    """One scene's still, depth, flow and cameras.

    Raises:
        InputError: not such a scene, or one of another format.
    """
    path = folder / "scene.json"
    facts = read_json(path, "truth scene")
    if facts.get("format") != FORMAT:
        raise InputError(
            f"{path} has the format {facts.get('format')!r}, format {FORMAT} is wanted; "
            "generate the scene again"
        )
    try:
        return _scene_of(folder, facts)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(f"the scene {folder} is damaged ({error}); generate it again") from error


def _scene_of(folder: Path, facts: dict[str, Any]) -> TruthScene:
    depth = torch.from_numpy(np.load(folder / "depth.npy")).float()[None]
    moving = _read(folder / "moving.png", cv2.IMREAD_GRAYSCALE) > 127
    moving = torch.from_numpy(moving)[None]
    flow = torch.from_numpy(np.load(folder / "flow.npy")).float() * moving
    intrinsics = torch.tensor(facts["intrinsics"], dtype=torch.float64)
    pose = torch.eye(4, dtype=torch.float64)
    poses = {
        move: {
            int(frame): torch.tensor(matrix, dtype=torch.float64) for frame, matrix in of.items()
        }
        for move, of in facts["poses"].items()
    }
    moments = tuple(
        Moment(move, int(frame))
        for move, frames in facts["trajectories"].items()
        for frame in frames
    )
    return TruthScene(
        folder=folder,
        name=str(facts["name"]),
        seed=int(facts["seed"]),
        sha256=hashlib.sha256((folder / "scene.json").read_bytes()).hexdigest(),
        rgb=read_rgb(folder / "still.png"),
        depth=DepthMap(depth, torch.zeros_like(depth)),
        motion=MotionField(flow, moving, torch.ones_like(moving, dtype=torch.int16)),
        camera=Camera(intrinsics, pose, int(facts["height"]), int(facts["width"])),
        num_frames=int(facts["num_frames"]),
        fps=float(facts["fps"]),
        moments=moments,
        poses=poses,
    )


def read_frame(scene: TruthScene, moment: Moment) -> TrueFrame:
    """What a scene's camera really sees at a moment."""
    place = scene.folder / "views" / moment.move
    regions = _read(place / f"{moment.frame:04d}.regions.png", cv2.IMREAD_GRAYSCALE)
    return TrueFrame(
        rgb=read_rgb(place / f"{moment.frame:04d}.png"), regions=torch.from_numpy(regions)[None]
    )


def read_rgb(path: Path) -> Tensor:
    """An 8-bit picture as [3, H, W] in [0, 1]."""
    bgr = _read(path, cv2.IMREAD_COLOR)
    return torch.from_numpy(bgr[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255


def write_rgb(path: Path, rgb: Tensor) -> None:
    """A picture [3, H, W] in [0, 1] as an 8-bit file, by the extension of its name."""
    values = (rgb.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), values[:, :, ::-1]):
        raise InputError(f"cannot write {path}; choose another place")


def _read(path: Path, mode: int) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise InputError(f"{path} is not a readable picture; generate the scene again")
    return picture.astype(np.uint8)
