"""For a clip of 1920 pixels."""

import bpy

choices = bpy.context.scene.cine3d.chosen
choices.preset = "default"
choices.size = 1920
choices.frames = 60
choices.fps = 25.0
