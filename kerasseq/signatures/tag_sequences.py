"""The best valid sequence of tags: Viterbi's algorithm.

Viterbi 1967; as a constraint on a network's scores of single tokens, Collobert et al.
2011, "Natural Language Processing (Almost) from Scratch", section 3.2.
Shapes: B sentences, T tokens, K tags. A sentence starts as if after tag 0.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasseq.text.tags import may_follow

# So low that no sum of a sentence's logits outweighs it.
FORBIDDEN = -1e9


def allowed_transitions(tags: Sequence[str]) -> np.ndarray:
    """Which tag may follow which.

    Args:
        tags: names of the K tags, "O" first.

    Returns:
        bool (K, K), True at [i, j] where tag j may follow tag i.

    Example:
        >>> allowed_transitions(["O", "B-x", "I-x"]).astype(int).tolist()
        [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    """
    return np.array([[may_follow(one, other) for other in tags] for one in tags])


def best_sequence(logits: tf.Tensor, mask: tf.Tensor, allowed: np.ndarray) -> tf.Tensor:
    """The allowed sequence of tags with the largest sum of logits.

    A token's logits are the log probabilities of its tags plus a constant, so this is
    also the most probable sequence.

    Args:
        logits: float32 (B, T, K), T at least 1.
        mask: bool (B, T), False at padding, which is on the right.
        allowed: bool (K, K), as from `allowed_transitions`.

    Returns:
        int32 (B, T), 0 at padding. Ties are decided from the last token back, for the
        lower tag.
    """
    num_tags = len(allowed)
    transitions = tf.constant(np.where(allowed, 0.0, FORBIDDEN), tf.float32)
    by_token, present = tf.transpose(logits, (1, 0, 2)), tf.transpose(mask)

    def forward(total: tf.Tensor, here: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        here_logits, here_present = here
        best = tf.reduce_max(total[:, :, None] + transitions, axis=1)
        return tf.where(here_present[:, None], best + here_logits, total)

    def backward(tag: tf.Tensor, pointer: tf.Tensor) -> tf.Tensor:
        return tf.gather(pointer, tag, batch_dims=1)

    start = tf.one_hot(tf.zeros_like(mask[:, 0], tf.int32), num_tags, 0.0, FORBIDDEN)
    totals = tf.scan(forward, (by_token, present), start)  # (T, B, K)
    # The tag before each tag at each token; padding points to its own.
    before = tf.concat([start[None], totals[:-1]], axis=0)[..., None]
    pointers = tf.argmax(before + transitions, axis=2, output_type=tf.int32)
    pointers = tf.where(present[..., None], pointers, tf.range(num_tags))
    last = tf.argmax(totals[-1], axis=-1, output_type=tf.int32)
    earlier = tf.scan(backward, tf.reverse(pointers, [0]), last)
    tags = tf.concat([tf.reverse(earlier, [0])[1:], last[None]], axis=0)
    return tf.where(mask, tf.transpose(tags), 0)
