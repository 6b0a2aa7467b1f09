"""What is drawn over the photo for who looks through its camera, in every kind of shading.

Arrows, the painted part of the mask, and a border when the view shows what the photo does not know.
In the Image Editor a mask is shown as the photo with the painted part tinted: black takes paint
away again, and what is under it stays in sight.
"""

from __future__ import annotations

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

from ..render import coverage, viewport
from ..scene import cameras, photo_scene
from . import motion_drawing

_ARROW = (1.0, 0.75, 0.1, 1.0)
_WARNING = (1.0, 0.15, 0.1, 0.9)
_TINT = (0.1, 0.9, 1.0)
_TINT_SHARE = 0.45
_LINE_PX = 3.0
_HEAD_PX = 14.0

_VERTEX = """
void main() { uv = where; gl_Position = ModelViewProjectionMatrix * vec4(place, 0.0, 1.0); }
"""
_FRAGMENT = """
void main() {
  vec3 painted = texture(mask, uv).rgb;
  float share = max(painted.r, max(painted.g, painted.b)) >= 0.5 ? tint.a : 0.0;
  vec3 under = texture(photo, uv).rgb;
  vec3 shown = mix(under * 12.92, 1.055 * pow(max(under, vec3(1e-6)), vec3(1.0 / 2.4)) - 0.055,
                   vec3(greaterThan(under, vec3(0.0031308))));
  vec4 color = whole > 0.5 ? vec4(mix(shown, tint.rgb, share), 1.0) : vec4(tint.rgb, share);
  vec3 linear = mix(color.rgb / 12.92, pow((color.rgb + 0.055) / 1.055, vec3(2.4)),
                    vec3(greaterThan(color.rgb, vec3(0.04045))));
  out_color = srgbTarget ? vec4(linear, color.a) : color;
}
"""
_handles: list[tuple[type, object]] = []
_shader = None


def _mask_shader():
    """The shader of masks, made when something is first drawn."""
    global _shader
    if _shader is None:
        import gpu

        between = gpu.types.GPUStageInterfaceInfo("cine3d_mask")
        between.smooth("VEC2", "uv")
        info = gpu.types.GPUShaderCreateInfo()
        info.push_constant("MAT4", "ModelViewProjectionMatrix")
        info.push_constant("VEC4", "tint")
        info.push_constant("FLOAT", "whole")
        # Blender sets it: whether what is drawn to turns linear into sRGB by itself
        info.push_constant("BOOL", "srgbTarget")
        info.sampler(0, "FLOAT_2D", "mask")
        info.sampler(1, "FLOAT_2D", "photo")
        info.vertex_in(0, "VEC2", "place")
        info.vertex_in(1, "VEC2", "where")
        info.vertex_out(between)
        info.fragment_out(0, "VEC4", "out_color")
        info.vertex_source(_VERTEX)
        info.fragment_source(_FRAGMENT)
        _shader = gpu.shader.create_from_info(info)
    return _shader


def _draw_mask(corners: list, mask: bpy.types.Image, photo: bpy.types.Image, whole: bool) -> None:
    """A mask in a rectangle of pixels: lower left, lower right, upper right, upper left."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = _mask_shader()
    content = {"place": corners, "where": [(0, 0), (1, 0), (1, 1), (0, 1)]}
    batch = batch_for_shader(shader, "TRIS", content, indices=[(0, 1, 2), (0, 2, 3)])
    gpu.state.blend_set("ALPHA")
    shader.bind()
    matrix = gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix()
    shader.uniform_float("ModelViewProjectionMatrix", matrix)
    shader.uniform_float("tint", (*_TINT, _TINT_SHARE))
    shader.uniform_float("whole", 1.0 if whole else 0.0)
    shader.uniform_sampler("mask", gpu.texture.from_image(mask))
    shader.uniform_sampler("photo", gpu.texture.from_image(photo))
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def _draw_lines(points: list, color: tuple, kind: str = "LINE_STRIP") -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, kind, {"pos": [(*point, 0.0) for point in points]})
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", _LINE_PX * bpy.context.preferences.system.ui_scale)
    shader.uniform_float("color", color)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def arrow_lines(track: list[Vector]) -> list[list[Vector]]:
    """Lines in pixels that draw an arrow along a track: its way and the two sides of its head."""
    way = track[-1] - track[-2]
    if way.length < 1e-6:
        return [track]
    back = -way.normalized() * _HEAD_PX
    aside = Vector((-back.y, back.x)) * 0.6
    return [track, [track[-1] + back + aside, track[-1], track[-1] + back - aside]]


def _draw_view() -> None:
    context = bpy.context
    space, view = context.space_data, context.region_data
    if view is None or view.view_perspective != "CAMERA" or not space.overlay.show_overlays:
        return
    camera = space.camera if space.use_local_camera else context.scene.camera
    root = photo_scene.root_of(camera)
    if root is None:
        return
    corners = cameras.camera_frame(context, camera)
    if corners is None:
        return
    if space.shading.type == "RENDERED" and _made_up(context):
        _draw_lines([*corners, corners[0]], _WARNING)
    if not root.cine3d.show_directions:
        return
    choices = root.cine3d.choices
    still = camera.matrix_basis.translation.length < 1e-4  # else the mask lies elsewhere
    if choices.mask is not None and root.cine3d.picture is not None and still:
        _draw_mask(corners, choices.mask, root.cine3d.picture, whole=False)
    for points, _ in motion_drawing.strokes(context.scene, root):
        track = [location_3d_to_region_2d(context.region, view, point) for point in points]
        if len(track) > 1 and None not in track:
            for line in arrow_lines(track):
                _draw_lines(line, _ARROW)


def _made_up(context: bpy.types.Context) -> bool:
    """Whether the camera's picture in the newest frame shows much that the photo does not know."""
    newest = next(reversed(viewport.store.uncovered.values()), 0.0)
    return newest > coverage.WARN_UNCOVERED


def photo_of_mask(scene: bpy.types.Scene, image: bpy.types.Image | None) -> bpy.types.Object | None:
    """The photo whose mask a picture is."""
    masks = ((root, root.cine3d.choices.mask) for root in photo_scene.roots(scene))
    return next((root for root, mask in masks if mask is not None and mask == image), None)


def _draw_image() -> None:
    context = bpy.context
    image = context.space_data.image
    root = photo_of_mask(context.scene, image)
    if root is None or root.cine3d.picture is None:
        return
    if not root.cine3d.show_directions:
        return
    to_region = context.region.view2d.view_to_region
    corners = [to_region(x, y, clip=False) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    _draw_mask(corners, image, root.cine3d.picture, whole=True)


CLASSES = ()


def register() -> None:
    """Draw over 3D views and image editors; background mode has none."""
    if bpy.app.background:
        return
    for space, draw in (
        (bpy.types.SpaceView3D, _draw_view),
        (bpy.types.SpaceImageEditor, _draw_image),
    ):
        _handles.append((space, space.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")))


def unregister() -> None:
    """Stop drawing."""
    while _handles:
        space, handle = _handles.pop()
        space.draw_handler_remove(handle, "WINDOW")
