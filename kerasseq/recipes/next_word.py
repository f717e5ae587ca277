"""The recipe of the next-word model: SavedModel and `.tflite` files, checked."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.formats import FORMATS
from kerasseq.files.report import Check
from kerasseq.models.stateful import stateful_layers
from kerasseq.on_device.card import WORDS
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.suggest import Keyboard
from kerasseq.recipes.made_up import OWN_TEXT
from kerasseq.recipes.shipping import Measured, OpenFile, about, ship
from kerasseq.recipes.stepping import (
    ALLOWED_LOGITS_DIFFERENCE,
    check_size,
    cross_entropy,
    keras_logits,
    step_logits,
    zeros,
)
from kerasseq.scores.keystrokes import SUGGESTIONS, measure_keystrokes
from kerasseq.signatures.next_word import NextWordOnIds, NextWordOnText, suggest
from kerasseq.signatures.states import Shapes, named_states, zero_states
from kerasseq.text.keyboard import Caret, TypedText, TypedVocabulary
from kerasseq.text.words import SPECIALS, UNKNOWN

CHECKED_WORDS = 2_000
# Words that a model writes itself when no held-out text is given.
OWN_WORDS = 500
# Number and words of the texts after which suggestions are compared.
CHECKED_TEXTS, TEXT_LENGTH = 150, 30
ALLOWED_PROBABILITY_DIFFERENCE = 1e-4
# The fraction of words by which a file may have fewer hits at 3 than Keras.
ALLOWED_HITS = {"float32": 5e-4, "float16": 2e-3, "int8": 1e-2}
# For a word and the suggestions after it, at the 95th percentile.
ALLOWED_MILLISECONDS, TIMED_WORDS = 5.0, 500


class Expected:
    """A Keras model on held-out words: what its files are compared with.

    Args:
        model: from `build_next_word_model`.
        vocabulary: its words.
        text: held out; at most 2,000 words of it are read.

    Attributes:
        inputs: int (N,), ids of the words that are read, after the one that starts.
        logits: float32 (N, V), Keras's.
        figures: what they are worth, see `figures_of`.
        growing: texts of one word more each.
        texts: at whose end suggestions are compared.

    Raises:
        ValueError: the text has no word.
    """

    def __init__(
        self, model: keras.Model, vocabulary: TypedVocabulary, text: str
    ) -> None:
        self.vocabulary = vocabulary
        self.model = model
        self._typed = TypedText.from_text(text)
        self._typed = self._typed._replace(
            ids=self._typed.ids[:CHECKED_WORDS], free=self._typed.free[:CHECKED_WORDS]
        )
        if not len(self._typed.ids):
            raise ValueError("the held-out text has no word; give a longer one")
        targets = vocabulary.encode_typed(self._typed)
        self.inputs = np.append(vocabulary.start, targets[:-1])
        self._known = targets != UNKNOWN
        self._targets = targets[self._known]
        self.logits = keras_logits(model, self.inputs)
        self.figures = self.figures_of(self.logits)
        forms = [self._typed.forms[index] for index in self._typed.ids]
        self.growing = [" ".join(forms[:count]) + " " for count in range(len(forms))]
        self.texts = list(some_texts(forms))
        self._suggestions = suggest_by_keras(model, vocabulary, self.texts)

    def figures_of(self, logits: np.ndarray) -> dict[str, float]:
        """Loss, hit rates and keystrokes saved with logits (N, V) after each word."""
        typing = measure_keystrokes(lambda _: [logits], self._typed, self.vocabulary)
        return {
            "loss, nats a known word": cross_entropy(
                logits[self._known], self._targets
            ),
            **typing.figures(),
        }

    def difference(self, found: Callable[[str], Sequence[tuple[str, float]]]) -> float:
        """The largest difference of a suggestion's probability from Keras's.

        Two words may be in the other order where Keras's probabilities are that close.
        A word that Keras does not suggest, or one that is missing, counts as 1.
        """
        largest = 0.0
        for text, all_words in zip(self.texts, self._suggestions, strict=True):
            words = found(text)
            if len(words) != min(SUGGESTIONS, len(all_words)):
                return 1.0
            best = sorted(all_words.values(), reverse=True)
            for (word, probability), next_best in zip(words, best, strict=False):
                for other in (all_words.get(word, 2.0), next_best):
                    largest = max(largest, abs(probability - other))
        return min(largest, 1.0)


def some_texts(forms: Sequence[str]) -> Iterator[str]:
    """Passages of the text that end after a space, one letter or two letters."""
    yield ""
    for index in range(CHECKED_TEXTS):
        end = index * len(forms) // CHECKED_TEXTS
        before = forms[max(0, end - TEXT_LENGTH) : end]
        yield " ".join([*before, forms[end][: index % 3]])


def suggest_by_keras(
    model: keras.Model, vocabulary: TypedVocabulary, texts: Sequence[str]
) -> list[dict[str, float]]:
    """For each text every word that can end it, with its probability by Keras."""
    carets = [Caret.after(text) for text in texts]
    ids = [
        [vocabulary.start, *vocabulary.lower_cased.encode(" ".join(caret.words))]
        for caret in carets
    ]
    # In one call, since each shape is compiled; what pads a text follows its end.
    padded = keras.utils.pad_sequences(ids, padding="post")
    logits = model.predict_on_batch(padded)
    found = []
    for text, caret, row, read in zip(texts, carets, logits, ids, strict=True):
        beginning = Caret.after(text.lower()).unfinished
        fits = [
            index
            for index in range(vocabulary.first, len(vocabulary))
            if vocabulary.lower_cased.words[index].startswith(beginning)
        ]
        last = row[len(read) - 1].astype(np.float64)
        weights = np.exp(last[fits] - last.max())
        found.append(
            {
                caret.writes(vocabulary.words[index]): float(weight / weights.sum())
                for index, weight in zip(fits, weights, strict=True)
            }
        )
    return found


def ship_next_word(
    stem: Path,
    model: keras.Model,
    vocabulary: TypedVocabulary,
    training: Mapping[str, Any],
    held_out: str | None = None,
) -> Measured:
    """Write and check the files of a next-word model; see `Recipe.ship`."""
    on_ids = NextWordOnIds(model)
    on_text = NextWordOnText(on_ids, vocabulary)
    figures = {} if held_out is not None else OWN_TEXT
    if held_out is None:
        held_out = write_words(on_ids, vocabulary)
    expected = Expected(model, vocabulary, held_out)
    signatures = on_ids.device_signatures()
    return ship(
        stem,
        model,
        vocabulary.to_json(),
        describe(model, on_ids.state_shapes, vocabulary, training),
        {
            **figures,
            "words read by the checks": len(expected.inputs),
            **{f"{name}, Keras": value for name, value in expected.figures.items()},
        },
        on_text=on_text,
        text_signatures={"suggest": on_text.suggest, **signatures},
        on_ids=on_ids,
        device_signatures=signatures,
        formats=ALLOWED_HITS,
        check_saved_model=partial(check_saved_model, expected=expected),
        check_file=partial(check_file, expected=expected),
    )


def write_words(next_word: NextWordOnIds, vocabulary: TypedVocabulary) -> str:
    """A text of 500 words that the model draws itself, always the same."""
    rng = np.random.default_rng(0)
    states = named_states(zero_states(next_word.state_shapes))
    token, words = vocabulary.start, []
    for _ in range(OWN_WORDS):
        states = next_word.step(token=tf.constant([token]), **states)
        logits = states.pop("logits").numpy()[0]
        logits[: len(SPECIALS)] = -np.inf
        token = choose_token(logits, rng.random(dtype=np.float32))
        words.append(vocabulary.words[token])
    return " ".join(words)


def check_saved_model(loaded: Any, expected: Expected) -> list[Check]:
    """The SavedModel, loaded again, suggests what Keras's logits say."""
    found = expected.difference(lambda text: suggest(loaded, text, SUGGESTIONS))
    promise = "largest difference of a probability from Keras's"
    return [Check("saved_model", promise, found, ALLOWED_PROBABILITY_DIFFERENCE)]


def check_file(file: OpenFile, expected: Expected) -> Measured:
    """Compare one file with Keras in both runtimes, and run suggest.py on it."""
    exact = file.number_format == "float32"
    figures: dict[str, Any] = {}
    checks = [check_size(file, expected.model)]
    for runtime, signatures in file.runtimes.items():
        states = zeros(file.model.state_shapes())
        logits, _ = step_logits(signatures["step"], states, expected.inputs)
        found = expected.figures_of(logits)
        figures |= {f"{name}, {runtime}": value for name, value in found.items()}
        for name, sign, allowed in (
            ("loss, nats a known word", 1, FORMATS[file.number_format].loss),
            ("hit rate at 3", -1, ALLOWED_HITS[file.number_format]),
        ):
            worse = sign * (found[name] - expected.figures[name])
            promise = f"{name} worse than Keras's, {runtime}"
            checks.append(Check(file.name, promise, worse, allowed))
        if exact:
            largest = float(np.abs(logits - expected.logits).max())
            promise = f"largest difference of a logit from Keras's, {runtime}"
            limit = ALLOWED_LOGITS_DIFFERENCE
            checks.append(Check(file.name, promise, largest, limit))
    difference = expected.difference(Keyboard(file.model).suggest)
    figures["largest difference of a probability from Keras's"] = difference
    if exact:
        promise = "largest difference of a probability from Keras's, suggest.py"
        limit = ALLOWED_PROBABILITY_DIFFERENCE
        checks.append(Check(file.name, promise, difference, limit))
    middle, most, busy = milliseconds(Keyboard(file.model), expected.growing)
    figures["milliseconds a word, median"] = middle
    figures["milliseconds a word, 95 of 100"] = most
    promise = "processor's milliseconds of a word and its suggestions, 95 of 100"
    checks.append(Check(file.name, promise, busy, ALLOWED_MILLISECONDS))
    return figures, checks


def milliseconds(keyboard: Keyboard, texts: Sequence[str]) -> list[float]:
    """The time of a call, on texts of one word more each.

    Returns:
        Median and 95th percentile by the clock, and the 95th percentile of processor
        time, which does not grow with other work on the machine.
    """
    clock, busy = [], []
    for text in texts[:TIMED_WORDS]:
        start, began = time.thread_time(), time.perf_counter()
        keyboard.suggest(text)
        clock.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.thread_time() - start))
    return [*np.percentile(clock, [50, 95]).tolist(), float(np.percentile(busy, 95))]


def describe(
    model: keras.Model,
    state_shapes: Shapes,
    vocabulary: TypedVocabulary,
    training: Mapping[str, Any],
) -> dict[str, Any]:
    """The card that travels inside the files."""
    layers = stateful_layers(model)
    sizes = layers[0].describe(len(layers))
    return {
        **about(WORDS, model),
        "units": sizes["units"],
        "layers": sizes["layers"],
        "embedding_size": model.get_layer("embedding").output_dim,
        "vocabulary_size": len(vocabulary),
        "first_word": vocabulary.first,
        "state_shapes": state_shapes,
        "corpus": training.get("corpus"),
        "corpus_sha256": training.get("corpus SHA-256"),
        "hit_rate_at_1": training.get("hit rate at 1"),
        "hit_rate_at_3": training.get("hit rate at 3"),
        "keystrokes_saved": training.get("keystrokes saved"),
    }
