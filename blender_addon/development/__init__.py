"""Tools for work on Cine3D: builds the extension, and the true scenes. Never installed."""
