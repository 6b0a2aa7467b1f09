"""Synthetic truth: photo-textured scenes whose depth, flow and loop are exact by construction.

Development only, not part of the extension: `python -m blender_addon.truth OUT --split test`.
The format of what it writes is described in docs/truth.md.
"""
