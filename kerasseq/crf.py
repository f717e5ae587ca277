"""A linear-chain conditional random field: scores of tag sequences, and the best one.

Lafferty et al. 2001, "Conditional Random Fields", section 3; on top of a network,
Lample et al. 2016, "Neural Architectures for Named Entity Recognition", section 2.2.
Shapes: B sentences, T tokens, K tags. Everywhere tag 0 is the one that stands before
a sentence.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.attention import Shape, Tensor

# Far below any score that is learned, and sums of it over a sentence stay finite.
FORBIDDEN = -1e4
PADDING_TAG = -1


def BEFORE(num_tags):
    return tf.constant([0.0] + [FORBIDDEN] * (num_tags - 1))


@keras.saving.register_keras_serializable(package="kerasseq")
class TransitionScores(keras.layers.Layer):
    """Add to each tag's score a learned one for the tag before it.

    Args:
        allowed: K rows of K booleans, True at [i][j] where tag j may follow tag i. The
            first row says which tags may begin a sentence.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, K), a score for each tag at each token.

    Returns:
        (B, T, K, K): at [b, t, i, j] the score of tag j at token t after tag i at the
        token before, `FORBIDDEN` lower where that may not be.

    Raises:
        ValueError: allowed is not square, or not of the inputs' last size.
    """

    def __init__(self, allowed: Sequence[Sequence[bool]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed = np.array(allowed, bool).tolist()
        if np.shape(self.allowed) != (len(self.allowed), len(self.allowed)):
            raise ValueError(
                f"allowed has the shape {np.shape(self.allowed)}; give a row for each "
                "tag, as long as there are tags"
            )

    def build(self, input_shape: Shape) -> None:
        num_tags = len(self.allowed)
        if input_shape[-1] != num_tags:
            raise ValueError(
                f"the input of {self.name} has {input_shape[-1]} scores a token, where "
                f"allowed has {num_tags} tags; give one for each"
            )
        self.transitions = self.add_weight(
            shape=(num_tags, num_tags), initializer="zeros", name="transitions"
        )

    def call(self, x: Tensor) -> Tensor:
        forbidden = np.where(self.allowed, 0.0, FORBIDDEN).astype("float32")
        return x[:, :, None, :] + (self.transitions + forbidden)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "allowed": self.allowed}


def sequence_score(scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
    """The score of one tag sequence a sentence.

    Args:
        scores: (B, T, K, K), as from `TransitionScores`.
        tags: int (B, T); what stands at padding does not matter.
        mask: bool (B, T), False at padding, which is on the right.

    Returns:
        (B,).
    """
    num_tags = scores.shape[-1]
    tags = keras.ops.where(mask, tags, 0)
    before = keras.ops.pad(tags[:, :-1], ((0, 0), (1, 0)))
    pairs = keras.ops.one_hot(before * num_tags + tags, num_tags**2, dtype=scores.dtype)
    flat = keras.ops.reshape(scores, (*keras.ops.shape(tags), num_tags**2))
    chosen = keras.ops.sum(flat * pairs, axis=-1)
    return keras.ops.sum(keras.ops.where(mask, chosen, 0.0), axis=-1)


def log_partition(scores: Tensor, mask: Tensor) -> Tensor:
    """The logarithm of the sum of exp(score) over all tag sequences of a sentence.

    Args:
        scores: (B, T, K, K), as from `TransitionScores`.
        mask: bool (B, T), False at padding, which is on the right.

    Returns:
        (B,).
    """


    def step(total: tf.Tensor, here: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        here_scores, here_mask = here
        after = tf.reduce_logsumexp(total[:, :, None] + here_scores, axis=1)
        return tf.where(here_mask[:, None], after, total)

    by_step = tf.transpose(scores, (1, 0, 2, 3)), tf.transpose(mask)
    before = tf.broadcast_to(BEFORE(scores.shape[-1]), tf.shape(scores)[:3:2])
    totals = tf.scan(step, by_step, before)
    return tf.reduce_logsumexp(totals[-1], axis=-1)


@keras.saving.register_keras_serializable(package="kerasseq")
def sequence_loss(tags: Tensor, scores: Tensor) -> Tensor:
    """-log of the probability of the right tag sequence, in nats a sentence.

    Args:
        tags: int (B, T), `PADDING_TAG` at padding, which is on the right.
        scores: (B, T, K, K), as from `TransitionScores`.

    Returns:
        float32 (B,).
    """
    scores = keras.ops.cast(scores, "float32")
    tags = keras.ops.cast(tags, "int32")
    mask = tags != PADDING_TAG
    return log_partition(scores, mask) - sequence_score(scores, tags, mask)
