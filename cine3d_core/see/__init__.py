"""photo -> Seen: one look of the bundled network, its answers along the photo's edges."""
