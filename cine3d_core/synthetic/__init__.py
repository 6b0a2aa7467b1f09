"""Scenes and flows made of numbers, whose truth is known: for training and for measuring."""
