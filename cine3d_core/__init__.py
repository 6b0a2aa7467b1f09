"""Cine3D: one still photo becomes a moving, camera-navigable 3D scene."""

__version__ = "0.1.0"
