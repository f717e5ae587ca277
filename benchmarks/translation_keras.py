"""What a user would train instead of our translator: Keras's example.

It is the model of "English-to-Spanish translation with a sequence-to-sequence
Transformer" (keras.io, of November 2024) with its settings, built here from Keras's
layers: one block that reads and one that writes, post-norm, 256 wide, with 8 heads of
256 and 2,048 units, 15,000 words of each language, 20 words a sentence, dropout 0.5,
batches of 64 and RMSprop. It translates greedily.

One thing differs, and the example recommends it: words keep their case, and punctuation
marks are words. The example has lower case and no marks. Words that it does not know
are left out of its translations.
"""

import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.pairs import Pair

WORDS, LENGTH, SIZE, UNITS, HEADS, BATCH = 15_000, 20, 256, 2_048, 8, 64
UNKNOWN, START, END = "[UNK]", "[start]", "[end]"


class Trained(NamedTuple):
    """A model that was trained, and its translations of the same sources.

    Attributes:
        parameters: of the model.
        seconds: of training.
        core_seconds: processor time of it, on all cores together; None if not known.
        translations: by the name of the search.
        search_seconds: that each of these took for all sources together.
    """

    parameters: int
    seconds: float
    core_seconds: float | None
    translations: dict[str, list[str]]
    search_seconds: dict[str, float]


class StopAfter(keras.callbacks.Callback):
    """Ends a training after some seconds, and counts those of all cores together."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.core_seconds, self._most = 0.0, 0.0, seconds

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._start, self._cores = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if time.perf_counter() - self._start >= self._most:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        self.seconds = time.perf_counter() - self._start
        self.core_seconds = time.process_time() - self._cores


def train_keras_example(
    pairs: Sequence[Pair], sources: Sequence[str], seconds: float
) -> Trained:
    """Train the example's model for some seconds and translate with it."""
    keras.utils.set_random_seed(0)
    inputs = [separate(pair.source) for pair in pairs]
    outputs = [f"{START} {separate(pair.target)} {END}" for pair in pairs]
    reading, writing = learn_words(inputs, LENGTH), learn_words(outputs, LENGTH + 1)
    ids, targets = reading(inputs), writing(outputs)
    data = tf.data.Dataset.from_tensor_slices(((ids, targets[:, :-1]), targets[:, 1:]))
    batches = data.shuffle(len(pairs)).batch(BATCH).prefetch(2)
    model, stop = build_example(), StopAfter(seconds)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile("rmsprop", loss)
    model.fit(batches, epochs=10_000, verbose=2, callbacks=[stop])

    source_ids = reading([separate(source) for source in sources]).numpy()
    start = time.perf_counter()
    rows = translate_greedily(model, source_ids, writing.get_vocabulary())
    return Trained(
        model.count_params(),
        stop.seconds,
        stop.core_seconds,
        {"greedy": [join(row) for row in rows]},
        {"greedy": time.perf_counter() - start},
    )


def separate(text: str) -> str:
    """A text with spaces around its punctuation marks, except within a word."""
    return " ".join(re.findall(r"\w+(?:[-'\u2019]\w+)*|[^\w\s]", text))


def join(words: Sequence[str]) -> str:
    """A text of words and punctuation marks."""
    return re.sub(r" ([.,;:!?)])", r"\1", " ".join(words)).replace("( ", "(")


def learn_words(texts: Sequence[str], length: int) -> keras.layers.TextVectorization:
    """The layer that turns texts into ids, padded or cut to a length."""
    layer = keras.layers.TextVectorization(
        WORDS, standardize=None, output_sequence_length=length
    )
    layer.adapt(texts)
    return layer


def build_example() -> keras.Model:
    """The example's model, from the ids of both sides to logits."""
    source, target = (keras.Input((LENGTH,), dtype="int32") for _ in range(2))
    known = keras.ops.not_equal(source, 0)[:, None, :]
    memory = embed(source)
    memory = feed_forward(attend(memory, memory, attention_mask=known))
    x = embed(target)
    x = attend(x, x, use_causal_mask=True)
    x = feed_forward(attend(x, memory, attention_mask=known))
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model([source, target], keras.layers.Dense(WORDS)(x))


def embed(ids: keras.KerasTensor) -> keras.KerasTensor:
    """Vectors of words and of their positions."""
    positions = keras.ops.cumsum(keras.ops.ones_like(ids), axis=1) - 1
    vectors = keras.layers.Embedding(WORDS, SIZE)(ids)
    return vectors + keras.layers.Embedding(LENGTH, SIZE)(positions)


def attend(
    queries: keras.KerasTensor, values: keras.KerasTensor, **masks: Any
) -> keras.KerasTensor:
    """Attention, with its residual connection and norm."""
    attention = keras.layers.MultiHeadAttention(HEADS, SIZE)
    return keras.layers.LayerNormalization()(
        queries + attention(queries, values, **masks)
    )


def feed_forward(x: keras.KerasTensor) -> keras.KerasTensor:
    """A feed-forward layer, with its residual connection and norm."""
    hidden = keras.layers.Dense(UNITS, "relu")(x)
    return keras.layers.LayerNormalization()(x + keras.layers.Dense(SIZE)(hidden))


def translate_greedily(
    model: keras.Model, source_ids: np.ndarray, words: Sequence[str]
) -> list[list[str]]:
    """The likeliest word after those before it, until the end; unknown words go."""
    found = []
    for first in range(0, len(source_ids), BATCH):
        batch = source_ids[first : first + BATCH]
        written = np.zeros((len(batch), LENGTH + 1), np.int32)
        written[:, 0] = words.index(START)
        for step in range(LENGTH):
            logits = model.predict_on_batch([batch, written[:, :-1]])
            written[:, step + 1] = logits[:, step].argmax(axis=-1)
        for row in written[:, 1:]:
            texts = [words[index] for index in row]
            if END in texts:
                texts = texts[: texts.index(END)]
            found.append([text for text in texts if text not in ("", UNKNOWN)])
    return found
