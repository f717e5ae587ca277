"""How much lower is the loss of a model that goes on learning from what it has read?

    python -m benchmarks.adaptation RUN TEXT [--rates 0,1e-4] [--decays 1e-3]
        [--length 64] [--temperatures 1]

RUN is the folder of `kerasseq train TEXT --only char_rnn`. The model reads the last
tenth of the text, which it was not trained on, once and in order, with its state
carried along. Each segment is read first, which gives its loss, and learned then, so no
character has a part in its own loss (dynamic evaluation: Krause et al. 2018, sections 3
to 5). With rate 0 the loss is that of the run's report.

A step divides the gradient of a segment by its root mean square over segments of the
training text, and draws the weights back to the trained ones by the decay, more where
gradients are large. Logits are divided by each temperature before the loss is taken;
the model learns without.

The second loss of each mixes in what followed the longest part of the text read so far
that the last characters repeat, as a cache does (Grave et al. 2017, section 3) with
exact matches in place of similar states (Cleary and Witten 1984). It needs no
gradients, but counts, which a file for devices has not either.

Settings are chosen on a run that has not seen a tenth of the training text: train on
the text without its last tenth, and give that text here.
"""

import argparse
import itertools
import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.keras_models import load_model
from kerasseq.models.stateful import build_stateful_model
from kerasseq.text.characters import Vocabulary
from kerasseq.text.held_out import split_text
from kerasseq.text.reading import read_text
from kerasseq.training.model_state import carrying_layers

TRAINING_SEGMENTS = 300
EPSILON = 1e-8
# Sizes of the contexts that the cache looks for, the longest first, and its weight at
# the start: a share of so many characters.
CONTEXTS = range(12, 1, -1)
FIRST_WEIGHT = (0.5, 5.0)


class Adapting:
    """A model that reads a text once, and learns each segment once it was read.

    Args:
        model: from `build_char_rnn`.
        length: T, characters in a segment.
        temperatures: K numbers that the logits are divided by.
    """

    def __init__(
        self, model: keras.Model, length: int, temperatures: Sequence[float]
    ) -> None:
        self._length = length
        self._temperatures = tf.constant(temperatures, tf.float32)
        self._reader = build_stateful_model(model, batch_size=1, length=length)
        self._weights = self._reader.trainable_variables
        self._trained = [tf.constant(each) for each in self._weights]
        self._rms = self._pull = [tf.zeros_like(each) for each in self._trained]

    def measure_gradients(self, ids: np.ndarray) -> None:
        """Take the gradients' root mean squares from segments of a text, int (N,)."""
        squares, count = [tf.zeros_like(each) for each in self._trained], 0
        for segment, targets in self._segments(ids):
            _, gradients = self._read(segment, targets)
            squares = [s + g * g for s, g in zip(squares, gradients, strict=True)]
            count += 1
        self._rms = [tf.sqrt(each / count) for each in squares]
        sizes = [each.shape.num_elements() for each in self._rms]
        total = sum(float(tf.reduce_sum(each)) for each in self._rms)
        mean = total / sum(sizes)
        self._pull = [each / mean for each in self._rms]

    def losses(self, ids: np.ndarray, rate: float, decay: float) -> np.ndarray:
        """Loss of each character but the first, at each temperature, (K, N - 1).

        Args:
            ids: int (N,), a text.
            rate: of learning; 0 reads only.
            decay: of what was learned, for each segment.
        """
        for weight, trained in zip(self._weights, self._trained, strict=True):
            weight.assign(trained)
        for layer in carrying_layers(self._reader):
            layer.reset_state()
        found = []
        for segment, targets in self._segments(ids):
            losses, gradients = self._read(segment, targets)
            found.append(losses.numpy()[:, targets[0] >= 0])
            if rate:
                self._learn(gradients, tf.constant(rate), tf.constant(decay))
        return np.concatenate(found, 1)

    def _segments(self, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Characters and the ones that follow; -1 where the text has ended."""
        for start in range(0, len(ids) - 1, self._length):
            segment = ids[start : start + self._length + 1].astype(np.int32)
            missing = self._length + 1 - len(segment)
            yield (
                np.pad(segment[:-1], (0, missing))[None],
                np.pad(segment[1:], (0, missing), constant_values=-1)[None],
            )

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def _read(
        self, ids: tf.Tensor, targets: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Losses of a segment at each temperature, (K, T); gradients of the mean."""
        # Of what follows the end of the text, nothing is learned.
        known = tf.cast(targets >= 0, tf.float32)[0]
        targets = tf.maximum(targets, 0)
        with tf.GradientTape() as tape:
            logits = self._reader(ids, training=False)
            loss = tf.reduce_mean(known * _losses(targets, logits))
        losses = [
            _losses(targets, logits / temperature)
            for temperature in tf.unstack(self._temperatures)
        ]
        gradients = tape.gradient(loss, [each.value for each in self._weights])
        return tf.stack(losses), [tf.convert_to_tensor(each) for each in gradients]

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def _learn(
        self, gradients: Sequence[tf.Tensor], rate: tf.Tensor, decay: tf.Tensor
    ) -> None:
        """Take a step, and go back to the trained weights by the decay."""
        for weight, gradient, trained, rms, pull in zip(
            self._weights, gradients, self._trained, self._rms, self._pull, strict=True
        ):
            # To the trained weight at most, not past it.
            back = tf.minimum(decay * pull, 1.0) * (trained - weight)
            weight.assign_add(back - rate * gradient / (rms + EPSILON))


def _losses(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Losses of a segment, (T,), from targets (1, T) and logits (1, T, V)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)[0]


def losses_with_cache(ids: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Losses of a model whose distribution is mixed with a cache's, (N - 1,).

    The cache knows the characters read so far, and gives those that followed the
    longest context that has occurred in them. How much it counts is learned from what
    was read, for contexts of each length, number of different characters that followed
    them, and number of times.

    Args:
        ids: int (N,), a text of which the first character is given.
        losses: (N - 1,), of a model.
    """
    text = "".join(map(chr, ids))
    followed: dict[str, Counter[str]] = defaultdict(Counter)
    weights: dict[tuple[int, ...], tuple[float, float]] = defaultdict(
        lambda: FIRST_WEIGHT
    )
    mixed = []
    for index, loss in enumerate(losses, 1):
        character, probability = text[index], math.exp(-loss)
        contexts = [text[index - size : index] for size in CONTEXTS if size <= index]
        for context in contexts:
            if context in followed:
                counts = followed[context]
                cached = counts[character] / counts.total()
                kind = len(context), min(len(counts), 3), min(counts.total(), 4)
                share, total = weights[kind]
                weight = share / total
                both = (1 - weight) * probability + weight * cached
                weights[kind] = share + weight * cached / both, total + 1
                probability = both
                break
        for context in contexts:
            followed[context][character] += 1
        mixed.append(-math.log(probability))
    return np.array(mixed)


def numbers(text: str) -> list[float]:
    """Numbers between commas."""
    return [float(each) for each in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--rates", type=numbers, default=[0.0, 1e-4])
    parser.add_argument("--decays", type=numbers, default=[1e-3])
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--temperatures", type=numbers, default=[1.0])
    arguments = parser.parse_args()

    folder = arguments.run / "char_rnn"
    model = load_model(folder / "char_rnn.keras")
    ids = Vocabulary.load(folder / "vocabulary.json").encode(read_text(arguments.text))
    learned, held_out = split_text(ids)
    adapting = Adapting(model, arguments.length, arguments.temperatures)
    adapting.measure_gradients(learned[: TRAINING_SEGMENTS * arguments.length + 1])
    at = " | ".join(
        f"loss, T = {each:g} | with cache" for each in arguments.temperatures
    )
    print(f"| rate | decay | {at} | us a character |")
    print("| --- " * (3 + 2 * len(arguments.temperatures)) + "|")
    for rate, decay in itertools.product(arguments.rates, arguments.decays):
        start = time.perf_counter()
        losses = adapting.losses(held_out, rate, decay)
        took = (time.perf_counter() - start) / len(held_out) * 1e6
        row = " | ".join(
            f"{each.mean():.4f} | {losses_with_cache(held_out, each).mean():.4f}"
            for each in losses
        )
        print(f"| {rate:g} | {decay:g} | {row} | {took:.0f} |", flush=True)


if __name__ == "__main__":
    main()
