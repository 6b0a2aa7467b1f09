"""Learned parts: plain modules and pure prediction functions, no files and no devices."""
