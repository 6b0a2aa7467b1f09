"""Small and quick, for finding the motion."""

import bpy

choices = bpy.context.scene.cine3d.chosen
choices.preset = "draft"
choices.size = 640
choices.frames = 60
choices.fps = 25.0
