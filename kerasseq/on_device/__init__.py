"""Programs of numpy and LiteRT alone, to be copied."""
