"""How models leave: one door each, run as `python -m export.NAME DIR`."""
