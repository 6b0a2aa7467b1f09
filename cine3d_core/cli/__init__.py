"""The `cine3d` command."""

from cine3d_core.cli.program import main

__all__ = ["main"]
