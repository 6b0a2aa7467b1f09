"""Where a hand is on the photo, and what its strokes become: arrows, outlines, pins.

Places are shares of the photo's width and height, y from the top; lengths shares of its long side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import bpy
import numpy as np
from bpy_extras.view3d_utils import (
    location_3d_to_region_2d,
    region_2d_to_origin_3d,
    region_2d_to_vector_3d,
)
from mathutils import Vector

from ..scene import first_look, motion_plane, photo_scene
from .direct_properties import CINE3D_PG_direct, CINE3D_PG_region, Points

Place = tuple[float, float]

_CORNERS = 12  # of a round end of a brush stroke
_DECIMALS = 5  # of a share: a tenth of a pixel of the largest photos
HANDLE_PX = 10.0


def photo_looked_through(context: bpy.types.Context) -> bpy.types.Object | None:
    """The photo whose camera the 3D view looks through."""
    space, view = context.space_data, context.region_data
    if view is None or view.view_perspective != "CAMERA":
        return None
    return photo_scene.root_of(space.camera if space.use_local_camera else context.scene.camera)


def photo_to_draw_on(
    operator: bpy.types.Operator, context: bpy.types.Context
) -> bpy.types.Object | None:
    """The photo of this file that the view looks through; else the view is turned to one.

    None after such a turn, of which the person is told: the next stroke lands on the photo.
    """
    root = photo_looked_through(context)
    if root is not None and root.library is None:
        return root
    first_look.look_through(context, context.scene, photo_scene.active_root(context), play=False)
    operator.report({"INFO"}, "The view looks through the photo's camera now; draw on it")
    return None


def place_under(context: bpy.types.Context, root: bpy.types.Object, x: float, y: float) -> Place:
    """The place of the photo under a pixel of the region, on the plane where arrows lie."""
    inverse = root.matrix_world.inverted()
    origin = region_2d_to_origin_3d(context.region, context.region_data, (x, y))
    way = region_2d_to_vector_3d(context.region, context.region_data, (x, y))
    start, along = inverse @ origin, inverse.to_3x3() @ way
    plane = motion_plane.local_position(root, 0.5, 0.5).y
    share = (plane - start.y) / along.y if abs(along.y) > 1e-9 else 1.0
    return motion_plane.photo_position(root, start + along * share)


def pixel_of(context: bpy.types.Context, root: bpy.types.Object, place: Place) -> Vector | None:
    """The pixel of the region where a place of the photo is seen; None behind the viewer."""
    world = root.matrix_world @ motion_plane.local_position(root, *place)
    return location_3d_to_region_2d(context.region, context.region_data, world)


def on_photo(place: Place) -> bool:
    """Whether a place is inside the photo."""
    return all(0.0 <= value <= 1.0 for value in place)


def inside(place: Place) -> Place:
    """The nearest place of the photo."""
    x, y = (min(max(value, 0.0), 1.0) for value in place)
    return x, y


def long_side_px(context: bpy.types.Context, root: bpy.types.Object) -> float:
    """Pixels of the region that the photo's long side takes."""
    corners = [pixel_of(context, root, place) for place in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))]
    seen = [pixel for pixel in corners if pixel is not None]
    if len(seen) < len(corners):
        return 1.0
    corner, right, lower = seen
    return max((right - corner).length, (lower - corner).length, 1.0)


def brush_outlines(points: Points, width: float, size: tuple[int, int]) -> list[Points]:
    """Outlines that cover a stroke of the brush: one with round ends for each straight piece.

    Args:
        points: the stroke.
        width: of the brush.
        size: of the photo, for the shape of a pixel.
    """
    sides = np.array(size, np.float64) / max(size)
    track = simplified(np.array(points, np.float64) * sides, width / 8)
    if len(track) == 1:
        track = np.repeat(track, 2, axis=0)
    outlines = []
    for start, end in zip(track[:-1], track[1:], strict=True):
        heading = math.atan2(end[1] - start[1], end[0] - start[0])
        turns = np.linspace(-math.pi / 2, math.pi / 2, _CORNERS // 2)
        cap = np.stack([np.cos(heading + turns), np.sin(heading + turns)], axis=1) * width / 2
        corners = np.concatenate([end + cap, start - cap]) / sides
        outlines.append([tuple(corner) for corner in corners.round(_DECIMALS).tolist()])
    return outlines


def simplified(track: np.ndarray, tolerance: float) -> np.ndarray:  # [n, 2] -> [m, 2]
    """A track of fewer points, nowhere farther than `tolerance` from it (Douglas and Peucker)."""
    if len(track) < 3:
        return track
    way = track[-1] - track[0]
    length = np.linalg.norm(way)
    aside = track - track[0]
    if length < 1e-12:
        gap = np.linalg.norm(aside, axis=1)
    else:
        share = np.clip(aside @ way / length**2, 0, 1)
        gap = np.linalg.norm(aside - share[:, None] * way, axis=1)
    farthest = int(gap.argmax())
    if gap[farthest] <= tolerance:
        return track[[0, -1]]
    first = simplified(track[: farthest + 1], tolerance)
    return np.concatenate([first[:-1], simplified(track[farthest:], tolerance)])


def encloses(outline: Points, place: Place) -> bool:
    """Whether a place is inside an outline, by the even-odd rule."""
    x, y = place
    crossed = False
    for (x0, y0), (x1, y1) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            crossed = not crossed
    return crossed


def region_drawn_at(direct: CINE3D_PG_direct, place: Place) -> int | None:
    """Index of the topmost region whose outlines enclose a place."""
    for index in reversed(range(len(direct.regions))):
        region = direct.regions[index]
        if region.place == "OUTLINES" and not region.is_base:
            if any(encloses(outline, place) for outline in region.outline_list()):
                return index
    return None


def handle_at(
    context: bpy.types.Context, root: bpy.types.Object, x: float, y: float
) -> tuple[int, int, int] | None:
    """Region, arrow and end (0 tail, 1 tip) of the handle under a pixel; the nearest one."""
    best, found = HANDLE_PX, None
    for number, region in enumerate(root.cine3d_direct.regions):
        if not region.visible:
            continue
        for index, arrow in enumerate(region.arrow_list()):
            for end in (1, 0):
                pixel = pixel_of(context, root, arrow[2 * end : 2 * end + 2])
                if pixel is not None and (gap := (pixel - Vector((x, y))).length) < best:
                    best, found = gap, (number, index, end)
    return found


def erase(
    direct: CINE3D_PG_direct, track: Sequence[Place], width: float, size: tuple[int, int]
) -> int:
    """Take away strokes, pins, arrows and painted pieces that a stroke touches; how many."""
    sides = np.array(size, np.float64) / max(size)
    path = np.array(track, np.float64) * sides
    count = 0

    def touched(points: Iterable[float] | Points, reach: float = 0.0) -> bool:
        places = np.array(points, np.float64).reshape(-1, 2) * sides
        gaps = np.linalg.norm(places[:, None] - path[None], axis=-1)
        return bool(gaps.min() <= (width + reach) / 2)

    for index in reversed(range(len(direct.strokes))):
        stroke = direct.strokes[index]
        if stroke.points and touched(stroke.point_list(), stroke.width):
            direct.strokes.remove(index)
            count += 1
    for region in direct.regions:
        arrows = region.arrow_list()
        left = [a for a in arrows if not touched([a[:2], a[2:]])]
        outlines = region.outline_list()
        kept = [o for o in outlines if not touched([np.mean(o, axis=0)])]
        if len(left) < len(arrows):
            region.set_arrows(left)
        if len(kept) < len(outlines):
            region.set_outlines(kept)
        count += len(arrows) - len(left) + len(outlines) - len(kept)
    return count


def paintable(region: CINE3D_PG_region | None) -> bool:
    """Whether the brush adds to this region."""
    if region is None or region.is_base or region.rests:
        return False
    return region.place == "OUTLINES" or region.is_empty()


CLASSES = ()
