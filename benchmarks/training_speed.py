"""How fast does a character model train, with our recurrent loop and with Keras's?

    python benchmarks/training_speed.py [--cells gru,lstm] [--units 256,512]

Both models train through `fit` on the same batches with the same optimizer, compiled by
XLA. They take turns in one process, so that what else the machine does meets both; the
figures are medians of the turns. Nothing but the package is needed.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from kerasseq.char_rnn import (
    CELLS,
    CharRNNConfig,
    build_char_rnn,
    build_stateful_model,
)
from kerasseq.text import next_character_streams
from kerasseq.training import TrainingConfig, compile_for_training

BATCH, LENGTH, VOCABULARY, STEPS = 32, 64, 65, 20


def build_with_keras_loop(config: CharRNNConfig) -> keras.Model:
    """The same layers, stateful, on the loop that Keras has."""
    inputs = keras.Input(batch_shape=(BATCH, LENGTH), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, config.embedding_size)(inputs)
    x = CELLS[config.cell](config.units, return_sequences=True, stateful=True)(x)
    return keras.Model(inputs, keras.layers.Dense(VOCABULARY)(x))


def build_with_our_loop(config: CharRNNConfig) -> keras.Model:
    """What `train_all.py` trains."""
    return build_stateful_model(build_char_rnn(config), BATCH, LENGTH)


def trainer(model: keras.Model) -> Callable[[], float]:
    """A function that trains for a while and gives the characters a second."""
    compile_for_training(model, TrainingConfig(BATCH, LENGTH, STEPS, 100))
    count = BATCH * LENGTH * 50 + 1
    ids = np.random.default_rng(0).integers(0, VOCABULARY, count)
    batches = next_character_streams(ids, BATCH, LENGTH).repeat()

    def train(steps: int = STEPS) -> float:
        start = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
        return BATCH * LENGTH * steps / (time.perf_counter() - start)

    train(3)  # compiles
    return train


def main() -> None:
    """Print a row for each cell and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", default="gru,lstm,simple_rnn")
    parser.add_argument("--units", default="256,512")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; batch {BATCH}, length {LENGTH}; characters a second"
    )
    print("| cell | units | Keras's loop | ours | ours / Keras's |")
    print("| --- | --- | --- | --- | --- |")
    for cell in options.cells.split(","):
        for units in map(int, options.units.split(",")):
            config = CharRNNConfig(VOCABULARY, cell, units)
            theirs = trainer(build_with_keras_loop(config))
            ours = trainer(build_with_our_loop(config))
            turns = [(theirs(), ours()) for _ in range(options.turns)]
            one, other = (median(column) for column in zip(*turns, strict=True))
            ratio = median(b / a for a, b in turns)
            row = f"| {cell} | {units} | {one:,.0f} | {other:,.0f} | {ratio:.2f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
