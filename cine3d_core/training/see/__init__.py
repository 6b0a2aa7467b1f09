"""Training of the network that sees a photograph: depth, what flows, which way."""
