"""A linear-chain conditional random field: scores of tag sequences, and the best one.

Lafferty et al. 2001, "Conditional Random Fields", section 3; on top of a network,
Lample et al. 2016, "Neural Architectures for Named Entity Recognition", section 2.2.
Shapes: B sentences, T tokens, K tags. Before a sentence stands, as it were, tag 0.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.attention import Shape, Tensor

# Far below any score that is learned; sums of it over a sentence stay finite.
FORBIDDEN = -1e4
PADDING_TAG = -1


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
        token before, lower by `FORBIDDEN` where j may not follow i.

    Raises:
        ValueError: allowed is not square, or not of the inputs' last size.
    """

    def __init__(self, allowed: Sequence[Sequence[bool]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed = [[bool(may) for may in row] for row in allowed]
        num_tags = len(self.allowed)
        if not num_tags or any(len(row) != num_tags for row in self.allowed):
            raise ValueError(
                f"allowed has {num_tags} rows of {sorted(set(map(len, self.allowed)))} "
                "columns; give a row for each tag, as long as there are tags"
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


@keras.saving.register_keras_serializable(package="kerasseq")
class SequenceLoss(keras.losses.Loss):
    """-log of the probability of the right tag sequence, in nats a sentence.

    With a cost it is the softmax-margin loss of Gimpel and Smith 2010, "Softmax-Margin
    CRFs", section 3, and no probability any more: tag 0 has to lose by more where
    another tag is right. So fewer entities are missed and more are found where there
    is none, which the probabilities of a small file leave out of balance.

    Args:
        cost: of tag 0 where another is right, in nats, from 0 up.
        **kwargs: those of `keras.losses.Loss`.

    Call arguments:
        y_true: int (B, T), the right tags, `PADDING_TAG` at padding, which is on the
            right.
        y_pred: float32 (B, T, K, K), as from `TransitionScores`.
    """

    def __init__(self, cost: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not cost >= 0:
            raise ValueError(f"cost={cost} must be at least 0")
        self.cost = cost

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        mask = y_true != PADDING_TAG
        tags = tf.where(mask, tf.cast(y_true, tf.int32), 0)
        costs = tf.where(tags > 0, self.cost, 0.0)[:, :, None, None]
        costs *= tf.one_hot(0, y_pred.shape[-1])
        return log_partition(y_pred + costs, mask) - sequence_score(y_pred, tags, mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cost": self.cost}


def sequence_score(scores: tf.Tensor, tags: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The score of one tag sequence a sentence.

    Args:
        scores: float32 (B, T, K, K), as from `TransitionScores`.
        tags: int32 (B, T); what stands at padding does not matter.
        mask: bool (B, T), False at padding, which is on the right.

    Returns:
        float32 (B,).
    """
    num_tags = scores.shape[-1]
    before = tf.pad(tags[:, :-1], ((0, 0), (1, 0)))
    # Chosen by a product, since the gradient of a gather is slow in XLA.
    pairs = tf.one_hot(before, num_tags)[..., None] * tf.one_hot(tags, num_tags)[
        ..., None, :
    ]
    chosen = tf.reduce_sum(scores * pairs, axis=(2, 3))
    return tf.reduce_sum(tf.where(mask, chosen, 0.0), axis=1)


def log_partition(scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The logarithm of the sum of exp(score) over all tag sequences of a sentence.

    Args:
        scores: float32 (B, T, K, K), as from `TransitionScores`.
        mask: bool (B, T), False at padding, which is on the right.

    Returns:
        float32 (B,).
    """
    totals = _totals(scores, mask, tf.reduce_logsumexp)
    return tf.reduce_logsumexp(totals[-1], axis=-1)


def best_sequence(scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The tag sequence of the highest score: Viterbi 1967.

    Args:
        scores: float32 (B, T, K, K), as from `TransitionScores`.
        mask: bool (B, T), False at padding, which is on the right.

    Returns:
        int32 (B, T), 0 at padding. Of equal scores the lower tag is taken, the last
        token's first.
    """
    num_tags = scores.shape[-1]
    totals = _totals(scores, mask, tf.reduce_max)
    start = tf.broadcast_to(_start(num_tags), tf.shape(totals[:1]))
    before = tf.concat([start, totals[:-1]], axis=0)[..., None]
    pointers = tf.argmax(
        before + tf.transpose(scores, (1, 0, 2, 3)), axis=2, output_type=tf.int32
    )
    # Padding points to the tag that it has itself.
    stay = tf.range(num_tags)
    pointers = tf.where(tf.transpose(mask)[..., None], pointers, stay)

    def back(tag: tf.Tensor, pointer: tf.Tensor) -> tf.Tensor:
        return tf.gather(pointer, tag, batch_dims=1)

    last = tf.argmax(totals[-1], axis=-1, output_type=tf.int32)
    earlier = tf.scan(back, tf.reverse(pointers[1:], [0]), last)
    tags = tf.concat([tf.reverse(earlier, [0]), last[None]], axis=0)
    return tf.where(mask, tf.transpose(tags), 0)


def _start(num_tags: int) -> tf.Tensor:
    """Scores of the tags before a sentence: it is tag 0, float32 (K,)."""
    return tf.one_hot(0, num_tags, on_value=0.0, off_value=FORBIDDEN)


def _totals(scores: tf.Tensor, mask: tf.Tensor, sum_up: Any) -> tf.Tensor:
    """Sum up over the sequences that end at a token in a tag, float32 (T, B, K)."""

    def step(total: tf.Tensor, here: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        here_scores, here_mask = here
        after = sum_up(total[:, :, None] + here_scores, axis=1)
        return tf.where(here_mask[:, None], after, total)

    by_token = tf.transpose(scores, (1, 0, 2, 3)), tf.transpose(mask)
    start = _start(scores.shape[-1])[None] + tf.zeros_like(scores[:, 0, 0])
    return tf.scan(step, by_token, start)
