"""The recipe of the tagger: SavedModel and `.tflite` files, checked."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.tagged import TaggedSentence
from kerasseq.data.tagged_batches import encode_tokens
from kerasseq.files.report import Check
from kerasseq.models.tagger import TaggerConfig
from kerasseq.on_device.words import divide
from kerasseq.recipes.made_up import RANDOM_WORDS, random_sentences
from kerasseq.recipes.sentences import run_rows
from kerasseq.recipes.shipping import Measured, OpenFile, about, ship
from kerasseq.scores.entities import OVERALL, score_entities
from kerasseq.signatures.tag_sequences import allowed_transitions, best_sequence
from kerasseq.signatures.tagger import TaggerOnIds, TaggerOnText, tag_sentences
from kerasseq.text.tags import OUTSIDE, may_follow
from kerasseq.text.words import PAD, WordVocabulary

CHECKED_SENTENCES = 200
# The fraction of many tokens that may have another tag than Keras's, and how far the
# sum of the tags' logits may be below the best sequence's, which allows for rounding.
ALLOWED_FRACTION = {"float32": 0.002, "float16": 0.01, "int8": 0.03}
ALLOWED_SCORE = 1e-3


def ship_tagger(
    stem: Path,
    model: keras.Model,
    vocabulary: WordVocabulary,
    training: Mapping[str, Any],
    held_out: Sequence[TaggedSentence] | None = None,
    *,
    tags: Sequence[str],
) -> Measured:
    """Write and check the files of a tagger; see `Recipe.ship`."""
    on_ids = TaggerOnIds(model, tags)
    on_text = TaggerOnText(on_ids, vocabulary)
    figures = {} if held_out is not None else RANDOM_WORDS
    if held_out is None:
        tokens = [tuple(line.split(" ")) for line in random_sentences(vocabulary)]
        found = tag_sentences(on_ids, tokens, vocabulary)
        held_out = [
            TaggedSentence(row, tuple(names))
            for row, names in zip(tokens, found, strict=True)
        ]
    sentences = held_out[:CHECKED_SENTENCES]
    expected = Expected(model, on_ids, vocabulary, sentences)
    return ship(
        stem,
        model,
        vocabulary.to_json(),
        {
            **about("tagger", model, training),
            "length": TaggerConfig.device_length,
            "num_letters": on_ids.num_letters,
            "vocabulary_size": on_ids.num_words,
            "tags": on_ids.names,
            "sentences": training.get("sentences learned from"),
            "held_out_f1": training.get("F1"),
        },
        {
            **figures,
            "sentences read by the checks": len(sentences),
            "F1 of Keras on them": expected.f1,
        },
        on_text=on_text,
        text_signatures={"tag": on_text.tag},
        on_ids=on_ids,
        device_signatures=on_ids.device_signatures(TaggerConfig.device_length),
        formats=ALLOWED_FRACTION,
        check_saved_model=partial(
            check_saved_model,
            tagging=on_ids,
            vocabulary=vocabulary,
            sentences=[sentence.tokens for sentence in sentences],
        ),
        check_file=expected.check,
    )


def check_saved_model(
    loaded: Any,
    tagging: TaggerOnIds,
    vocabulary: WordVocabulary,
    sentences: Sequence[Sequence[str]],
) -> list[Check]:
    """The SavedModel, loaded again, divides and tags as Python does."""
    lines = [line for line in map(" ".join, sentences) if divide(line)]
    words = [[word.text for word in divide(line)] for line in lines]
    found = loaded.signatures["tag"](sentences=tf.constant(lines))
    mask = found["token_mask"].numpy()
    same_tokens, same_tags = (
        [
            [text.decode() for text in row[present]]
            for row, present in zip(found[name].numpy(), mask, strict=True)
        ]
        for name in ("tokens", "tags")
    )
    expected = tag_sentences(tagging, words, vocabulary)
    name = "saved_model"
    return [
        Check(name, "divides as Python does", same_tokens == words, expected=True),
        Check(
            name,
            "fraction of the tokens with another tag than Keras's",
            different_fraction(same_tags, expected),
            allowed_fraction("float32", int(mask.sum())),
        ),
    ]


class Expected:
    """A Keras tagger on held-out sentences: what its files are compared with.

    Args:
        model: from `build_tagger`.
        tagging: its signature.
        vocabulary: its words.
        sentences: that it was not trained on.

    Attributes:
        f1: of Keras's tags.
    """

    def __init__(
        self,
        model: keras.Model,
        tagging: TaggerOnIds,
        vocabulary: WordVocabulary,
        sentences: Sequence[TaggedSentence],
    ) -> None:
        length = TaggerConfig.device_length
        self._tags = tagging.names
        self._actual = [sentence.tags[:length] for sentence in sentences]
        tokens = [sentence.tokens for sentence in sentences]
        self._word_ids, letters = encode_tokens(
            tokens, vocabulary, tagging.num_letters, length
        )
        self._letters = letters.astype(np.int32)
        self._mask = self._word_ids != PAD
        self._logits = model.predict(
            [self._word_ids, self._letters], batch_size=50, verbose=0
        )
        allowed = allowed_transitions(self._tags)
        self._ids = best_sequence(self._logits, self._mask, allowed).numpy()
        self._expected = self._named(self._ids)
        self.f1 = score_entities(self._actual, self._expected)[OVERALL].f1

    def check(self, file: OpenFile) -> Measured:
        """Compare one file with Keras, sentence by sentence, in both runtimes."""
        figures: dict[str, Any] = {}
        checks = []
        for runtime, signatures in file.runtimes.items():
            outputs, speed = run_rows(
                signatures["tag"], word_ids=self._word_ids, letters=self._letters
            )
            ids = outputs["tags"]
            named = self._named(ids)
            f1 = score_entities(self._actual, named)[OVERALL].f1
            fraction = different_fraction(named, self._expected)
            promise = f"fraction of the tokens with another tag than Keras's, {runtime}"
            allowed = allowed_fraction(file.number_format, int(self._mask.sum()))
            checks.append(Check(file.name, promise, fraction, allowed))
            illegal = sum(map(count_illegal, named))
            promise = f"tags that may not follow the one before, {runtime}"
            checks.append(Check(file.name, promise, illegal, expected=0))
            if file.number_format == "float32":
                promise = f"score given up against the best sequence, {runtime}"
                given_up = self._given_up(ids)
                checks.append(Check(file.name, promise, given_up, ALLOWED_SCORE))
            figures[f"tokens with another tag than Keras's, {runtime}"] = fraction
            figures[f"F1, {runtime}"] = f1
            figures[f"sentences a second, {runtime}"] = speed
        return figures, checks

    def _named(self, ids: np.ndarray) -> list[list[str]]:
        return [
            [self._tags[index] for index in row[present]]
            for row, present in zip(ids, self._mask, strict=True)
        ]

    def _given_up(self, ids: np.ndarray) -> float:
        """How far a sentence's score is below that of Keras's tags, at most."""
        best, found = (
            np.take_along_axis(self._logits, each[..., None], axis=2)[..., 0]
            for each in (self._ids, ids)
        )
        return float(((best - found) * self._mask).sum(axis=1).max())


def different_fraction(one: Sequence[Sequence], other: Sequence[Sequence]) -> float:
    """The fraction of the tokens whose tags differ."""
    pairs = [
        pair
        for row, others in zip(one, other, strict=True)
        for pair in zip(row, others, strict=True)
    ]
    return sum(a != b for a, b in pairs) / len(pairs)


def allowed_fraction(number_format: str, count: int) -> float:
    """The fraction of so many tokens that may have another tag than Keras's.

    It has two standard errors of a fraction on top: of few tokens, chance alone may
    change more.
    """
    limit = ALLOWED_FRACTION[number_format]
    return limit + 2 * math.sqrt(limit * (1 - limit) / count)


def count_illegal(tags: Sequence[str]) -> int:
    """How many tags may not follow the one before them."""
    pairs = zip((OUTSIDE, *tags), tags, strict=False)
    return sum(not may_follow(before, tag) for before, tag in pairs)
