"""A long loop, in which slow motion still gets somewhere."""

import bpy

choices = bpy.context.scene.cine3d.chosen
choices.preset = "default"
choices.size = 1280
choices.frames = 180
choices.fps = 25.0
