"""Photos, masks, depth and frames as picture files."""
