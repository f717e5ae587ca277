"""Reversal of padded sentences."""

import keras
import tensorflow as tf

from kerasseq.layers.attention import Shape


@keras.saving.register_keras_serializable(package="kerasseq")
class ReverseTokens(keras.layers.Layer):
    """Reverse each sentence, and leave the padding on its right in place.

    A recurrent layer then reads the sentence backwards and the padding last, which
    therefore changes no output of a word.

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
