"""From a model and batches to weights, with checkpoints to resume from."""
