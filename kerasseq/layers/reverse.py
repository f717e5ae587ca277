"""Sentences turned round."""

import keras
import tensorflow as tf

from kerasseq.layers.attention import Shape


@keras.saving.register_keras_serializable(package="kerasseq")
class ReverseTokens(keras.layers.Layer):
    """Turn each sentence round, and leave the padding on its right where it is.

    A layer that reads what was turned round reads the sentence backwards, and meets
    the padding last: it changes nothing before it.

    Call arguments:
        x: (B, T, C).
        token_mask: bool (B, T), False at padding, which is on the right.

    Returns:
        (B, T, C).
    """

    def call(self, x: tf.Tensor, token_mask: tf.Tensor) -> tf.Tensor:
        lengths = tf.reduce_sum(tf.cast(token_mask, tf.int32), axis=1)
        return tf.reverse_sequence(x, lengths, seq_axis=1)

    def compute_output_shape(self, x_shape: Shape, token_mask_shape: Shape) -> Shape:
        return x_shape
