"""Synthetic truth: photo-textured scenes whose depth, flow and loop are exact by construction.

`python -m blender_addon.development.truth OUT --split test` writes them.
The format of what it writes is described in docs/truth.md.
"""
