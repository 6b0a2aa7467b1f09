"""Handlers of Blender's events, added and taken away together."""

from __future__ import annotations

from collections.abc import Callable

import bpy

Handlers = tuple[tuple[str, Callable[..., None]], ...]  # the event's name in bpy.app.handlers, ours


def add(handlers: Handlers) -> None:
    """Watch the events."""
    for name, handler in handlers:
        getattr(bpy.app.handlers, name).append(handler)


def remove(handlers: Handlers) -> None:
    """Stop watching, the last first."""
    for name, handler in reversed(handlers):
        getattr(bpy.app.handlers, name).remove(handler)
