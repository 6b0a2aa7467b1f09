"""The process that works for Blender, and what is said between the two."""
