"""Frames as videos and as folders of pictures."""
