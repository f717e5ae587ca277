"""How much lower is the loss of a model that goes on learning from what it has read?

    python -m benchmarks.adaptation RUN TEXT [--rates 0,1e-4] [--decays 0]
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

A file for devices cannot adapt so: it has no gradients. Settings are chosen on a run
that has not seen a tenth of the training text: train on the text without its last
tenth, and give that text here.
"""

import argparse
import itertools
import os
import time
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
        self._squares = [tf.zeros_like(each) for each in self._trained]
        self._rms = self._squares
        self._pull = self._squares

    def measure_gradients(self, ids: np.ndarray) -> None:
        """Take the gradients' root mean squares from segments of a text, int (N,)."""
        squares, count = self._squares, 0
        for segment, targets in self._segments(ids):
            _, gradients = self._read(segment, targets)
            squares = [s + g * g for s, g in zip(squares, gradients, strict=True)]
            count += 1
        self._rms = [tf.sqrt(each / count) for each in squares]
        sizes = [each.shape.num_elements() for each in self._rms]
        total = sum(float(tf.reduce_sum(each)) for each in self._rms)
        # At most 1 / decay: a step may draw a weight to the trained one, not past it.
        mean = total / sum(sizes)
        self._pull = [each / mean for each in self._rms]

    def losses(self, ids: np.ndarray, rate: float, decay: float) -> np.ndarray:
        """Loss in nats a character at each temperature, float64 (K,).

        Args:
            ids: int (N,), a text.
            rate: of learning; 0 reads only.
            decay: of what was learned, for each segment.
        """
        for weight, trained in zip(self._weights, self._trained, strict=True):
            weight.assign(trained)
        for layer in carrying_layers(self._reader):
            layer.reset_state()
        sums = np.zeros(len(self._temperatures))
        count = 0
        for segment, targets in self._segments(ids):
            each, gradients = self._read(segment, targets)
            sums += each.numpy()
            count += int((targets >= 0).sum())
            if rate:
                self._learn(gradients, tf.constant(rate), tf.constant(decay))
        return sums / count

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
        """The sum of a segment's losses at each temperature; gradients of the mean."""
        known = tf.cast(targets >= 0, tf.float32)
        with tf.GradientTape() as tape:
            logits = self._reader(ids, training=False)
            loss = _sum_of_losses(targets, logits, known) / self._length
        sums = [
            _sum_of_losses(targets, logits / temperature, known)
            for temperature in tf.unstack(self._temperatures)
        ]
        gradients = tape.gradient(loss, [each.value for each in self._weights])
        return tf.stack(sums), [tf.convert_to_tensor(each) for each in gradients]

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def _learn(
        self, gradients: Sequence[tf.Tensor], rate: tf.Tensor, decay: tf.Tensor
    ) -> None:
        """Take a step, and go back to the trained weights by the decay."""
        for weight, gradient, trained, rms, pull in zip(
            self._weights, gradients, self._trained, self._rms, self._pull, strict=True
        ):
            back = tf.minimum(decay * pull, 1.0) * (trained - weight)
            weight.assign_add(back - rate * gradient / (rms + EPSILON))


def _sum_of_losses(
    targets: tf.Tensor, logits: tf.Tensor, known: tf.Tensor
) -> tf.Tensor:
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.maximum(targets, 0), logits
    )
    return tf.reduce_sum(losses * known)


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
    parser.add_argument("--decays", type=numbers, default=[0.0])
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--temperatures", type=numbers, default=[1.0])
    arguments = parser.parse_args()

    folder = arguments.run / "char_rnn"
    model = load_model(folder / "char_rnn.keras")
    ids = Vocabulary.load(folder / "vocabulary.json").encode(read_text(arguments.text))
    learned, held_out = split_text(ids)
    adapting = Adapting(model, arguments.length, arguments.temperatures)
    adapting.measure_gradients(learned[: TRAINING_SEGMENTS * arguments.length + 1])
    at = " | ".join(f"loss, T = {each:g}" for each in arguments.temperatures)
    print(f"| rate | decay | {at} | us a character |")
    print("| --- " * (3 + len(arguments.temperatures)) + "|")
    for rate, decay in itertools.product(arguments.rates, arguments.decays):
        start = time.perf_counter()
        losses = adapting.losses(held_out, rate, decay)
        took = (time.perf_counter() - start) / len(held_out) * 1e6
        row = " | ".join(f"{loss:.4f}" for loss in losses)
        print(f"| {rate:g} | {decay:g} | {row} | {took:.0f} |", flush=True)


if __name__ == "__main__":
    main()
