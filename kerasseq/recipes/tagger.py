"""The recipe of the tagger: SavedModel and `.tflite` files, checked."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.tagged import TaggedSentence, read_tagged_sentences
from kerasseq.data.tagged_batches import encode_tokens
from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels
from kerasseq.files.report import Check, read_report
from kerasseq.files.runtimes import Runtime, open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import Quantization
from kerasseq.on_device.generate import Model
from kerasseq.recipes.shipping import about, conclude, file_figures, write_variants
from kerasseq.scores.entities import OVERALL, score_entities
from kerasseq.signatures.tag_sequences import allowed_transitions, best_sequence
from kerasseq.signatures.tagger import (
    TaggerOnIds,
    TaggerOnText,
    tag_sentences,
)
from kerasseq.text.tags import OUTSIDE, may_follow
from kerasseq.text.words import PAD, WordVocabulary

# Tokens that a `.tflite` reads at once.
LENGTH = 64
CHECKED_SENTENCES = 200
# The part of the tokens that may have another tag than Keras's, and what tags may give
# up of the best sequence's sum of logits, where rounding alone is to choose.
ALLOWED_PART = {"float32": 0.002, "float16": 0.01, "int8": 0.03}
ALLOWED_SCORE = 1e-3


def export_tagger(directory: str | Path) -> dict[str, Any]:
    """Write and check the SavedModel and the `.tflite` files of a run.

    Args:
        directory: of the run; its folder tagger holds tagger.keras, vocabulary.json,
            tags.json and held_out.conll, the sentences that the files are checked on.

    Returns:
        What was measured; it is in the report too.

    Raises:
        ValueError: something that the run wrote is missing or does not fit.
        ChecksFailed: a file does not keep its promises; the message says which.
    """
    folder = Path(directory) / "tagger"
    model = load_model(folder / "tagger.keras")
    vocabulary = WordVocabulary.load(folder / "vocabulary.json")
    tags = read_labels(folder / "tags.json")
    module = TaggerOnIds(model, tags)
    sentence_module = TaggerOnText(module, vocabulary)
    sentences = read_tagged_sentences(folder / "held_out.conll")[:CHECKED_SENTENCES]

    saved_model = write_saved_model(
        sentence_module, folder / "saved_model", {"tag": sentence_module.tag}
    )
    checks = check_saved_model(saved_model, module, vocabulary, sentences)
    signatures = module.device_signatures(LENGTH)
    card = describe(model, module, read_report(directory).get("tagger", {}))
    gate = Gate(model, module, vocabulary, sentences)
    measured, more = write_variants(
        folder / "tagger",
        module,
        signatures,
        card,
        vocabulary.to_json(),
        gate.check,
    )
    figures = {
        "parameters": model.count_params(),
        "sentences read by the checks": len(sentences),
        "F1 of Keras on them": gate.f1,
        **measured,
    }
    return conclude(directory, "tagger_export", figures, [*checks, *more])


def check_saved_model(
    path: Path,
    module: TaggerOnIds,
    vocabulary: WordVocabulary,
    sentences: Sequence[TaggedSentence],
) -> list[Check]:
    """The SavedModel, loaded again, splits and tags as Python does."""
    loaded = tf.saved_model.load(str(path))
    tokens = [sentence.tokens for sentence in sentences]
    lines = [" ".join(row) for row in tokens]
    found = loaded.signatures["tag"](sentences=tf.constant(lines))
    mask = found["token_mask"].numpy()
    same_tokens, same_tags = (
        [
            [text.decode() for text in row[there]]
            for row, there in zip(found[name].numpy(), mask, strict=True)
        ]
        for name in ("tokens", "tags")
    )
    expected = tag_sentences(module, tokens, vocabulary)
    words = [list(row) for row in tokens]
    return [
        Check(path.name, "splits as Python does", same_tokens == words, expected=True),
        Check(
            path.name,
            "part of the tokens with another tag than Keras's",
            different_part(same_tags, expected),
            ALLOWED_PART["float32"],
        ),
    ]


class Gate:
    """A Keras tagger on held-out sentences: what its files are compared with.

    Args:
        model: from `build_tagger`.
        module: its signature.
        vocabulary: its words.
        sentences: that it was not trained on.
    """

    def __init__(
        self,
        model: keras.Model,
        module: TaggerOnIds,
        vocabulary: WordVocabulary,
        sentences: Sequence[TaggedSentence],
    ) -> None:
        self._tags, self._parameters = module.names, model.count_params()
        self._actual = [sentence.tags[:LENGTH] for sentence in sentences]
        self._word_ids, letters = encode_tokens(
            [sentence.tokens for sentence in sentences],
            vocabulary,
            module.num_letters,
            LENGTH,
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

    def check(
        self, path: Path, quantization: Quantization
    ) -> tuple[dict[str, Any], list[Check]]:
        """Run one file beside Keras, sentence by sentence, in both runtimes.

        Returns:
            What was measured, by name, and the checks.
        """
        device = Model(path)
        figures, checks = file_figures(path, device, self._parameters)
        for runtime in get_args(Runtime):
            run = open_signatures(device.flatbuffer, runtime)["tag"]
            seconds, rows = [], []
            for word_ids, letters in zip(self._word_ids, self._letters, strict=True):
                start = time.perf_counter()
                outputs = run(word_ids=word_ids[None], letters=letters[None])
                seconds.append(time.perf_counter() - start)
                rows.append(outputs["tags"][0])
            ids = np.array(rows)
            named = self._named(ids)
            f1 = score_entities(self._actual, named)[OVERALL].f1
            part = different_part(named, self._expected)
            promise = f"part of the tokens with another tag than Keras's, {runtime}"
            checks.append(Check(path.name, promise, part, ALLOWED_PART[quantization]))
            illegal = sum(map(count_illegal, named))
            promise = f"tags that may not stand where they do, {runtime}"
            checks.append(Check(path.name, promise, illegal, expected=0))
            if quantization == "float32":
                promise = f"score given up against the best sequence, {runtime}"
                given_up = self._given_up(ids)
                checks.append(Check(path.name, promise, given_up, ALLOWED_SCORE))
            figures[f"tokens with another tag than Keras's, {runtime}"] = part
            figures[f"F1, {runtime}"] = f1
            figures[f"sentences a second, {runtime}"] = round(1 / median(seconds))
        return figures, checks

    def _named(self, ids: np.ndarray) -> list[list[str]]:
        return [
            [self._tags[index] for index in row[there]]
            for row, there in zip(ids, self._mask, strict=True)
        ]

    def _given_up(self, ids: np.ndarray) -> float:
        """The most that a sentence's tags score below Keras's, by Keras's logits."""
        best, found = (
            np.take_along_axis(self._logits, each[..., None], axis=2)[..., 0]
            for each in (self._ids, ids)
        )
        return float(((best - found) * self._mask).sum(axis=1).max())


def different_part(one: Sequence[Sequence], other: Sequence[Sequence]) -> float:
    """The part of the tokens whose tags differ."""
    pairs = [
        pair
        for row, others in zip(one, other, strict=True)
        for pair in zip(row, others, strict=True)
    ]
    return sum(a != b for a, b in pairs) / len(pairs)


def count_illegal(tags: Sequence[str]) -> int:
    """How many tags may not follow the one before them."""
    pairs = zip((OUTSIDE, *tags), tags, strict=False)
    return sum(not may_follow(before, tag) for before, tag in pairs)


def describe(
    model: keras.Model,
    module: TaggerOnIds,
    training: dict[str, Any],
) -> dict[str, Any]:
    """The card that travels inside the files."""
    return {
        **about("tagger", model),
        "length": LENGTH,
        "num_letters": module.num_letters,
        "vocabulary_size": module.num_words,
        "tags": module.names,
        "corpus": training.get("file"),
        "sentences": training.get("sentences learned from"),
        "held_out_f1": training.get("F1"),
    }
