"""How good a model is, and the baseline beside it."""
