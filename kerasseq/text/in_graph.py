"""The functions on words as TensorFlow operations."""

import functools

import numpy as np
import tensorflow as tf

from kerasseq.text.keyboard import _MARK, APOSTROPHE
from kerasseq.text.words import PAD, UNKNOWN, WordVocabulary


def split_words_in_graph(sentences: tf.Tensor) -> tf.RaggedTensor:
    """`split_words` as TensorFlow operations: string (B,) to string (B, ragged T).

    The words are the same for every Unicode text. Each byte that is not UTF-8 becomes
    U+FFFD, as in `bytes.decode(errors="replace")`.
    """
    _, lowered = lower_case_in_graph(sentences)
    return tf.strings.split(tf.strings.reduce_join(lowered, axis=-1))


def lower_case_in_graph(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """`lower_case` as TensorFlow operations, character by character.

    Args:
        texts: string (B,).

    Returns:
        The characters as they are and lower-cased, each string (B, ragged).
    """
    # tf.strings.lower has another Unicode version than Python and ends a text at NUL.
    upper, lower = _lower_cases()
    points = tf.strings.unicode_decode(texts, "UTF-8")
    characters = tf.strings.unicode_split(texts, "UTF-8")
    index = tf.searchsorted(upper, points.flat_values)
    index = tf.minimum(index, len(upper) - 1)
    lowered = tf.where(
        tf.gather(upper, index) == points.flat_values,
        tf.gather(lower, index),
        characters.flat_values,
    )
    return characters, characters.with_flat_values(lowered)


@functools.cache
def _lower_cases() -> tuple[np.ndarray, np.ndarray]:
    """The code points that lower-casing changes, int32 ascending, and their UTF-8."""
    changed = [c for c in map(chr, range(0x110000)) if c != c.lower()]
    return (
        np.array([ord(c) for c in changed], np.int32),
        np.array([c.lower().encode() for c in changed], object),
    )


class WordTable(tf.Module):
    """`WordVocabulary.encode` with padding in a graph, for models that take sentences.

    A `tf.Module` that holds it as an attribute becomes a SavedModel that needs neither
    the vocabulary nor this package.

    Args:
        vocabulary: its words become constants of the graph.

    Example:
        >>> vocabulary = WordVocabulary.from_sentences(["a cat", "a dog"])
        >>> WordTable(vocabulary)(["A dog", "dog"]).numpy().tolist()
        [[3, 5], [5, 0]]
    """

    def __init__(self, vocabulary: WordVocabulary) -> None:
        super().__init__()
        ids = tf.range(len(vocabulary), dtype=tf.int32)
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(vocabulary.words), ids),
            default_value=UNKNOWN,
        )

    def __call__(self, sentences: tf.Tensor) -> tf.Tensor:
        """Ids of sentences: string (B,) to int32 (B, T), padded with `PAD`."""
        words = split_words_in_graph(sentences)
        return self._table.lookup(words).to_tensor(default_value=PAD)


def separate_punctuation_in_graph(texts: tf.Tensor) -> tf.Tensor:
    """`separate_punctuation` as TensorFlow operations, string (B,) to string (B,)."""
    texts = whole_characters_in_graph(texts)
    texts = tf.strings.regex_replace(texts, APOSTROPHE, "'")
    return tf.strings.regex_replace(texts, _MARK.pattern, r" \1 ")


def whole_characters_in_graph(texts: tf.Tensor) -> tf.Tensor:
    """Texts as UTF-8, string (B,) to string (B,).

    Each byte that is not UTF-8 becomes U+FFFD, as in `bytes.decode(errors="replace")`.
    """
    return tf.strings.unicode_encode(tf.strings.unicode_decode(texts, "UTF-8"), "UTF-8")
