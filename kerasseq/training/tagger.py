"""The training of a tagger: two models with a loss each, whose mean tags.

Shapes: B sentences, T tokens, K tags.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasseq.models.tagger import PARTS
from kerasseq.training.callbacks import verbosity
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig

# Both models are surest of "no entity" in the texts that they know. By how much a
# tagger's logit of it is lowered after training, in nats, for new names.
LOWERED = 1.0


def fit_parts(
    model: keras.Model,
    batches: tf.data.Dataset,
    config: TrainingConfig,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train the two models inside a tagger, and lower its logit of "no entity".

    Each learns all tags alone, so that their errors differ, and their mean is better
    than both (Breiman 1996, "Bagging Predictors", section 4.1). One loss of the mean,
    or of the sum, would let each rely on the other.

    Args:
        model: from `build_tagger`.
        batches: as from `tagged_batches`, without an end.
        config: the length of the training and the rate.
        callbacks: of `fit`.
    """
    parts = [model.get_layer(name).output for name in PARTS]
    # One after the other, so that there is one loss: the mean of both.
    learner = keras.Model(model.inputs, keras.layers.Concatenate(axis=1)(parts))
    compile_for_training(learner, config)
    learner.fit(
        batches.map(_for_both),
        epochs=config.epochs,
        steps_per_epoch=config.steps_per_epoch,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=verbosity(),
    )
    bias = model.get_layer("logits").bias
    lowered = tf.one_hot(0, bias.shape[0], len(PARTS) * LOWERED, 0.0)
    bias.assign(bias - tf.cast(lowered, bias.dtype))


def _for_both(inputs: tuple, tags: tf.Tensor, weights: tf.Tensor) -> tuple:
    return inputs, tf.tile(tags, (1, len(PARTS))), tf.tile(weights, (1, len(PARTS)))
