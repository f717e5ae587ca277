"""Training a classifier: naive Bayes is counted, the rest is learned beside it."""

from collections.abc import Sequence

import keras
import numpy as np

from kerasseq.data.labelled import labelled_batches
from kerasseq.models.classifier import ClassifierConfig, Sentence, build_classifier
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.naive_bayes import count_naive_bayes, score
from kerasseq.training.presets import (
    CLASSIFIER_BATCH_SIZE,
    classifier_batch_size,
    classifier_training,
)


def learn(
    sentences: Sequence[Sentence],
    class_ids: np.ndarray,
    config: ClassifierConfig,
    seed: int,
    held_out: tuple[Sequence[Sentence], np.ndarray] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> keras.Model:
    """Build a classifier and train it for a fixed number of passes.

    No choice depends on the held-out data, so that they measure the model fairly.

    Args:
        sentences: N.
        class_ids: int (N,).
        config: sizes of the classifier.
        seed: of weights, dropout and order.
        held_out: sentences and class ids to measure the loss on after each pass.
        callbacks: of `fit`, as is `verbose`.
    """
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(config)
    words = classifier.get_layer("naive_bayes")
    spelling = classifier.get_layer("spelling_bayes")
    scores = count_naive_bayes(words, spelling, sentences, class_ids)
    # The learner is given the scores, so that a sentence's own counts are not in them.
    given = keras.Input(scores.shape[1:], name="scores")
    logits = classifier.get_layer("weighted_sum")(
        [classifier.get_layer("logits").output, given]
    )
    learner = keras.Model([classifier.input[0], given], logits)
    batch_size = classifier_batch_size(len(sentences))
    sequences = [ids for ids, _ in sentences]
    batches = labelled_batches(sequences, class_ids, batch_size, seed, scores)
    tested = held_out and labelled_batches(
        [ids for ids, _ in held_out[0]],
        held_out[1],
        CLASSIFIER_BATCH_SIZE,
        scores=score(words, spelling, held_out[0]),
    )
    training = classifier_training(batch_size, len(batches), config.max_length)
    # Batches have many shapes, and XLA would compile a program for each.
    compile_for_training(learner, training, jit_compile=False)
    learner.fit(
        batches,
        epochs=training.epochs,
        validation_data=tested,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=verbose,
    )
    return classifier
