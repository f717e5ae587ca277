"""The choice of a token as the loop makes it, without a loop."""

import tensorflow as tf

from kerasseq.signatures.sampling import Settings, filters, sampler


def choose_token(
    logits: tf.Tensor, uniform: tf.Tensor, settings: Settings
) -> tf.Tensor:
    """Choose one token; see `sampler`."""
    return tf.cond(
        filters(settings),
        lambda: sampler(settings, filtered=True)(logits, uniform),
        lambda: sampler(settings, filtered=False)(logits, uniform),
    )
