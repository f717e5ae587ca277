"""Integers held in their range, so that no input lets a file read outside a table."""

import tensorflow as tf


def held(values: tf.Tensor, least: int, most: int) -> tf.Tensor:
    """The values, int32 (...), with those out of range at the nearest end of it."""
    return tf.minimum(tf.maximum(values, least), most)
