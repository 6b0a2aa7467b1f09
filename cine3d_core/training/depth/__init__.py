"""Training of the compact depth and sky network."""
