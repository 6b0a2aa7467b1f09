"""Training of the renderer: features and decoder."""
