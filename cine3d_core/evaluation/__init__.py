"""Scores of every stage on measured ground truth, beside trivial baselines."""
