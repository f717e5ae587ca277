"""Suggestions computed from a Keras model's logits, to compare those of a file with."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from kerasseq.models.rare_words import read_rare_words, with_rare_words
from kerasseq.models.word_cache import with_cache
from kerasseq.on_device.words import divide
from kerasseq.scores.keystrokes import SUGGESTIONS
from kerasseq.text.caret import Caret
from kerasseq.text.keyboard import TypedVocabulary
from kerasseq.text.words import lower_case

# Number and words of the passages after which suggestions are compared.
CHECKED_TEXTS, TEXT_LENGTH = 150, 30


class ExpectedSuggestions:
    """Keras's suggestions after passages of a text.

    Args:
        model: from `build_next_word_model`.
        vocabulary: its words.
        forms: the words of the text, at least one.

    Attributes:
        texts: the passages.
    """

    def __init__(
        self, model: keras.Model, vocabulary: TypedVocabulary, forms: Sequence[str]
    ) -> None:
        self.texts = list(passages(forms))
        self._words = suggest_by_keras(model, vocabulary, self.texts)

    def difference(self, found: Callable[[str], Sequence[tuple[str, float]]]) -> float:
        """The largest difference of a suggestion's probability from Keras's.

        Two words may be in the other order where Keras's probabilities are that close.
        A word that Keras does not suggest, or one that is missing, counts as 1.
        """
        largest = 0.0
        for text, all_words in zip(self.texts, self._words, strict=True):
            words = found(text)
            if len(words) != min(SUGGESTIONS, len(all_words)):
                return 1.0
            best = sorted(all_words.values(), reverse=True)
            for (word, probability), next_best in zip(words, best, strict=False):
                for other in (all_words.get(word, 2.0), next_best):
                    largest = max(largest, abs(probability - other))
        return min(largest, 1.0)


def passages(forms: Sequence[str]) -> Iterator[str]:
    """Passages of the text that end after a space, one letter or two letters."""
    yield ""
    for index in range(CHECKED_TEXTS):
        end = index * len(forms) // CHECKED_TEXTS
        before = forms[max(0, end - TEXT_LENGTH) : end]
        yield " ".join([*before, forms[end][: index % 3]])


def suggest_by_keras(
    model: keras.Model, vocabulary: TypedVocabulary, texts: Sequence[str]
) -> list[dict[str, float]]:
    """For each text every word that can end it, with its probability by Keras.

    The cache is mixed in by NumPy.
    """
    carets = [Caret.after(text) for text in texts]
    # With a letter added, the text always ends in an unfinished word.
    words = [[word.text for word in divide(text + "x")][:-1] for text in texts]
    numbered = [vocabulary.encode_own([".", *before]) for before in words]
    ids = [read_rare_words(ids, vocabulary.num_known) for ids, _ in numbered]
    # In one call, since each shape is compiled; what pads a text follows its end.
    padded = keras.utils.pad_sequences(ids, padding="post")
    logits = model.predict_on_batch(padded)
    found = []
    for text, caret, rows, (read, own) in zip(
        texts, carets, logits, numbered, strict=True
    ):
        row = with_rare_words(rows[len(read) - 1 : len(read)], vocabulary.num_rare)
        [[last]] = with_cache([row], [read], logits=True)
        beginning = Caret.after(text.lower()).unfinished
        offered = dict(enumerate(vocabulary.words)) | own
        fits = [
            index
            for index, word in offered.items()
            if index >= vocabulary.first and lower_case(word).startswith(beginning)
        ]
        weights = np.exp(last[fits] - last.max())
        found.append(
            {
                caret.writes(offered[index]): float(weight / weights.sum())
                for index, weight in zip(fits, weights, strict=True)
            }
        )
    return found
