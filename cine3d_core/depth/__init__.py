"""From a photo to its depth: where it comes from, how it is refined and smoothed."""
