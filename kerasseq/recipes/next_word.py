"""The recipe of the next-word model: SavedModel and `.tflite` files, checked."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.keras_models import load_model
from kerasseq.files.report import Check, read_report
from kerasseq.files.runtimes import Runtime, Signature, open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import Quantization
from kerasseq.models.next_word import word_scores
from kerasseq.on_device.generate import Model
from kerasseq.on_device.suggest import WORDS, Keyboard
from kerasseq.recipes.shipping import about, conclude, file_figures, write_variants
from kerasseq.recipes.stepping import (
    ALLOWED_BYTES,
    ALLOWED_LOGITS_DIFFERENCE,
    ALLOWED_LOSS,
    GRAPH_BYTES,
    cross_entropy,
    step_logits,
    zeros,
)
from kerasseq.scores.keystrokes import SUGGESTIONS, measure_keystrokes
from kerasseq.signatures.next_word import NextWordOnIds, NextWordOnText, suggest
from kerasseq.text.keyboard import Caret, TypedText, TypedVocabulary
from kerasseq.text.reading import read_text
from kerasseq.text.words import UNKNOWN

CHECKED_WORDS = 2_000
# Texts at whose end the suggestions are compared, and words of each.
CHECKED_TEXTS, TEXT_LENGTH = 150, 30
ALLOWED_PROBABILITY_DIFFERENCE = 1e-4
# Part of the words that a file may have less among its three suggestions than Keras.
ALLOWED_HITS = {"float32": 5e-4, "float16": 2e-3, "int8": 1e-2}
# One word more and the suggestions after it, for nineteen words of twenty.
ALLOWED_MILLISECONDS, TIMED_WORDS = 5.0, 500


class Expected:
    """A Keras model on held-out words: what its files are compared with.

    Args:
        model: from `build_next_word_model`.
        vocabulary: its words.
        text: held out.
    """

    def __init__(
        self, model: keras.Model, vocabulary: TypedVocabulary, text: str
    ) -> None:
        self._model, self.vocabulary = model, vocabulary
        self.parameters = model.count_params()
        self._typed = TypedText.from_text(text)
        self._typed = self._typed._replace(
            ids=self._typed.ids[:CHECKED_WORDS], free=self._typed.free[:CHECKED_WORDS]
        )
        targets = vocabulary.encode_typed(self._typed)
        self.inputs = np.append(vocabulary.start, targets[:-1])
        self._known = targets != UNKNOWN
        self._targets = targets[self._known]
        self.logits = np.concatenate(list(word_scores(model, self.inputs)))
        self.figures = self.figures_of(self.logits)
        forms = [self._typed.forms[index] for index in self._typed.ids]
        self.growing = [" ".join(forms[:count]) + " " for count in range(len(forms))]
        self.texts = list(some_texts(forms))

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
        """How far suggestions are from Keras's: a probability's largest difference.

        Two words may change places where Keras's probabilities are as near. A word that
        Keras does not have there, or one that is missing, counts as 1.
        """
        largest = 0.0
        for text in self.texts:
            all_words = suggest_by_keras(self._model, self.vocabulary, text)
            words = found(text)
            if len(words) != min(SUGGESTIONS, len(all_words)):
                return 1.0
            best = sorted(all_words.values(), reverse=True)
            for (word, probability), next_best in zip(words, best, strict=False):
                for other in (all_words.get(word, 2.0), next_best):
                    largest = max(largest, abs(probability - other))
        return min(largest, 1.0)


def some_texts(forms: Sequence[str]) -> Iterator[str]:
    """Texts that end after a space, after a letter or after two, from all places."""
    yield ""
    for index in range(CHECKED_TEXTS):
        place = index * len(forms) // CHECKED_TEXTS
        before = forms[max(0, place - TEXT_LENGTH) : place]
        yield " ".join([*before, forms[place][: index % 3]])


def suggest_by_keras(
    model: keras.Model, vocabulary: TypedVocabulary, text: str
) -> dict[str, float]:
    """Each word that fits the end of a text, with its probability by Keras's logits."""
    caret = Caret.after(text)
    ids = [vocabulary.start, *vocabulary.lower_cased.encode(" ".join(caret.words))]
    logits = model.predict_on_batch(np.array([ids]))[0, -1].astype(np.float64)
    beginning = Caret.after(text.lower()).unfinished
    fits = [
        index
        for index in range(vocabulary.first, len(vocabulary))
        if vocabulary.lower_cased.words[index].startswith(beginning)
    ]
    weights = np.exp(logits[fits] - logits.max())
    return {
        caret.writes(vocabulary.words[index]): float(weight / weights.sum())
        for index, weight in zip(fits, weights, strict=True)
    }


def export_next_word(directory: str | Path) -> dict[str, Any]:
    """Write and check the SavedModel and the `.tflite` files of a run.

    Args:
        directory: of the run; its folder next_word holds next_word.keras,
            vocabulary.json and held_out.txt, the words that the files are checked on.

    Returns:
        What was measured; it is in the report too.

    Raises:
        ValueError: something that the run wrote is missing or does not fit.
        ChecksFailed: a file does not keep its promises; the message says which.
    """
    folder = Path(directory) / "next_word"
    model = load_model(folder / "next_word.keras")
    vocabulary = TypedVocabulary.load(folder / "vocabulary.json")
    module = NextWordOnIds(model)
    suggesting = NextWordOnText(module, vocabulary)
    expected = Expected(model, vocabulary, read_text(folder / "held_out.txt"))

    signatures = module.device_signatures()
    saved_model = write_saved_model(
        suggesting,
        folder / "saved_model",
        {"suggest": suggesting.suggest, **signatures},
    )
    checks = [check_saved_model(saved_model, expected)]
    card = describe(model, vocabulary, read_report(directory).get("next_word", {}))
    measured, more = write_variants(
        folder / "next_word",
        module,
        signatures,
        card,
        vocabulary.to_json(),
        lambda path, weights: check_tflite(path, weights, expected),
    )
    figures = {
        "parameters": expected.parameters,
        "words read by the checks": len(expected.inputs),
        **{f"{name}, Keras": value for name, value in expected.figures.items()},
        **measured,
    }
    return conclude(directory, "next_word_export", figures, [*checks, *more])


def check_saved_model(path: Path, expected: Expected) -> Check:
    """The SavedModel, loaded again, suggests what Keras's logits say."""
    loaded = tf.saved_model.load(str(path))
    found = expected.difference(lambda text: suggest(loaded, text, SUGGESTIONS))
    promise = "largest difference of a probability from Keras's"
    return Check(path.name, promise, found, ALLOWED_PROBABILITY_DIFFERENCE)


def check_tflite(
    path: Path, quantization: Quantization, expected: Expected
) -> tuple[dict[str, Any], list[Check]]:
    """Run one file beside Keras in both runtimes, and the device's program on it.

    Returns:
        What was measured, by name, and the checks.
    """
    device = Model(path)
    figures, checks = file_figures(path, device, expected.parameters)
    limit = ALLOWED_BYTES[quantization] * expected.parameters + GRAPH_BYTES
    size = len(device.flatbuffer)
    checks.append(Check(path.name, "bytes of the model", size, limit))
    for runtime in get_args(Runtime):
        step: Signature = open_signatures(device.flatbuffer, runtime)["step"]
        logits, _ = step_logits(step, zeros(device.state_shapes()), expected.inputs)
        found = expected.figures_of(logits)
        figures |= {f"{name}, {runtime}": value for name, value in found.items()}
        for name, sign, allowed in (
            ("loss, nats a known word", 1, ALLOWED_LOSS[quantization]),
            ("hit rate at 3", -1, ALLOWED_HITS[quantization]),
        ):
            worse = sign * (found[name] - expected.figures[name])
            promise = f"{name} worse than Keras's, {runtime}"
            checks.append(Check(path.name, promise, worse, allowed))
        if quantization == "float32":
            difference = float(np.abs(logits - expected.logits).max())
            promise = f"largest difference of a logit from Keras's, {runtime}"
            checks.append(
                Check(path.name, promise, difference, ALLOWED_LOGITS_DIFFERENCE)
            )
    keyboard = Keyboard(device)
    difference = expected.difference(keyboard.suggest)
    figures["largest difference of a probability from Keras's"] = difference
    if quantization == "float32":
        promise = "largest difference of a probability from Keras's, suggest.py"
        checks.append(
            Check(path.name, promise, difference, ALLOWED_PROBABILITY_DIFFERENCE)
        )
    middle, most, busy = milliseconds(Keyboard(device), expected.growing)
    figures["milliseconds a word, median"] = middle
    figures["milliseconds a word, 95 of 100"] = most
    promise = "processor's milliseconds of a word and its suggestions, 95 of 100"
    checks.append(Check(path.name, promise, busy, ALLOWED_MILLISECONDS))
    return figures, checks


def milliseconds(keyboard: Keyboard, texts: Sequence[str]) -> list[float]:
    """The time of a call, on texts a word longer each.

    Returns:
        Median and 95th percentile on the clock, and the latter of the processor's time,
        which other work on the machine does not lengthen.
    """
    clock, busy = [], []
    for text in texts[:TIMED_WORDS]:
        start, began = time.thread_time(), time.perf_counter()
        keyboard.suggest(text)
        clock.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.thread_time() - start))
    return [*np.percentile(clock, [50, 95]).tolist(), float(np.percentile(busy, 95))]


def describe(
    model: keras.Model, vocabulary: TypedVocabulary, training: dict[str, Any]
) -> dict[str, Any]:
    """The card that travels inside the files."""
    recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    return {
        **about(WORDS, model),
        "units": recurrent[0].units,
        "layers": len(recurrent),
        "embedding_size": model.get_layer("embedding").output_dim,
        "vocabulary_size": len(vocabulary),
        "first_word": vocabulary.first,
        "state_shapes": [[1, layer.units] for layer in recurrent],
        "corpus": training.get("corpus"),
        "corpus_sha256": training.get("corpus SHA-256"),
        "hit_rate_at_1": training.get("hit rate at 1"),
        "hit_rate_at_3": training.get("hit rate at 3"),
        "keystrokes_saved": training.get("keystrokes saved"),
    }
