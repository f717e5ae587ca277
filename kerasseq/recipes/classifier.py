"""The recipe of the classifier: SavedModel and `.tflite` files, checked."""

import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, get_args

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels
from kerasseq.files.report import Check, read_report
from kerasseq.files.runtimes import Runtime, open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import Quantization
from kerasseq.models.classifier import ClassifierConfig
from kerasseq.on_device.generate import Model
from kerasseq.recipes.shipping import about, conclude, file_figures, write_variants
from kerasseq.signatures.classifier import ClassifierOnIds, ClassifierOnText
from kerasseq.text.reading import read_text
from kerasseq.text.words import WordVocabulary

# Words that a file reads at once; those after them are left out.
LENGTH = ClassifierConfig.max_length
CHECKED_SENTENCES = 1000
# Largest difference of a probability, or of a word's weight, from Keras's.
ALLOWED_DIFFERENCE = {"float32": 1e-5, "float16": 5e-3, "int8": 5e-2}


class Expected(NamedTuple):
    """Held-out sentences and what Keras says of them: N sentences, T words, K classes.

    Attributes:
        sentences: N texts.
        class_ids: int (N,), what they are.
        token_ids: int32 (N, T), T the longest's words, at most `LENGTH`.
        probabilities: float32 (N, K).
        weights: float32 (N, T).
    """

    sentences: tuple[str, ...]
    class_ids: np.ndarray
    token_ids: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray


def export_classifier(directory: str | Path) -> dict[str, Any]:
    """Write and check the SavedModel and the `.tflite` files of a run.

    Args:
        directory: of the run; its folder classifier holds classifier.keras,
            vocabulary.json, labels.json and held_out.tsv, whose sentences the files
            are checked on.

    Returns:
        What was measured; it is in the report too.

    Raises:
        ValueError: something that the run wrote is missing or does not fit.
        ChecksFailed: a file does not keep its promises; the message says which.
    """
    folder = Path(directory) / "classifier"
    classifier = load_model(folder / "classifier.keras")
    vocabulary = WordVocabulary.load(folder / "vocabulary.json")
    labels = read_labels(folder / "labels.json")
    module = ClassifierOnIds(classifier)
    labelling = ClassifierOnText(module, vocabulary, labels, LENGTH)
    expected = expect(classifier, vocabulary, labels, folder / "held_out.tsv")

    saved_model = write_saved_model(
        labelling, folder / "saved_model", {"classify": labelling.classify}
    )
    checks = check_saved_model(saved_model, vocabulary, labels, expected)
    signatures = module.device_signatures(LENGTH)
    training = read_report(directory).get("classifier", {})
    card = {
        **about("classifier", classifier),
        "length": LENGTH,
        "labels": labels,
        "vocabulary_size": len(vocabulary),
        "sentences": training.get("sentences"),
        "held_out_accuracy": training.get("held-out accuracy"),
        "majority_accuracy": training.get("accuracy of the largest class"),
    }
    measured, more = write_variants(
        folder / "classifier",
        module,
        signatures,
        card,
        vocabulary.to_json(),
        lambda path, weights: check_tflite(
            path, weights, classifier.count_params(), expected
        ),
    )
    figures = {
        "parameters": classifier.count_params(),
        "sentences read by the checks": len(expected.sentences),
        "accuracy of Keras on them": share_right(expected.probabilities, expected),
        **measured,
    }
    return conclude(directory, "classifier_export", figures, [*checks, *more])


def expect(
    classifier: keras.Model,
    vocabulary: WordVocabulary,
    labels: tuple[str, ...],
    path: Path,
) -> Expected:
    """Read held-out sentences and let the Keras model classify them.

    Raises:
        ValueError: the file is missing or is no such table.
    """
    rows = [line.split("\t") for line in read_text(path).split("\n")[1:] if line]
    # From all of them, since a file may be in the order of its classes.
    rows = rows[:: -(-len(rows) // CHECKED_SENTENCES) or 1]
    try:
        sentences = tuple(row[-1] for row in rows)
        class_ids = np.array([labels.index(row[0]) for row in rows])
    except ValueError:
        raise ValueError(f"{path} is not of this run; train it again") from None
    token_ids = keras.utils.pad_sequences(
        [vocabulary.encode(line)[:LENGTH] for line in sentences], padding="post"
    )
    outputs = classifier.predict_on_batch(token_ids)
    probabilities = tf.nn.softmax(outputs["logits"]).numpy()
    return Expected(sentences, class_ids, token_ids, probabilities, outputs["weights"])


def check_saved_model(
    path: Path,
    vocabulary: WordVocabulary,
    labels: tuple[str, ...],
    expected: Expected,
) -> list[Check]:
    """The SavedModel, loaded again, splits and classifies as Python and Keras do."""
    loaded = tf.saved_model.load(str(path))
    found = loaded.signatures["classify"](sentences=tf.constant(expected.sentences))
    tokens = np.array(vocabulary.words)[expected.token_ids].tolist()
    same = [[word.decode() for word in row] for row in found["tokens"].numpy()]
    given = [label.decode() for label in found["labels"].numpy()]
    best = found["probabilities"].numpy().argmax(axis=1)
    return [
        Check(path.name, "splits words as Python does", same == tokens, expected=True),
        Check(
            path.name,
            "gives the likeliest label",
            given == [labels[index] for index in best],
            expected=True,
        ),
        *compare(
            path.name,
            "SavedModel",
            "float32",
            expected,
            found["probabilities"].numpy(),
            found["weights"].numpy(),
        ),
    ]


def check_tflite(
    path: Path, quantization: Quantization, parameters: int, expected: Expected
) -> tuple[dict[str, Any], list[Check]]:
    """Run one file beside Keras, sentence by sentence, in both runtimes.

    Returns:
        What was measured, by name, and the checks.
    """
    device = Model(path)
    figures, checks = file_figures(path, device, parameters)
    words = expected.token_ids.shape[1]
    token_ids = np.pad(expected.token_ids, ((0, 0), (0, LENGTH - words)))
    for runtime in get_args(Runtime):
        run = open_signatures(device.flatbuffer, runtime)["classify"]
        probabilities, weights, seconds = [], [], []
        for row in token_ids:
            start = time.perf_counter()
            outputs = run(token_ids=row[None])
            seconds.append(time.perf_counter() - start)
            probabilities.append(outputs["probabilities"][0])
            weights.append(outputs["weights"][0, :words])
        found = np.array(probabilities)
        checks += compare(
            path.name, runtime, quantization, expected, found, np.array(weights)
        )
        figures[f"accuracy, {runtime}"] = share_right(found, expected)
        figures[f"largest difference of a probability, {runtime}"] = float(
            np.abs(found - expected.probabilities).max()
        )
        figures[f"sentences a second, {runtime}"] = round(1 / median(seconds))
    return figures, checks


def compare(
    name: str,
    runtime: str,
    quantization: Quantization,
    expected: Expected,
    probabilities: np.ndarray,
    weights: np.ndarray,
) -> list[Check]:
    """Hold a file's numbers against Keras's.

    A label may be another than Keras's where its two largest probabilities are nearer
    one another than twice what a file may be off.
    """
    allowed = ALLOWED_DIFFERENCE[quantization]
    others = probabilities.argmax(axis=1) != expected.probabilities.argmax(axis=1)
    second, first = np.sort(expected.probabilities, axis=1)[:, -2:].T
    far = int(np.sum(others & (first - second > 2 * allowed)))
    return [
        Check(
            name,
            f"largest difference of a {what} from Keras's, {runtime}",
            float(np.abs(ours - theirs).max()),
            allowed,
        )
        for what, ours, theirs in (
            ("probability", probabilities, expected.probabilities),
            ("weight", weights, expected.weights),
        )
    ] + [Check(name, f"labels that are not Keras's, {runtime}", far, expected=0)]


def share_right(probabilities: np.ndarray, expected: Expected) -> float:
    """The accuracy of probabilities (N, K)."""
    return float(np.mean(probabilities.argmax(axis=1) == expected.class_ids))
