"""The next-word model as a SavedModel has it: texts in, suggestions out.

Shapes: B texts, T words, M own words.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from kerasseq.signatures.generation import read
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.signatures.states import zero_states
from kerasseq.text.caret import capitalized
from kerasseq.text.in_graph import (
    WordTable,
    divide_in_graph,
    forms_in_graph,
    has_letter_in_graph,
    lower_case_in_graph,
)
from kerasseq.text.keyboard import (
    OWN_WORDS,
    SENTENCE_ENDS,
    TypedVocabulary,
)
from kerasseq.text.words import UNKNOWN


class NextWordOnText(tf.Module):
    """A next-word model's signature on texts: the one of a SavedModel.

    Args:
        next_word: the model.
        vocabulary: its words.

    Raises:
        ValueError: the vocabulary does not fit the weights.
    """

    def __init__(self, next_word: NextWordOnIds, vocabulary: TypedVocabulary) -> None:
        super().__init__()
        vocabulary.require_size(next_word.vocabulary_size)
        self._next_word = next_word
        self._table = WordTable(vocabulary.lower_cased)
        self._start, self._first = vocabulary.start, vocabulary.first
        words = vocabulary.words[self._first :]
        self._lower_cased = tf.constant(vocabulary.lower_cased.words[self._first :])
        # As they are, capitalized, in capitals.
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
            k: int32 (), number of words.

        Returns:
            words string (B, k), likeliest first, and probabilities float32 (B, k);
            filled up with "" and 0.
        """
        specs = tf.TensorSpec((None,), tf.string), tf.TensorSpec((None,), tf.float32)
        # With one more letter, every text ends in an unfinished word. One more text
        # makes sure that the loop has an iteration, which tells it the shape.
        texts = tf.concat([text + "x", ["x"]], 0)
        words, probabilities = tf.map_fn(
            lambda each: self._suggest(each, k), texts, fn_output_signature=specs
        )
        return {"words": words[:-1], "probabilities": probabilities[:-1]}

    def _suggest(self, text: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Words and probabilities for one text, to which a letter was added."""
        rows, _ = divide_in_graph(text[None])
        words = rows.flat_values
        ids, own, own_lowered = self._number(rows)
        ids = tf.concat([[self._start], ids], 0)
        zeros = zero_states(self._next_word.state_shapes)
        states = read(self._next_word.read_word, ids, tf.size(ids) - 1, zeros)
        logits, _ = self._next_word.read_word(ids[-1:], states)

        unfinished = tf.strings.substr(words[-1], 0, tf.strings.length(words[-1]) - 1)
        characters, lowered = lower_case_in_graph(unfinished[None])
        beginning = tf.strings.reduce_join(lowered.flat_values)
        offered = tf.concat([self._lower_cased, own_lowered], 0)
        heads = tf.strings.substr(offered, 0, tf.strings.length(beginning))
        fits = (heads == beginning) & (offered != "")
        scores = tf.where(fits, logits[0, self._first :], -np.inf)
        best, indices = tf.math.top_k(scores, tf.minimum(k, tf.size(scores)))

        # `Caret.writes` as TensorFlow operations.
        before = tf.concat([["."], words[:-1]], 0)[-1]
        starts = tf.reduce_any(before == tf.constant(sorted(SENTENCE_ENDS)))
        changed = characters.flat_values != lowered.flat_values
        capitals = (tf.size(changed) > 1) & tf.reduce_all(changed)
        capital = tf.concat([changed, [starts]], 0)[0]
        form = tf.where(capitals, 2, tf.cast(capital, tf.int32))

        fits = best > -np.inf
        forms = tf.concat([self._forms, forms_in_graph(own)], 1)
        found = tf.where(fits, tf.gather(forms[form], indices), "")
        # If nothing fits, this is NaN and not used.
        probabilities = tf.exp(best - tf.reduce_logsumexp(scores))
        missing = [[0, k - tf.size(best)]]
        return (
            tf.pad(found, missing, constant_values=""),
            tf.pad(tf.where(fits, probabilities, 0.0), missing),
        )

    def _number(self, rows: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """`TypedVocabulary.encode_own` of all words but the last of one text.

        Args:
            rows: string (1, ragged T).

        Returns:
            ids int32 (T - 1,), and the M own words by their number, string (M,), as
            they were typed last and in lower case; "" for a number without a word.
        """
        words = rows.flat_values[:-1]
        ids = self._table(rows)[0, :-1]
        own = (ids == UNKNOWN) & has_letter_in_graph(words)
        positions = tf.where(own)
        typed = tf.boolean_mask(words, own)
        _, lowered = lower_case_in_graph(typed)
        lowered = tf.strings.reduce_join(lowered, axis=-1)
        numbers = tf.unique(lowered).idx % OWN_WORDS
        ids = tf.tensor_scatter_nd_update(
            ids, positions, self._next_word.vocabulary_size + numbers
        )
        last = tf.math.unsorted_segment_max(
            tf.range(1, tf.size(numbers) + 1), numbers, OWN_WORDS
        )
        last = tf.maximum(last, 0)
        typed, lowered = (tf.concat([[""], each], 0) for each in (typed, lowered))
        return ids, tf.gather(typed, last), tf.gather(lowered, last)


def suggest(module: Any, text: str, k: int = 3) -> list[tuple[str, float]]:
    """The likeliest words at the end of a text.

    After a space, a punctuation mark or nothing, these are the next words; otherwise
    words that start with the unfinished word at the end, which may itself be one. If
    the model knows no such word, there are none.

    Args:
        module: a `NextWordOnText`, or an exported SavedModel as `tf.saved_model.load`
            gives it.
        text: any text; the model reads all of it.
        k: the most words.

    Returns:
        The words, likeliest first, each with its probability given the text, among the
        words that fit its unfinished word.

    Raises:
        ValueError: k is negative.

    Example:
        >>> from kerasseq.signatures.next_word import NextWordOnText
        >>> from kerasseq.signatures.next_word_on_ids import NextWordOnIds
        >>> from kerasseq.text.keyboard import TypedText
        >>> text = TypedText.from_text("we see, we go. we see.")
        >>> words = TypedVocabulary.from_text(text)
        >>> model = build_next_word_model(NextWordConfig(len(words), units=4))
        >>> module = NextWordOnText(NextWordOnIds(model), words)
        >>> [word for word, _ in suggest(module, "we s")]
        ['see']
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
