"""Training of the compact inpainting network."""
