"""What a graphics card does with the renderer: right, the same each time, and how fast."""
