"""Numbers as PNG, sentences as a page."""
