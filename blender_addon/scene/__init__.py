"""The photo in a .blend: its objects, properties, files, and how they are found again."""
