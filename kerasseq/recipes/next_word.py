"""The recipe of the next-word model: SavedModel and `.tflite` files, checked."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.formats import FORMATS
from kerasseq.files.report import Check
from kerasseq.models.rare_words import read_rare_words, with_rare_words
from kerasseq.models.stateful import describe_sizes, logits_along
from kerasseq.models.word_cache import histories, with_cache
from kerasseq.on_device.card import WORDS
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.suggest import Keyboard
from kerasseq.recipes.made_up import OWN_TEXT
from kerasseq.recipes.shipping import Measured, OpenFile, about, check_size, ship
from kerasseq.recipes.stepping import (
    check_logits,
    cross_entropy,
    graph_bytes,
    step_logits,
    zeros,
)
from kerasseq.recipes.suggestions import ExpectedSuggestions
from kerasseq.scores.keystrokes import SUGGESTIONS, measure_keystrokes
from kerasseq.signatures.next_word import NextWordOnText, suggest
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.signatures.states import Shapes, named_states, zero_states
from kerasseq.text.keyboard import OWN_WORDS, TypedText, TypedVocabulary
from kerasseq.text.words import SPECIALS, UNKNOWN

CHECKED_WORDS = 2_000
# Words that a model writes itself when no held-out text is given.
WRITTEN_WORDS = 500
ALLOWED_PROBABILITY_DIFFERENCE = 1e-4
# The fraction of words by which a file may have fewer hits at 3 than Keras.
ALLOWED_HITS = {"float32": 5e-4, "float16": 2e-3, "int8": 1e-2}
SLOW = (
    "it answers as it should, but too late for a keyboard on this machine: export "
    "again with `kerasseq export` while nothing else runs, or train with --preset fast"
)
# For a word and the suggestions after it, at the 95th percentile.
ALLOWED_MILLISECONDS, TIMED_WORDS = 20.0, 500


class Expected:
    """A Keras model on held-out words: what its files are compared with.

    Args:
        model: from `build_next_word_model`.
        vocabulary: its words.
        text: held out; at most 2,000 words of it are read.

    Attributes:
        inputs: int (N,), ids of the words that are read, after the one that starts.
        logits: float32 (N, V + M), Keras's with the cache.
        figures: what they are worth, see `figures_of`.
        growing: texts, each with one more word.
        suggestions: Keras's, after passages of the text.

    Raises:
        ValueError: the text has no word.
    """

    def __init__(
        self, model: keras.Model, vocabulary: TypedVocabulary, text: str
    ) -> None:
        self.vocabulary = vocabulary
        self.model = model
        self._typed = TypedText.from_text(text).first(CHECKED_WORDS)
        if not len(self._typed.ids):
            raise ValueError("the held-out text has no word; give a longer one")
        forms = [self._typed.forms[index] for index in self._typed.ids]
        targets, _ = vocabulary.encode_own(forms)
        self.inputs = np.append(vocabulary.start, targets[:-1])
        self._known = (targets != UNKNOWN) & (targets < len(vocabulary))
        self._targets = targets[self._known]
        read = read_rare_words(self.inputs, vocabulary.num_known)
        pieces = (
            with_rare_words(piece, vocabulary.num_rare)
            for piece in logits_along(model, read)
        )
        mixed = with_cache(pieces, histories(self.inputs), logits=True)
        self.logits = np.concatenate(list(mixed))
        self.figures = self.figures_of(self.logits)
        self.growing = [" ".join(forms[:count]) + " " for count in range(len(forms))]
        self.suggestions = ExpectedSuggestions(model, vocabulary, forms)

    def figures_of(self, logits: np.ndarray) -> dict[str, float]:
        """Loss, hit rates and keystrokes saved with logits (N, V + M) of each word."""
        typing = measure_keystrokes(
            lambda _: [logits], self._typed, self.vocabulary, own_words=True
        )
        return {
            "loss, nats a known word": cross_entropy(
                logits[self._known], self._targets
            ),
            **typing.figures(),
        }


def ship_next_word(
    stem: Path,
    model: keras.Model,
    vocabulary: TypedVocabulary,
    training: Mapping[str, Any],
    held_out: str | None = None,
) -> Measured:
    """Write and check the files of a next-word model; see `Recipe.ship`."""
    on_ids = NextWordOnIds(model, vocabulary.num_rare)
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
    for _ in range(WRITTEN_WORDS):
        states = next_word.step(token=tf.constant([token]), **states)
        logits = states.pop("logits").numpy()[0]
        logits[: len(SPECIALS)] = -np.inf
        logits[len(vocabulary) :] = -np.inf
        token = choose_token(logits, rng.random(dtype=np.float32))
        words.append(vocabulary.words[token])
    return " ".join(words)


def check_saved_model(loaded: Any, expected: Expected) -> list[Check]:
    """The SavedModel, loaded again, suggests what Keras's logits say."""
    found = expected.suggestions.difference(
        lambda text: suggest(loaded, text, SUGGESTIONS)
    )
    promise = "largest difference of a probability from Keras's"
    return [Check("saved_model", promise, found, ALLOWED_PROBABILITY_DIFFERENCE)]


def check_file(file: OpenFile, expected: Expected) -> Measured:
    """Compare one file with Keras in both runtimes, and run suggest.py on it."""
    exact = file.number_format == "float32"
    figures: dict[str, Any] = {}
    checks = [check_size(file, expected.model, graph_bytes(expected.model))]
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
            checks.append(check_logits(file.name, runtime, largest))
    difference = expected.suggestions.difference(Keyboard(file.model).suggest)
    figures["largest difference of a probability from Keras's"] = difference
    if exact:
        promise = "largest difference of a probability from Keras's, suggest.py"
        limit = ALLOWED_PROBABILITY_DIFFERENCE
        checks.append(Check(file.name, promise, difference, limit))
    middle, most, busy = milliseconds(Keyboard(file.model), expected.growing)
    figures["milliseconds a word, median"] = middle
    figures["milliseconds a word, 95 of 100"] = most
    promise = "processor's milliseconds of a word and its suggestions, 95 of 100"
    checks.append(Check(file.name, promise, busy, ALLOWED_MILLISECONDS, if_failed=SLOW))
    return figures, checks


def milliseconds(keyboard: Keyboard, texts: Sequence[str]) -> list[float]:
    """The time of a call, on texts that grow word by word.

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
    sizes = describe_sizes(model)
    return {
        **about(WORDS, model, training),
        "units": sizes["units"],
        "layers": sizes["layers"],
        "embedding_size": model.get_layer("embedding").output_dim,
        "vocabulary_size": len(vocabulary),
        "first_word": vocabulary.first,
        "own_words": OWN_WORDS,
        "state_shapes": state_shapes,
        "hit_rate_at_1": training.get("hit rate at 1"),
        "hit_rate_at_3": training.get("hit rate at 3"),
        "keystrokes_saved": training.get("keystrokes saved"),
    }
