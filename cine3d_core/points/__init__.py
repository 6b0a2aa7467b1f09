"""From layers and motion to the points of a scene."""
