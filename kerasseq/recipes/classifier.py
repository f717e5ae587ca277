"""The recipe of the classifier: SavedModel and `.tflite` files, checked."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.labelled import LabelledSentences
from kerasseq.files.report import Check
from kerasseq.models.classifier import SURE, pad
from kerasseq.recipes.made_up import RANDOM_WORDS, random_sentences
from kerasseq.recipes.sentences import check_words, largest_difference, run_rows
from kerasseq.recipes.shipping import Measured, OpenFile, about, ship
from kerasseq.signatures.classifier import ClassifierOnIds, ClassifierOnText
from kerasseq.text.reading import read_text
from kerasseq.text.words import UNKNOWN, WordVocabulary

CHECKED_SENTENCES = 1000
# The largest difference of a probability, or of a word's weight, from Keras's.
ALLOWED_DIFFERENCE = {"float32": 1e-5, "float16": 5e-3, "int8": 5e-2}


class Expected(NamedTuple):
    """Keras's answers for held-out sentences.

    Shapes: N sentences, T words, L bytes of a word, K classes.

    Attributes:
        sentences: N texts.
        class_ids: int (N,), their actual classes.
        token_ids: int32 (N, T), T the longest sentence's words, at most the length
            that a file reads.
        letters: int32 (N, T, L).
        probabilities: float32 (N, K).
        weights: float32 (N, T).
    """

    sentences: Sequence[str]
    class_ids: np.ndarray
    token_ids: np.ndarray
    letters: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray


def ship_classifier(
    stem: Path,
    classifier: keras.Model,
    vocabulary: WordVocabulary,
    training: Mapping[str, Any],
    held_out: LabelledSentences | None = None,
    *,
    labels: Sequence[str],
) -> Measured:
    """Write and check the files of a classifier; see `Recipe.ship`."""
    on_ids = ClassifierOnIds(classifier)
    length = on_ids.max_length
    on_text = ClassifierOnText(on_ids, vocabulary, labels, length)
    figures = {} if held_out is not None else RANDOM_WORDS
    expected = expect(on_ids, classifier, vocabulary, labels, held_out)
    return ship(
        stem,
        classifier,
        vocabulary.to_json(),
        {
            **about("classifier", classifier, training),
            "length": length,
            "num_letters": on_ids.num_letters,
            "model_size": classifier.get_layer("embedding").output_dim,
            "blocks": sum(
                layer.name.startswith("block_") for layer in classifier.layers
            ),
            "labels": labels,
            "vocabulary_size": len(vocabulary),
            "sentences": training.get("sentences"),
            "held_out_accuracy": training.get("held-out accuracy"),
            "naive_bayes_accuracy": training.get("accuracy of naive Bayes"),
            "majority_accuracy": training.get("accuracy of the largest class"),
        },
        {
            **figures,
            "sentences read by the checks": len(expected.sentences),
            "accuracy of Keras on them": accuracy(expected.probabilities, expected),
        },
        on_text=on_text,
        text_signatures={"classify": on_text.classify},
        on_ids=on_ids,
        device_signatures=on_ids.device_signatures(length),
        formats=ALLOWED_DIFFERENCE,
        check_saved_model=partial(
            check_saved_model, vocabulary=vocabulary, labels=labels, expected=expected
        ),
        check_file=partial(check_file, length=length, expected=expected),
    )


def read_labelled_lines(path: Path) -> LabelledSentences:
    """Read the `held_out.tsv` of a run: a label first, a sentence last on each line.

    Raises:
        ValueError: the file is missing or is not text.
    """
    rows = [line.split("\t") for line in read_text(path).split("\n")[1:] if line]
    return LabelledSentences(
        tuple(row[0] for row in rows), tuple(row[-1] for row in rows)
    )


def expect(
    on_ids: ClassifierOnIds,
    classifier: keras.Model,
    vocabulary: WordVocabulary,
    labels: Sequence[str],
    held_out: LabelledSentences | None,
) -> Expected:
    """Let the Keras model classify held-out sentences, or else random words.

    Raises:
        ValueError: a sentence has a label that is not one of `labels`.
    """
    if held_out is None:
        sentences = random_sentences(vocabulary)
    else:
        # At even distances, since a file may be in the order of its classes.
        step = -(-len(held_out.sentences) // CHECKED_SENTENCES) or 1
        sentences = held_out.sentences[::step]
    spelled = [
        vocabulary.encode_spelled(line, on_ids.num_letters, on_ids.max_length)
        for line in sentences
    ]
    token_ids, letters = pad(spelled)
    outputs = classifier.predict([token_ids, letters], batch_size=50, verbose=0)
    probabilities = tf.nn.softmax(outputs["logits"]).numpy()
    class_ids = probabilities.argmax(axis=1)
    if held_out is not None:
        unknown = sorted(set(held_out.labels) - set(labels))
        if unknown:
            raise ValueError(
                f"held-out sentences have the label {unknown[0]!r}, which is none of "
                f"{', '.join(labels)}; take those of the same model, or train it again"
            )
        class_ids = np.array([labels.index(name) for name in held_out.labels[::step]])
    return Expected(
        sentences, class_ids, token_ids, letters, probabilities, outputs["weights"]
    )


def check_saved_model(
    loaded: Any,
    vocabulary: WordVocabulary,
    labels: Sequence[str],
    expected: Expected,
) -> list[Check]:
    """The SavedModel, loaded again, splits and classifies as Python and Keras do."""
    found = loaded.signatures["classify"](sentences=tf.constant(expected.sentences))
    given = [label.decode() for label in found["labels"].numpy()]
    probabilities = found["probabilities"].numpy()
    best = probabilities.argmax(axis=1)
    known = expected.token_ids.max(axis=1) > UNKNOWN
    told = known | (probabilities.max(axis=1) >= SURE)
    name = "saved_model"
    return [
        check_words(found["tokens"].numpy(), expected.token_ids, vocabulary),
        Check(
            name,
            "gives the likeliest label",
            given == [labels[i] if k else "" for i, k in zip(best, told, strict=True)],
            expected=True,
        ),
        *compare(
            name,
            "SavedModel",
            "float32",
            expected,
            probabilities,
            found["weights"].numpy(),
        ),
    ]


def check_file(file: OpenFile, length: int, expected: Expected) -> Measured:
    """Compare one file with Keras, sentence by sentence, in both runtimes."""
    figures: dict[str, Any] = {}
    checks = []
    words = expected.token_ids.shape[1]
    token_ids, letters = (
        np.pad(each, [(0, 0), (0, length - words), (0, 0)][: each.ndim])
        for each in (expected.token_ids, expected.letters)
    )
    for runtime, signatures in file.runtimes.items():
        outputs, speed = run_rows(
            signatures["classify"], token_ids=token_ids, letters=letters
        )
        found, weights = outputs["probabilities"], outputs["weights"][:, :words]
        checks += compare(
            file.name, runtime, file.number_format, expected, found, weights
        )
        figures[f"accuracy, {runtime}"] = accuracy(found, expected)
        figures[f"largest difference of a probability, {runtime}"] = largest_difference(
            found, expected.probabilities
        )
        figures[f"sentences a second, {runtime}"] = speed
    return figures, checks


def compare(
    name: str,
    runtime: str,
    number_format: str,
    expected: Expected,
    probabilities: np.ndarray,
    weights: np.ndarray,
) -> list[Check]:
    """Compare a file's probabilities and weights with Keras's.

    A label may differ from Keras's where its two largest probabilities are nearer to
    one another than twice what a file may be off.
    """
    allowed = ALLOWED_DIFFERENCE[number_format]
    others = probabilities.argmax(axis=1) != expected.probabilities.argmax(axis=1)
    second, first = np.sort(expected.probabilities, axis=1)[:, -2:].T
    far = int(np.sum(others & (first - second > 2 * allowed)))
    return [
        Check(
            name,
            f"largest difference of a {what} from Keras's, {runtime}",
            largest_difference(ours, theirs),
            allowed,
        )
        for what, ours, theirs in (
            ("probability", probabilities, expected.probabilities),
            ("weight", weights, expected.weights),
        )
    ] + [Check(name, f"labels that are not Keras's, {runtime}", far, expected=0)]


def accuracy(probabilities: np.ndarray, expected: Expected) -> float:
    """The fraction of sentences whose likeliest class is the actual one."""
    return float(np.mean(probabilities.argmax(axis=1) == expected.class_ids))
