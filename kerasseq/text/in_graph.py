"""The functions on words as TensorFlow operations."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kerasseq.on_device import unicode_ranges
from kerasseq.on_device.words import JOINERS, PLAIN, parse_ranges
from kerasseq.text.words import PAD, UNKNOWN, WordVocabulary

# What a character is to a word.
SPACE, LETTER, SIGN, JOINER, MARK, INVISIBLE = range(6)


def divide_in_graph(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """`divide` as TensorFlow operations.

    The words are the same for every Unicode text. Each byte that is not UTF-8 becomes
    U+FFFD, as in `bytes.decode(errors="replace")`.

    Args:
        texts: string (B,).

    Returns:
        Words and signs in their case, string (B, ragged T), and their offsets int32
        (B, ragged T, 2): the index of the first character, and that after the last.
    """
    # The space in front keeps texts apart.
    rows = tf.strings.unicode_decode(tf.strings.join([" ", texts]), "UTF-8")
    points = rows.flat_values
    kinds = _kinds_of(points)
    is_base = (kinds != MARK) & (kinds != INVISIBLE)
    after_zero_width_joiner = tf.pad(points == 0x200D, [[1, 0]])[:-1]

    # Marks and invisible characters belong to the base before them.
    bases = tf.boolean_mask(kinds, is_base)
    before, after = tf.pad(bases, [[1, 0]])[:-1], tf.pad(bases, [[0, 1]])[1:]
    within = (bases == JOINER) & (before == LETTER) & (after == LETTER)
    in_word = (bases == LETTER) | within
    is_sign = ~in_word & (bases != SPACE)
    continues = in_word & tf.pad(in_word, [[1, 0]])[:-1]
    continues |= (
        is_sign
        & tf.pad(is_sign, [[1, 0]])[:-1]
        & tf.boolean_mask(after_zero_width_joiner, is_base)
    )

    indices = tf.boolean_mask(tf.range(tf.size(points)), is_base)
    starts = tf.boolean_mask(indices, ~continues)
    ends = tf.concat([starts[1:], [tf.size(points)]], 0)[: tf.size(starts)]
    is_word = tf.boolean_mask(bases, ~continues) != SPACE
    written = tf.RaggedTensor.from_row_starts(
        _written(points, kinds), tf.cast(starts, tf.int64)
    )
    words = tf.boolean_mask(tf.strings.reduce_join(written, axis=-1), is_word)
    starts, ends = tf.boolean_mask(starts, is_word), tf.boolean_mask(ends, is_word)
    text_of = tf.gather(rows.value_rowids(), starts)
    # Without the space in front.
    first = tf.cast(tf.gather(rows.row_starts(), text_of), tf.int32) + 1
    offsets = tf.stack([starts - first, ends - first], axis=1)
    as_rows = functools.partial(
        tf.RaggedTensor.from_value_rowids, value_rowids=text_of, nrows=rows.nrows()
    )
    return as_rows(words), as_rows(offsets)


def _kinds_of(points: tf.Tensor) -> tf.Tensor:
    """What each code point is to a word, int32."""
    firsts, kinds = _kinds()
    return tf.gather(kinds, tf.searchsorted(firsts, points, side="right") - 1)


@functools.cache
def _kinds() -> tuple[np.ndarray, np.ndarray]:
    """The first code points of ranges, int32 ascending from 0, and their kinds."""
    kinds = np.full(0x110000, LETTER, np.int32)
    for kind, table in (
        (SPACE, unicode_ranges.SPACES),
        (SIGN, unicode_ranges.SIGNS),
        (MARK, unicode_ranges.MARKS),
        (INVISIBLE, unicode_ranges.INVISIBLE),
    ):
        for first, last in parse_ranges(table):
            kinds[first : last + 1] = kind
    kinds[list(map(ord, JOINERS))] = JOINER
    firsts = np.flatnonzero(np.diff(kinds, prepend=-1)).astype(np.int32)
    return firsts, kinds[firsts]


def _written(points: tf.Tensor, kinds: tf.Tensor) -> tf.Tensor:
    """The characters as words have them: `plain` as TensorFlow operations."""
    for character, other in PLAIN.items():
        points = tf.where(points == ord(character), ord(other), points)
    characters = tf.strings.unicode_encode(points[:, None], "UTF-8")
    return tf.where(kinds == INVISIBLE, "", characters)


def lower_case_in_graph(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """`lower_case` as TensorFlow operations, character by character.

    Args:
        texts: string (B,).

    Returns:
        The characters as they are and lower-cased, each string (B, ragged).
    """
    points = tf.strings.unicode_decode(texts, "UTF-8")
    characters = tf.strings.unicode_split(texts, "UTF-8")
    return characters, _with_case(points, characters, *_cases(str.lower))


def _with_case(
    points: tf.RaggedTensor,
    characters: tf.RaggedTensor,
    changed: np.ndarray,
    others: np.ndarray,
) -> tf.RaggedTensor:
    """Characters, string (B, ragged), of which some are replaced by others."""
    index = tf.searchsorted(changed, points.flat_values)
    index = tf.minimum(index, len(changed) - 1)
    replaced = tf.gather(changed, index) == points.flat_values
    return characters.with_flat_values(
        tf.where(replaced, tf.gather(others, index), characters.flat_values)
    )


@functools.cache
def _cases(change: Callable[[str], str]) -> tuple[np.ndarray, np.ndarray]:
    """The code points that `str.lower` or `str.upper` changes, int32, and to what.

    tf.strings.lower has another Unicode version than Python and ends a text at NUL.
    """
    changed = [c for c in map(chr, range(0x110000)) if c != change(c)]
    return (
        np.array([ord(c) for c in changed], np.int32),
        np.array([change(c).encode() for c in changed], object),
    )


def forms_in_graph(words: tf.Tensor) -> tf.Tensor:
    """Words as they are, capitalized and in capitals, string (N,) to string (3, N)."""
    points = tf.strings.unicode_decode(words, "UTF-8")
    characters = tf.strings.unicode_split(words, "UTF-8")
    upper = _with_case(points, characters, *_cases(str.upper))
    capitals = tf.strings.reduce_join(upper, axis=-1)
    first = tf.strings.reduce_join(upper[:, :1], axis=-1)
    others = tf.strings.reduce_join(characters[:, 1:], axis=-1)
    return tf.stack([words, first + others, capitals])


def has_letter_in_graph(words: tf.Tensor) -> tf.Tensor:
    """`has_letter` as TensorFlow operations, string (N,) to bool (N,)."""
    points = tf.strings.unicode_decode(words, "UTF-8")
    index = tf.searchsorted(_letters(), points.flat_values, side="right")
    # Characters before the first range are no letters, those from there on are, ...
    return tf.reduce_any(points.with_flat_values(index % 2 == 1), axis=1)


@functools.cache
def _letters() -> np.ndarray:
    """Where ranges of letters begin and end, by turns: code points int32, ascending."""
    letters = [chr(point).isalpha() for point in range(0x110000)]
    return np.flatnonzero(np.diff(letters, prepend=False)).astype(np.int32)


class WordTable(tf.Module):
    """`WordVocabulary.encode_words` with padding in a graph.

    A `tf.Module` that holds it as an attribute becomes a SavedModel that needs neither
    the vocabulary nor this package.

    Args:
        vocabulary: its words become constants of the graph.

    Example:
        >>> vocabulary = WordVocabulary.from_sentences(["a cat", "a dog"])
        >>> words, offsets = divide_in_graph(["A dog", "dog"])
        >>> WordTable(vocabulary)(words).numpy().tolist()
        [[3, 5], [5, 0]]
    """

    def __init__(self, vocabulary: WordVocabulary) -> None:
        super().__init__()
        ids = tf.range(len(vocabulary), dtype=tf.int32)
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(vocabulary.words), ids),
            default_value=UNKNOWN,
        )

    def __call__(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Ids of words in any case: string (B, ragged T) to int32 (B, T), padded."""
        _, lowered = lower_case_in_graph(words.flat_values)
        lowered = words.with_flat_values(tf.strings.reduce_join(lowered, axis=-1))
        return self._table.lookup(lowered).to_tensor(default_value=PAD)


def whole_characters_in_graph(texts: tf.Tensor) -> tf.Tensor:
    """Texts as UTF-8, string (B,) to string (B,).

    Each byte that is not UTF-8 becomes U+FFFD, as in `bytes.decode(errors="replace")`.
    """
    return tf.strings.unicode_encode(tf.strings.unicode_decode(texts, "UTF-8"), "UTF-8")


def at_least_one(texts: tf.Tensor) -> tf.Tensor:
    """The texts, string (B,), or one that is empty where there are none.

    TensorFlow cannot convolve over none, and a search cannot begin with none.
    `answers_to` then leaves out the answer to the one.
    """
    return tf.pad(texts, [[0, tf.cast(tf.shape(texts)[0] == 0, tf.int32)]])


def answers_to(texts: tf.Tensor, answers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The answers (B, ...) to texts (B,), without one more from `at_least_one`."""
    return {name: values[: tf.shape(texts)[0]] for name, values in answers.items()}
