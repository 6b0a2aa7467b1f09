"""The renderer against truth: rows of methods, scores, tables and sheets."""
