"""Frames and points leave: clips, viewport points, pictures of motion."""
