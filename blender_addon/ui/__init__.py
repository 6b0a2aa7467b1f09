"""Panels, menus, file dialogs and the command line of Blender."""
