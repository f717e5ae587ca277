"""Keras layers, and the functions inside them."""
