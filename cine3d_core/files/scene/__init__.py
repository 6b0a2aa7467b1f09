"""Scenes, cameras and points as files."""
