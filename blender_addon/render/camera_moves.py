"""Camera moves as ordinary keyframes, and how far a camera may go before holes show."""

from __future__ import annotations

import math

import bpy
from bpy.props import EnumProperty, FloatProperty
from mathutils import Matrix, Quaternion, Vector

from cine3d_core.moves import PUBLISHED_MOVES, published_translation

from ..compat import fcurves_of, remove_empty_fcurves
from ..scene import cameras, photo_scene
from ..scene.photo_operator import PhotoOperator

# The straight published moves need their two ends only; what bends gets a key per eighth of a turn.
_KEYS = {"up-down": 2, "zoom-in": 2, "side": 2, "circle": 17, "dolly-zoom": 9, "orbit": 9}
_CLOSED = {"circle", "orbit"}  # frame N is frame 0 again
_DOLLY = 0.24  # scene units towards the subject, as the published zoom
_ORBIT_DEG = 3.0

_MOVES = (
    ("up-down", "Up and Down", "The paper's move up and down"),
    ("side", "Side", "The paper's move to the side"),
    ("zoom-in", "Zoom In", "The paper's move into the picture"),
    ("circle", "Circle", "The paper's circular move; it loops"),
    ("dolly-zoom", "Dolly Zoom", "Into the picture while the lens widens"),
    ("orbit", "Orbit", "Around the middle of the picture; it loops"),
)
assert {name for name, _, _ in _MOVES} >= set(PUBLISHED_MOVES)


def key_move(
    camera: bpy.types.Object,
    move: str,
    *,
    first_frame: int,
    num_frames: int,
    strength: float,
    distance: float,
    unit: float,
) -> None:
    """Write a move as keyframes of location, rotation and lens.

    It starts where the camera was before its last move, so that moves replace one another.

    Args:
        camera: keys in the new range are replaced, those of its last move go.
        move: one of the names in `_MOVES`.
        first_frame: where the move begins.
        num_frames: its length; a closed move arrives one frame later where it began.
        strength: factor of the published size.
        distance: of the subject, scene units; what dolly zoom and orbit keep in place.
        unit: length of a scene unit in the space of the camera's location.
    """
    take_back(camera)
    start, lens = camera.matrix_basis.copy(), camera.data.lens
    count = _KEYS[move]
    length = num_frames if move in _CLOSED else num_frames - 1
    _clear(camera, camera.data, first_frame, first_frame + num_frames)
    before = camera.cine3d_move
    before.is_moved, before.basis, before.lens = True, _flat(start), lens
    before.first, before.last = first_frame, first_frame + num_frames
    for k in range(count):
        share = k / (count - 1)
        offset, turn, zoom = _pose(move, share, strength, distance)
        scaled = Matrix.Translation(offset * unit) @ turn
        location, rotation, _ = (start @ scaled).decompose()
        frame = first_frame + share * length
        _key(camera, location, rotation, frame)
        if move == "dolly-zoom":
            camera.data.lens = lens * zoom
            camera.data.keyframe_insert("lens", frame=frame)
    kind = "LINEAR" if count == 2 else "BEZIER"
    for curve in [*fcurves_of(camera), *fcurves_of(camera.data)]:
        for point in curve.keyframe_points:
            point.interpolation = kind
        curve.update()


def take_back(camera: bpy.types.Object) -> bool:
    """Undo the last move: its keys go, the camera is where it was; whether there was one."""
    before = camera.cine3d_move
    if not before.is_moved:
        return False
    _clear(camera, camera.data, before.first, before.last)
    camera.matrix_basis = before.basis
    camera.data.lens = before.lens
    before.is_moved = False
    return True


def _flat(matrix: Matrix) -> list[float]:
    """A matrix as Blender's properties of 16 numbers take it: column by column."""
    return [value for column in matrix.col for value in column]


def _pose(
    move: str, share: float, strength: float, distance: float
) -> tuple[Vector, Matrix, float]:
    """Offset in the camera's own axes (scene units), turn about its origin, factor of the lens."""
    identity = Matrix.Identity(4)
    if move in PUBLISHED_MOVES:
        many = 10_000  # frames: a phase as fine as `share`
        frame = share * (many if move in _CLOSED else many - 1)
        x, y, z = published_translation(move, round(frame) % many, many)
        # The core adds this to the points, so the camera goes the other way; y and z are flipped.
        return Vector((-x, y, z)) * strength, identity, 1.0
    if move == "dolly-zoom":
        ahead = min(_DOLLY * strength, 0.9 * distance) * share
        return Vector((0, 0, -ahead)), identity, (distance - ahead) / distance
    angle = math.radians(_ORBIT_DEG) * strength
    yaw, pitch = angle * math.sin(math.tau * share), angle / 2 * math.sin(2 * math.tau * share)
    turn = Matrix.Rotation(yaw, 4, "Y") @ Matrix.Rotation(pitch, 4, "X")
    pivot = Vector((0, 0, -distance))
    return pivot - turn.to_3x3() @ pivot, turn, 1.0


def _key(camera: bpy.types.Object, location: Vector, rotation: Quaternion, frame: float) -> None:
    camera.location = location
    path = "rotation_euler"
    if camera.rotation_mode == "QUATERNION":
        camera.rotation_quaternion, path = rotation, "rotation_quaternion"
    elif camera.rotation_mode == "AXIS_ANGLE":
        camera.rotation_mode = "XYZ"
        camera.rotation_euler = rotation.to_euler("XYZ")
    else:
        camera.rotation_euler = rotation.to_euler(camera.rotation_mode, camera.rotation_euler)
    camera.keyframe_insert("location", frame=frame)
    camera.keyframe_insert(path, frame=frame)


def _clear(camera: bpy.types.Object, data: bpy.types.Camera, first: float, last: float) -> None:
    for owner in (camera, data):
        for curve in fcurves_of(owner):
            if curve.data_path in {"location", "rotation_euler", "rotation_quaternion", "lens"}:
                points = curve.keyframe_points
                for point in reversed(list(points)):
                    if first <= point.co.x <= last:
                        points.remove(point, fast=True)
                curve.update()
        remove_empty_fcurves(owner)


def location_unit(camera: bpy.types.Object, root: bpy.types.Object) -> float:
    """Length of a scene unit in the space of the camera's location."""
    return 1.0 if camera.parent == root else root.matrix_world.to_scale()[0]


class CINE3D_OT_camera_move(PhotoOperator, bpy.types.Operator):
    """Key a camera move over one loop, as ordinary keyframes"""

    bl_idname = "cine3d.camera_move"
    bl_label = "Key Camera Move"
    bl_options = {"REGISTER", "UNDO"}
    needs_camera = True

    move: EnumProperty(name="Move", description="Path of the camera", items=_MOVES)
    strength: FloatProperty(
        name="Strength",
        description="1 = default amount of camera movement",
        default=1.0,
        soft_min=-3,
        soft_max=3,
    )
    distance: FloatProperty(
        name="Subject Distance",
        description="Distance of the point that dolly zoom and orbit keep in place, in scene units",
        default=2.0,
        min=0.1,
        soft_max=20,
    )

    def execute(self, context: bpy.types.Context):
        root, camera = photo_scene.active_root(context), context.scene.camera
        key_move(
            camera,
            self.move,
            first_frame=root.cine3d.first_frame,
            num_frames=root.cine3d.num_frames,
            strength=self.strength,
            distance=self.distance,
            unit=location_unit(camera, root),
        )
        context.scene.frame_set(context.scene.frame_current)
        self.report({"INFO"}, f"{camera.name}: {self.move} over {root.cine3d.num_frames} frames")
        return {"FINISHED"}


class CINE3D_OT_camera_back(PhotoOperator, bpy.types.Operator):
    """Move the camera back to where the photo was taken and remove the keys of a move"""

    bl_idname = "cine3d.camera_back"
    bl_label = "Back to Photo"
    bl_options = {"REGISTER", "UNDO"}
    needs_camera = True

    def execute(self, context: bpy.types.Context):
        root, camera = photo_scene.active_root(context), context.scene.camera
        take_back(camera)
        first, length = root.cine3d.first_frame, root.cine3d.num_frames
        _clear(camera, camera.data, first, first + length)
        cameras.apply_core_camera(camera, photo_scene.photo_record(root, context.scene))
        if camera.parent != root:
            camera.matrix_world = root.matrix_world @ camera.matrix_basis
        return {"FINISHED"}


class CINE3D_PT_camera(bpy.types.Panel):
    """Camera moves and their limits"""

    bl_label = "Camera"
    bl_order = 4
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Cine3D"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context):
        return photo_scene.active_root(context) is not None

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.operator_menu_enum("cine3d.camera_move", "move", text="Key Camera Move")
        layout.operator("cine3d.camera_back", icon="LOOP_BACK")
        layout.operator("cine3d.check_path")
        layout.operator("cine3d.safe_volume")


CLASSES = (
    CINE3D_OT_camera_move,
    CINE3D_OT_camera_back,
    CINE3D_PT_camera,
)
