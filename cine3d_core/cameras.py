"""Cameras on their way through a move, and how much of a move a scene bears."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cine3d_core.moves import TRAVEL, Framing, MovePose, move_phase, move_pose
from cine3d_core.scene import Camera, CinemagraphScene

if TYPE_CHECKING:  # the command line names moves without waiting for torch
    from torch import Tensor

UNCOVERED = 0.02  # share of a frame that a full move may uncover behind things
LEAST_REACH = 0.25  # of a full move, however much it uncovers
_TEAR_PX = 1.5  # neighbours that part by more tear (`SplatParams.max_stretch`); less is stretched


def move_camera(
    camera: Camera,
    name: str,
    frame: int,
    num_frames: int,
    *,
    framing: Framing | None = None,
    strength: float = 1.0,
) -> Camera:
    """The photo's camera `frame` frames into the named move.

    Args:
        camera: where the move starts from, normally the photo's own camera.
        name: one of `moves.CAMERA_MOVES`.
        frame: frame index, any integer; before its first and after its last frame a move that is
            not closed stands still.
        num_frames: length of the move.
        framing: of the photo, from `framing_of`; None: nearest surface at depth 1, farthest at
            infinity.
        strength: factor of the move's size.

    Raises:
        KeyError: the name is not one of `moves.CAMERA_MOVES`.
    """
    if framing is None:
        framing = Framing(camera.width, camera.height, float(camera.intrinsics[0, 0]))
    phase = move_phase(name, frame, num_frames)
    return posed(camera, move_pose(name, phase, framing, strength=strength))


def posed(camera: Camera, pose: MovePose) -> Camera:
    """A camera moved by a pose."""
    world_to_camera = camera.world_to_camera.clone()
    world_to_camera[:3, 3] += world_to_camera.new_tensor(pose.translation)
    intrinsics = camera.intrinsics.clone()
    intrinsics[:2, :2] *= pose.zoom
    intrinsics[0, 2] += pose.shift[0] * camera.width
    intrinsics[1, 2] += pose.shift[1] * camera.height
    return replace(camera, intrinsics=intrinsics, world_to_camera=world_to_camera)


def framing_of(scene: CinemagraphScene) -> Framing:
    """What the moves have to know of a scene; its reach keeps to `UNCOVERED`."""
    camera, disparity = scene.camera, _seen_disparity(scene)
    # what is filled in behind may lie farther than all that the photo shows
    seen = disparity[disparity > 0]
    shows = seen.numel() > 0
    far, near = (float(seen.min()), float(seen.max())) if shows else scene.disparity_range
    share = uncovered_share(disparity, near - far)
    reach = min(1.0, max(LEAST_REACH, UNCOVERED / max(share, 1e-9)))
    focal_px = float(camera.intrinsics[0, 0])
    return Framing(camera.width, camera.height, focal_px, near, far, reach)


def uncovered_share(
    disparity: Tensor,  # [H, W], 0 where unknown
    span: float,
) -> float:
    """Share of the picture that a full move uncovers behind things, to its worse side.

    A jump of the disparity by `span` opens by `TRAVEL` of the picture's side.
    """
    height, width = disparity.shape
    shares = []
    for axis, side in ((1, width), (0, height)):
        size = disparity.shape[axis] - 1
        jump = disparity.narrow(axis, 1, size) - disparity.narrow(axis, 0, size)
        known = (disparity.narrow(axis, 1, size) > 0) & (disparity.narrow(axis, 0, size) > 0)
        opened = jump * known * (TRAVEL * side / max(span, 1e-9))
        for way in (opened, -opened):
            torn = way * (way > _TEAR_PX)
            shares.append(float(torn.sum()) / (height * width))
    return max(shares)


def _seen_disparity(scene: CinemagraphScene) -> Tensor:
    """1 / depth of what the photo shows: [H, W], 0 where there is no point."""
    canvas, cloud = scene.canvas_camera, scene.cloud
    seen = ~cloud.inpainted
    disparity = cloud.positions.new_zeros(canvas.height * canvas.width)
    disparity[cloud.pixel[seen]] = 1 / cloud.positions[seen, 2]
    height, width = scene.camera.height, scene.camera.width
    top, left = (canvas.height - height) // 2, (canvas.width - width) // 2
    return disparity.view(canvas.height, canvas.width)[top : top + height, left : left + width]
