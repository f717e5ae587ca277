"""Scores of models, and baselines to compare them with."""
