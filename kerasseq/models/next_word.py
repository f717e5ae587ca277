"""The next word, as a phone's keyboard suggests it.

Embedding -> GRU layers -> Dense -> the embedding in reverse: one matrix says what a
word means where it is read and where it is suggested (Press and Wolf 2017, "Using the
output embedding to improve language models").

Shapes: B texts, T words, V vocabulary, E embedding size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.layers.recurrent import GRU
from kerasseq.signatures.characters import build_stateful_model, state_shapes
from kerasseq.signatures.generation import States, named_states, read, states_in_order
from kerasseq.signatures.recurrent_step import InferenceStep
from kerasseq.text.keyboard import (
    SENTENCE_ENDS,
    TypedVocabulary,
    capitalized,
    part_signs_in_graph,
)
from kerasseq.text.words import UNKNOWN, WordTable, lower_case_in_graph

PLACES_AT_ONCE = 256


@dataclass(frozen=True)
class NextWordConfig:
    """Sizes of a next-word model.

    Attributes:
        vocabulary_size: V, how many words there are.
        units: H, state size of each GRU layer.
        num_layers: GRU layers, each but the first adding to what it reads.
        embedding_size: E, size of a word's vector; E times V are most of the weights,
            and of the time that training takes.
        dropout: fraction dropped in training of each layer's outputs, and half of it of
            the words' vectors: the same ones at all steps of a batch (Gal and
            Ghahramani 2016, section 4).
    """

    vocabulary_size: int
    units: int = 512
    num_layers: int = 1
    embedding_size: int = 128
    dropout: float = 0.4

    def __post_init__(self) -> None:
        for name in ("vocabulary_size", "units", "num_layers", "embedding_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not from 0 to below 1")


@keras.saving.register_keras_serializable(package="kerasseq")
class TiedEmbedding(keras.layers.ReversibleEmbedding):
    """`keras.layers.ReversibleEmbedding` with a bias for each word in reverse."""

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.bias = self.add_weight(
            shape=(self.input_dim,), initializer="zeros", name="bias"
        )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        outputs = super().call(inputs, reverse=reverse)
        return outputs + self.bias if reverse else outputs

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """Which variables a file holds: Keras's embeddings have a list of their own."""
        spec = super().variable_serialization_spec
        return {mode: [*names, "bias"] for mode, names in spec.items()}


def build_next_word_model(
    config: NextWordConfig, counts: np.ndarray | None = None
) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Args:
        config: the sizes.
        counts: int (V,), how often each word is in the text to train on: the model then
            begins by knowing the frequencies, which else take it a reading to learn.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V): those of
        the word after each position.
    """
    inputs = keras.Input((None,), dtype="int32", name="words")
    embedding = TiedEmbedding(
        config.vocabulary_size,
        config.embedding_size,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.1),
        reverse_dtype="float32",
        name="embedding",
    )
    x = _dropout(config.dropout / 2, "words_dropped")(embedding(inputs))
    for index in range(config.num_layers):
        before = x
        x = GRU(config.units, return_sequences=True, name=f"gru_{index}")(x)
        x = _dropout(config.dropout, f"dropout_{index}")(x)
        if index:
            x = keras.layers.Add(name=f"add_{index}")([before, x])
    x = keras.layers.Dense(config.embedding_size, name="projection")(x)
    model = keras.Model(inputs, embedding(x, reverse=True), name="next_word")
    if counts is not None:
        likely = np.maximum(counts, 0.5)
        embedding.bias.assign(np.log(likely / likely.sum()))
    return model


def _dropout(rate: float, name: str) -> keras.Layer:
    return keras.layers.Dropout(rate, noise_shape=(None, 1, None), name=name)


def next_word_batches(streams: tf.data.Dataset) -> tf.data.Dataset:
    """Streams of ids with a weight for each target: 0 where it is the unknown word.

    It is never suggested, so nothing is to be learned of when it comes.

    Args:
        streams: from `next_character_streams`, on ids of words.

    Returns:
        Batches of inputs int32 (B, T), targets int32 (B, T), weights float32 (B, T).
    """
    return streams.map(lambda x, y: (x, y, tf.cast(y != UNKNOWN, tf.float32)))


def word_scores(model: keras.Model, ids: np.ndarray) -> Iterator[np.ndarray]:
    """The logits after each place of one text, the state carried through all of it.

    Args:
        model: from `build_next_word_model`.
        ids: int (N,).

    Yields:
        float32 (n, V), some places at a time, in their order.
    """
    reader = build_stateful_model(model, batch_size=1, length=PLACES_AT_ONCE)
    for start in range(0, len(ids), PLACES_AT_ONCE):
        part = np.asarray(ids[start : start + PLACES_AT_ONCE], np.int32)
        # What fills the last part comes after the text and changes nothing in it.
        padded = np.pad(part, (0, PLACES_AT_ONCE - len(part)))
        yield reader.predict_on_batch(padded[None])[0][: len(part)]


class NextWordModule(tf.Module):
    """A next-word model's signature on numbers alone: what a `.tflite` holds.

    It has a copy of the weights, laid out for one word at a time: further training
    changes nothing.

    Args:
        model: from `build_next_word_model`.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.vocabulary_size = model.output_shape[-1]
        self.state_shapes = state_shapes(model)
        self.read_word = InferenceStep(model)

    def device_signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """`step`, by that name."""
        states = {
            f"state_{index}": tf.TensorSpec(shape, tf.float32)
            for index, shape in enumerate(self.state_shapes)
        }
        token = tf.TensorSpec((1,), tf.int32)
        return {"step": self.step.get_concrete_function(token=token, **states)}

    @tf.function
    def step(self, token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits after one more word, and the states to hand to the next call."""
        logits, new_states = self.read_word(token, states_in_order(states))
        return {"logits": logits, **named_states(new_states)}


class SuggestingModule(tf.Module):
    """A next-word model's signature on texts: what a SavedModel holds.

    Args:
        next_word: the model.
        vocabulary: its words.

    Raises:
        ValueError: the vocabulary does not fit the weights.
    """

    def __init__(self, next_word: NextWordModule, vocabulary: TypedVocabulary) -> None:
        super().__init__()
        vocabulary.require_size(next_word.vocabulary_size)
        self._next_word = next_word
        self._table = WordTable(vocabulary.lower_cased)
        self._start, self._first = vocabulary.start, vocabulary.first
        words = vocabulary.words[self._first :]
        self._lower_cased = tf.constant(vocabulary.lower_cased.words[self._first :])
        # As they are, with one capital, in capitals.
        self._forms = tf.constant(
            [words, [*map(capitalized, words)], [word.upper() for word in words]]
        )

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.string, "text"),
            tf.TensorSpec((), tf.int32, "k"),
        ]
    )
    def suggest(self, text: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The likeliest words at the end of each text.

        Args:
            text: string (B,), UTF-8.
            k: int32 (), how many words.

        Returns:
            words string (B, k), likeliest first, and probabilities float32 (B, k);
            where there are fewer words, "" and 0.
        """
        specs = tf.TensorSpec((None,), tf.string), tf.TensorSpec((None,), tf.float32)
        # With a letter behind it, a text ends in an unfinished word in any case.
        # One text is added, since of a loop that never ran the shape is not known.
        texts = tf.concat([part_signs_in_graph(text) + "x", ["x"]], 0)
        words, probabilities = tf.map_fn(
            lambda each: self._suggest(each, k), texts, fn_output_signature=specs
        )
        return {"words": words[:-1], "probabilities": probabilities[:-1]}

    def _suggest(self, text: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Words and probabilities for one text, which has a letter behind it."""
        words = tf.strings.split(text)
        ids = tf.concat([[self._start], self._table(text[None])[0, :-1]], 0)
        zeros: States = [tf.zeros(shape) for shape in self._next_word.state_shapes]
        states = read(self._next_word.read_word, ids, tf.size(ids) - 1, zeros)
        logits, _ = self._next_word.read_word(ids[-1:], states)

        unfinished = tf.strings.substr(words[-1], 0, tf.strings.length(words[-1]) - 1)
        characters, lowered = lower_case_in_graph(unfinished[None])
        beginning = tf.strings.reduce_join(lowered.flat_values)
        heads = tf.strings.substr(self._lower_cased, 0, tf.strings.length(beginning))
        scores = tf.where(heads == beginning, logits[0, self._first :], -np.inf)
        best, places = tf.math.top_k(scores, tf.minimum(k, tf.size(scores)))

        # `Caret.writes` as TensorFlow operations.
        before = tf.concat([SENTENCE_ENDS[:1], words[:-1]], 0)[-1]
        starts = tf.reduce_any(before == tf.constant(SENTENCE_ENDS))
        changed = characters.flat_values != lowered.flat_values
        capitals = (tf.size(changed) > 1) & tf.reduce_all(changed)
        capital = tf.concat([changed, [starts]], 0)[0]
        form = tf.where(capitals, 2, tf.cast(capital, tf.int32))

        fits = best > -np.inf
        found = tf.where(fits, tf.gather(self._forms[form], places), "")
        # Where nothing fits, this is not a number, and nowhere used.
        probabilities = tf.exp(best - tf.reduce_logsumexp(scores))
        missing = [[0, k - tf.size(best)]]
        return (
            tf.pad(found, missing, constant_values=""),
            tf.pad(tf.where(fits, probabilities, 0.0), missing),
        )


def suggest(module: Any, text: str, k: int = 3) -> list[tuple[str, float]]:
    """The likeliest words at the end of a text.

    After a space, a sign or nothing it is the next word; otherwise one that begins as
    the text ends, which may be that beginning itself. Where the model knows no such
    word, there are none.

    Args:
        module: a `SuggestingModule`, or an exported SavedModel as `tf.saved_model.load`
            gives it.
        text: any text; the model reads all of it.
        k: how many words at most.

    Returns:
        The words, likeliest first, each with its probability given the text, its
        unfinished word, and that the word is a known one.

    Raises:
        ValueError: k is negative.
    """
    if not 0 <= k < 2**31:
        raise ValueError(f"k={k} is not a count of words from 0 up; try 3")
    found = module.suggest(
        text=tf.constant([text.encode("utf-8", "replace")]), k=tf.constant(k)
    )
    words, probabilities = (
        found[name].numpy()[0] for name in ("words", "probabilities")
    )
    pairs = zip(words.tolist(), probabilities.tolist(), strict=True)
    return [(word.decode(), probability) for word, probability in pairs if word]
