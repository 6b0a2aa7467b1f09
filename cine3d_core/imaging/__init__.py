"""Pictures and masks as numbers: pyramids, filters, outlines; nothing of the method."""
