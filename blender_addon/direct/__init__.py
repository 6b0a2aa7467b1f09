"""What the artist draws to direct the motion, and how it is shown."""
