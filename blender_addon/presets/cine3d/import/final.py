"""The settings of a new scene."""

import bpy

choices = bpy.context.scene.cine3d.chosen
choices.preset = "default"
choices.size = 1280
choices.frames = 60
choices.fps = 25.0
