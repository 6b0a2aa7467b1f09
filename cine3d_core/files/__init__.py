"""The only modules of the core that touch the disk."""
