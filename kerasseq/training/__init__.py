"""From a model and batches to weights, resumably."""
