"""Camera moves as ordinary keyframes, and how far a camera may go before holes show."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty
from mathutils import Matrix, Vector

from cine3d_core.moves import CAMERA_MOVES, MAX_STRENGTH, PUBLISHED, Framing, move_phase, move_pose

from ..compat import fcurves_of, remove_empty_fcurves
from ..scene import cameras, photo_pictures, photo_scene
from ..scene.photo_operator import PhotoOperator

# The paper's straight moves need their two ends only; what bends gets a key per eighth of a turn.
_KEYS: dict[str, int] = {
    **dict.fromkeys(("published-up-down", "published-zoom-in", "published-side"), 2),
    "handheld": 33,
}
_USUAL_KEYS = 17
_LENS = ("lens", "shift_x", "shift_y")

_MOVES = (
    ("orbit", "Orbit", "Around the middle of the picture; it loops"),
    ("arc", "Arc", "To one side and back, a little closer; it loops"),
    ("handheld", "Handheld", "The small sway of a camera held by hand; it loops"),
    ("push-in", "Push In", "Slowly into the picture"),
    ("pull-back", "Pull Back", "Slowly out of the picture"),
    ("slide", "Slide", "Slowly to one side"),
    ("rise", "Rise", "Slowly upwards"),
    ("dolly-zoom", "Dolly Zoom", "The background grows while the nearest things keep their size"),
    ("published-circle", "Circle (Paper)", "The paper's circular move; it loops"),
    ("published-side", "Side (Paper)", "The paper's move to the side"),
    ("published-up-down", "Up and Down (Paper)", "The paper's move up and down"),
    ("published-zoom-in", "Zoom In (Paper)", "The paper's move into the picture"),
)
assert {"still", *(name for name, _, _ in _MOVES)} == set(CAMERA_MOVES)


def key_move(
    camera: bpy.types.Object,
    move: str,
    *,
    first_frame: int,
    num_frames: int,
    strength: float,
    framing: Framing,
    unit: float,
) -> None:
    """Write a move as keyframes of location, lens and shift.

    It starts where the camera was before its last move, so that moves replace one another.

    Args:
        camera: keys in the new range are replaced, those of its last move go.
        move: one of the names in `_MOVES`.
        first_frame: where the move begins.
        num_frames: its length; a closed move arrives one frame later where it began.
        strength: factor of the move's size, see `moves.move_pose`.
        framing: of the photo.
        unit: length of a scene unit in the space of the camera's location.
    """
    take_back(camera)
    data = camera.data
    start = camera.matrix_basis.copy()
    closed = move_phase(move, 1, 1) == 0  # of any length, damaged files have loops of 0 frames
    length = num_frames if closed else num_frames - 1
    _clear(camera, data, first_frame, first_frame + num_frames)
    before = camera.cine3d_move
    before.is_moved, before.basis = True, _flat(start)
    before.lens, before.shift = data.lens, (data.shift_x, data.shift_y)
    before.first, before.last = first_frame, first_frame + num_frames
    count = _KEYS.get(move, _USUAL_KEYS)
    for k in range(count):
        share = k / (count - 1)
        pose = move_pose(move, share, framing, strength=strength)
        frame = first_frame + share * length
        x, y, z = pose.translation
        # The core adds this to the points, so the camera goes the other way; y and z are flipped.
        camera.location = (start @ Matrix.Translation(Vector((-x, y, z)) * unit)).translation
        camera.keyframe_insert("location", frame=frame)
        if not move.startswith(PUBLISHED):
            longer = max(framing.width, framing.height)
            data.lens = before.lens * pose.zoom
            data.shift_x = before.shift[0] - pose.shift[0] * framing.width / longer
            data.shift_y = before.shift[1] + pose.shift[1] * framing.height / longer
            for name in _LENS:
                data.keyframe_insert(name, frame=frame)
    kind = "LINEAR" if count == 2 else "BEZIER"
    for curve in [*fcurves_of(camera), *fcurves_of(data)]:
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
    camera.data.shift_x, camera.data.shift_y = before.shift
    before.is_moved = False
    return True


def _flat(matrix: Matrix) -> list[float]:
    """A matrix as Blender's properties of 16 numbers take it: column by column."""
    return [value for column in matrix.col for value in column]


def _clear(camera: bpy.types.Object, data: bpy.types.Camera, first: float, last: float) -> None:
    for owner in (camera, data):
        for curve in fcurves_of(owner):
            if curve.data_path in {"location", "rotation_euler", "rotation_quaternion", *_LENS}:
                points = curve.keyframe_points
                for point in reversed(list(points)):
                    if first <= point.co.x <= last:
                        points.remove(point, fast=True)
                curve.update()
        remove_empty_fcurves(owner)


def location_unit(camera: bpy.types.Object, root: bpy.types.Object) -> float:
    """Length of a scene unit in the space of the camera's location."""
    return 1.0 if camera.parent == root else root.matrix_world.to_scale()[0]


def _framing(root: bpy.types.Object) -> Framing:
    """What the moves have to know of a photo."""
    width, height = root.cine3d.photo_size
    near, far, reach = root.cine3d.framing
    return Framing(width, height, root.cine3d.intrinsics[0], near, far, reach)


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
        min=-MAX_STRENGTH,
        max=MAX_STRENGTH,
    )

    def execute(self, context: bpy.types.Context):
        root, camera = photo_scene.active_root(context), context.scene.camera
        key_move(
            camera,
            self.move,
            first_frame=root.cine3d.first_frame,
            num_frames=root.cine3d.num_frames,
            strength=self.strength,
            framing=_framing(root),
            unit=location_unit(camera, root),
        )
        # from elsewhere the photo does not lie over the points: it would be seen as a ghost
        photo_pictures.show_background(root, camera, False)
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
        if take_back(camera):
            photo_pictures.show_background(root, camera, True)
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
