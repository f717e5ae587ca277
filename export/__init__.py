"""The export step: one recipe a shipped model, run as `python -m export.NAME`."""
