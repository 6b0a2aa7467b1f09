"""From a photo, its depth and a drawing to what moves, how, and where to."""
