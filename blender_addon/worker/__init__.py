"""The process that works for Blender: its Python, its jobs, what they say."""
