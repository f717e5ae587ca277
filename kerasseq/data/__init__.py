"""From ids and labelled files to batches."""
