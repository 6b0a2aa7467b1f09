"""Surfaces as a Blender scene: colour and exact geometry from any pose, at any frame.

Everything glows by itself (emission shading), so Cycles needs no bounces and has no noise. The
geometry comes out of the same renderer: materials are switched to emit depth, surface number or
velocity, with one ray through each pixel centre.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import bpy
import numpy as np
from mathutils import Matrix

from .surfaces import Surface, triangle_velocity

Output = Literal["colour", "geometry", "velocity"]
_SENSOR_MM = 36.0


@dataclass(frozen=True)
class Geometry:
    """What the ray through each pixel centre meets."""

    depth: np.ndarray  # [H, W] float32 z-depth
    surface: np.ndarray  # [H, W] int, index into the surfaces


class BlenderScene:
    """The current Blender file, emptied and filled with the surfaces."""

    def __init__(
        self,
        surfaces: list[Surface],
        *,
        focal_px: float,
        width: int,
        height: int,
        samples: int,
        threads: int,
    ) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._samples = samples
        self._scene = bpy.context.scene
        _set_up_render(self._scene, width, height, threads)
        camera = bpy.data.cameras.new("camera")
        camera.sensor_fit, camera.sensor_width = "HORIZONTAL", _SENSOR_MM
        camera.lens = focal_px * _SENSOR_MM / width
        camera.clip_start, camera.clip_end = 1e-3, 1e5
        self._camera = bpy.data.objects.new("camera", camera)
        self._scene.collection.objects.link(self._camera)
        self._scene.camera = self._camera
        velocities = [triangle_velocity(surface) for surface in surfaces]
        self._fastest = max(max(np.abs(v).max() for v in velocities), 1e-9)
        self._materials = []
        for index, (surface, velocity) in enumerate(zip(surfaces, velocities, strict=True)):
            emitted = 0.5 + 0.5 * velocity / self._fastest  # emission below 0 would be cut off
            self._materials.append(_add_surface(self._scene, index, surface, emitted))

    def save_picture(self, path: Path, world_to_camera: np.ndarray, frame: int) -> None:
        """Write the true frame as PNG, 8 bit sRGB."""
        settings = self._scene.render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
        self._render("colour", path, world_to_camera, frame)

    def geometry(self, world_to_camera: np.ndarray) -> Geometry:
        """Depth and surface at the pixel centres; the same at every frame."""
        values = self._values("geometry", world_to_camera)
        surface = np.rint(values[..., 1]).astype(np.int64) - 1
        assert surface.min() >= 0, "a ray met nothing: the scene is not closed"
        return Geometry(values[..., 0], surface)

    def velocity(self, world_to_camera: np.ndarray) -> np.ndarray:
        """World units per frame of what is seen at each pixel centre, [H, W, 3]."""
        return (self._values("velocity", world_to_camera) * 2 - 1) * self._fastest

    def _values(self, output: Output, world_to_camera: np.ndarray) -> np.ndarray:
        settings = self._scene.render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGB", "32"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "values.exr"
            self._render(output, path, world_to_camera, 0)
            image = bpy.data.images.load(str(path))
            width, height = image.size
            pixels = np.empty(width * height * 4, np.float32)
            image.pixels.foreach_get(pixels)
            bpy.data.images.remove(image)
        return pixels.reshape(height, width, 4)[::-1, :, :3].copy()

    def _render(self, output: Output, path: Path, pose: np.ndarray, frame: int) -> None:
        cycles = self._scene.cycles
        cycles.samples = self._samples if output == "colour" else 1
        cycles.filter_width = 1.5 if output == "colour" else 0.01  # pixel centres only
        for material in self._materials:
            material.switch(output, frame)
        axes = np.diag((1.0, -1.0, -1.0, 1.0))  # Blender's camera looks along its -z, y up
        self._camera.matrix_world = Matrix((np.linalg.inv(pose) @ axes).tolist())
        self._scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)


def _set_up_render(scene: bpy.types.Scene, width: int, height: int, threads: int) -> None:
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.use_persistent_data = True
    scene.render.dither_intensity = 0
    if threads:
        scene.render.threads_mode, scene.render.threads = "FIXED", threads
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = 24
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0
    cycles.pixel_filter_type = "BLACKMAN_HARRIS"
    cycles.seed = 0
    scene.view_settings.view_transform = "Standard"
    for stamp in ("date", "time", "render_time", "memory", "hostname", "filename", "frame"):
        setattr(scene.render, f"use_stamp_{stamp}", False)  # the same frame, the same bytes


class _Material:
    """The three outputs of one surface's material, and its scroll."""

    def __init__(self, index: int, surface: Surface) -> None:
        self._scroll = surface.scroll
        self.material = bpy.data.materials.new(f"surface {index}")
        if not self.material.node_tree:  # from 5.0 on there always is one
            self.material.use_nodes = True
        self.material.cycles.emission_sampling = "NONE"  # it lights nothing else
        self._tree = self.material.node_tree
        self._tree.nodes.clear()
        self._out = self._node("ShaderNodeOutputMaterial")
        image = self._texture(surface.texture)
        colour = self._node("ShaderNodeMix", data_type="RGBA")
        overlay = self._node("ShaderNodeAttribute", attribute_name="overlay")
        self._link(overlay.outputs["Alpha"], colour.inputs[0])
        self._link(image.outputs["Color"], colour.inputs[6])
        self._link(overlay.outputs["Color"], colour.inputs[7])
        numbers = self._node("ShaderNodeCombineXYZ")
        self._link(self._node("ShaderNodeCameraData").outputs["View Z Depth"], numbers.inputs[0])
        numbers.inputs[1].default_value = index + 1
        velocity = self._node("ShaderNodeAttribute", attribute_name="flow")
        self._emitted = {
            "colour": colour.outputs[2],
            "geometry": numbers.outputs[0],
            "velocity": velocity.outputs["Vector"],
        }
        self._emission = self._node("ShaderNodeEmission")
        self._soft, self._hard = self._opacities(surface, image)

    def switch(self, output: Output, frame: int) -> None:
        """Emit the named output, with the texture where it is at the frame."""
        u, v = self._scroll
        self._shift.inputs[1].default_value = (u * frame % 1.0, v * frame % 1.0, 0)
        self._link(self._emitted[output], self._emission.inputs["Color"])
        share = self._soft if output == "colour" else self._hard
        if share is None:
            self._link(self._emission.outputs[0], self._out.inputs["Surface"])
            return
        self._link(share, self._mix.inputs[0])
        self._link(self._mix.outputs[0], self._out.inputs["Surface"])

    def _texture(self, picture: np.ndarray):
        place = self._node("ShaderNodeUVMap", uv_map="uv")
        self._shift = self._node("ShaderNodeVectorMath", operation="SUBTRACT")
        texture = self._node("ShaderNodeTexImage", interpolation="Linear", extension="REPEAT")
        height, width = picture.shape[:2]
        image = bpy.data.images.new("texture", width, height, alpha=True)
        image.alpha_mode = "CHANNEL_PACKED"
        image.pixels.foreach_set(picture.astype(np.float32).ravel())
        image.pack()
        texture.image = image
        self._link(place.outputs[0], self._shift.inputs[0])
        self._link(self._shift.outputs[0], texture.inputs[0])
        return texture

    def _opacities(self, surface: Surface, image: bpy.types.ShaderNode):
        """Sockets of the alpha that is seen and of the yes or no that geometry needs."""
        if surface.opacity.min() >= 1 and surface.texture[..., 3].min() >= 1:
            return None, None
        self._mix = self._node("ShaderNodeMixShader")
        self._link(self._node("ShaderNodeBsdfTransparent").outputs[0], self._mix.inputs[1])
        self._link(self._emission.outputs[0], self._mix.inputs[2])
        opacity = self._node("ShaderNodeAttribute", attribute_name="opacity")
        soft = self._node("ShaderNodeMath", operation="MULTIPLY")
        self._link(opacity.outputs["Fac"], soft.inputs[0])
        self._link(image.outputs["Alpha"], soft.inputs[1])
        hard = self._node("ShaderNodeMath", operation="GREATER_THAN")
        hard.inputs[1].default_value = 0.5
        # A travelling texture must not move the outline: geometry is the same at every frame.
        outline = opacity.outputs["Fac"] if surface.moving else soft.outputs[0]
        self._link(outline, hard.inputs[0])
        return soft.outputs[0], hard.outputs[0]

    def _node(self, kind: str, **settings):
        node = self._tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        return node

    def _link(self, output: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> None:
        self._tree.links.new(output, target)


def _add_surface(
    scene: bpy.types.Scene, index: int, surface: Surface, velocity: np.ndarray
) -> _Material:
    mesh = bpy.data.meshes.new(f"surface {index}")
    mesh.vertices.add(len(surface.vertices))
    mesh.vertices.foreach_set("co", surface.vertices.astype(np.float32).ravel())
    count = len(surface.triangles)
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", surface.triangles.astype(np.int32).ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.update()
    corners = surface.uv[surface.triangles].astype(np.float32)
    mesh.uv_layers.new(name="uv").data.foreach_set("uv", corners.ravel())
    _attribute(mesh, "overlay", "FLOAT_COLOR", "POINT", "color", surface.overlay)
    _attribute(mesh, "opacity", "FLOAT", "POINT", "value", surface.opacity)
    _attribute(mesh, "flow", "FLOAT_VECTOR", "FACE", "vector", velocity)
    material = _Material(index, surface)
    mesh.materials.append(material.material)
    scene.collection.objects.link(bpy.data.objects.new(f"surface {index}", mesh))
    return material


def _attribute(
    mesh: bpy.types.Mesh, name: str, kind: str, domain: str, field: str, values: np.ndarray
) -> None:
    attribute = mesh.attributes.new(name, kind, domain)
    attribute.data.foreach_set(field, values.astype(np.float32).ravel())
