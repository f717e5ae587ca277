"""The stories of `train_all.py`, one a part: from a file to a model and its export."""
