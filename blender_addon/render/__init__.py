"""The engine, the 3D view in Rendered shading, and the camera."""
