"""A small character model, and how it is trained and measured."""

import keras
import numpy as np

from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig

TEXT = np.random.default_rng(5).integers(0, 7, 3001)


def learner_of(model: keras.Model, config: TrainingConfig) -> keras.Model:
    learner = build_stateful_model(model, config.batch_size, config.length)
    compile_for_training(learner, config)
    return learner


def small_model(**others) -> keras.Model:
    keras.utils.set_random_seed(3)
    return build_char_rnn(CharRNNConfig(7, units=11, embedding_size=5, **others))


def validator_of(model: keras.Model, batch: int, length: int) -> keras.Model:
    twin = build_stateful_model(model, batch, length)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile(loss=loss, jit_compile=True)
    return twin
