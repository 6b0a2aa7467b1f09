"""Training of the network that finds what flows."""
