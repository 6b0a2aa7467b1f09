"""From a scene, a camera and a frame's index to the rendered frame."""
