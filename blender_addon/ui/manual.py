"""F1 and *Online Manual* over our buttons open our pages, which lie in the extension itself."""

from __future__ import annotations

from pathlib import Path

import bpy

_PAGES = (
    ("bpy.ops.cine3d.copy_render_command", "blender-rendering.md"),
    ("bpy.ops.cine3d.export*", "blender-rendering.md"),
    ("bpy.ops.cine3d.relink", "blender-rendering.md"),
    ("bpy.ops.cine3d.set_up", "blender-troubleshooting.md"),
    ("bpy.ops.cine3d.check", "blender-troubleshooting.md"),
    ("bpy.ops.cine3d*", "blender-quickstart.md"),
    ("bpy.types.cine3d*", "blender-quickstart.md"),
)
CLASSES = ()


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """Prefix of all addresses, and the page of each button."""
    here = Path(__file__).parents[1]
    folder = next(f for f in (here / "docs", here.parent / "docs") if f.is_dir())
    return folder.as_uri() + "/", _PAGES


def register() -> None:
    """Tell Blender of the pages."""
    bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    """Take the pages back."""
    bpy.utils.unregister_manual_map(manual_map)
