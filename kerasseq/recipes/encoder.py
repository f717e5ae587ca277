"""The recipe of the encoder: SavedModel and `.tflite` files, checked."""

import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.keras_models import load_model
from kerasseq.files.report import Check, read_report
from kerasseq.files.runtimes import Runtime, open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import Quantization
from kerasseq.on_device.generate import Model
from kerasseq.recipes.shipping import about, conclude, file_figures, write_variants
from kerasseq.signatures.encoder import EncoderOnIds, EncoderOnText
from kerasseq.text.words import WordVocabulary, read_sentences

# Words that a `.tflite` reads at once.
LENGTH = 32
CHECKED_SENTENCES = 50
# Largest difference of a vector's number from Keras's. Layer normalisation gives the
# numbers a size of about 1.
ALLOWED_DIFFERENCE = {"float32": 1e-4, "float16": 2e-2, "int8": 0.5}


def export_encoder(directory: str | Path) -> dict[str, Any]:
    """Write and check the SavedModel and the `.tflite` files of a run.

    Args:
        directory: of the run; its folder encoder holds encoder.keras, vocabulary.json
            and sentences.txt, the sentences that the files are checked on.

    Returns:
        What was measured; it is in the report too.

    Raises:
        ValueError: something that the run wrote is missing or does not fit.
        ChecksFailed: a file does not keep its promises; the message says which.
    """
    folder = Path(directory) / "encoder"
    encoder = load_model(folder / "encoder.keras")
    vocabulary = WordVocabulary.load(folder / "vocabulary.json")
    module = EncoderOnIds(encoder)
    sentence_module = EncoderOnText(module, vocabulary)
    sentences = read_sentences(folder / "sentences.txt")[:CHECKED_SENTENCES]

    saved_model = write_saved_model(
        sentence_module, folder / "saved_model", {"encode": sentence_module.encode}
    )
    checks = check_saved_model(saved_model, encoder, vocabulary, sentences)
    signatures = module.device_signatures(min(LENGTH, module.max_length))
    card = describe(encoder, module, read_report(directory).get("encoder", {}))
    measured, more = write_variants(
        folder / "encoder",
        module,
        signatures,
        card,
        vocabulary.to_json(),
        lambda path, weights: check_tflite(
            path, weights, encoder, vocabulary, sentences
        ),
    )
    figures = {
        "parameters": encoder.count_params(),
        "sentences read by the checks": len(sentences),
        **measured,
    }
    return conclude(directory, "encoder_export", figures, [*checks, *more])


def check_saved_model(
    path: Path,
    encoder: keras.Model,
    vocabulary: WordVocabulary,
    sentences: tuple[str, ...],
) -> list[Check]:
    """The SavedModel, loaded again, splits and encodes as Python and Keras do."""
    loaded = tf.saved_model.load(str(path))
    found = loaded.signatures["encode"](sentences=tf.constant(sentences))
    max_length = encoder.get_layer("positions").max_length
    token_ids = keras.utils.pad_sequences(
        [vocabulary.encode(line)[:max_length] for line in sentences], padding="post"
    )
    tokens = np.array(vocabulary.words)[token_ids].tolist()
    same = [[word.decode() for word in row] for row in found["tokens"].numpy()]
    embeddings, weights = encode_by_keras(encoder, token_ids)
    compared = [
        ("vectors", found["embeddings"].numpy(), embeddings),
        ("attention weights", found["weights"].numpy(), weights),
    ]
    return [
        Check(path.name, "splits words as Python does", same == tokens, expected=True),
        *(
            Check(
                path.name,
                f"largest difference of the {name} from Keras's",
                float(np.abs(ours - theirs).max()),
                ALLOWED_DIFFERENCE["float32"],
            )
            for name, ours, theirs in compared
        ),
    ]


def check_tflite(
    path: Path,
    quantization: Quantization,
    encoder: keras.Model,
    vocabulary: WordVocabulary,
    sentences: tuple[str, ...],
) -> tuple[dict[str, Any], list[Check]]:
    """Run one file beside Keras, sentence by sentence, in both runtimes.

    Returns:
        What was measured, by name, and the checks.
    """
    device = Model(path)
    length = device.card["length"]
    figures, checks = file_figures(path, device, encoder.count_params())
    token_ids = keras.utils.pad_sequences(
        [vocabulary.encode(line) for line in sentences],
        length,
        padding="post",
        truncating="post",
    )
    expected, _ = encode_by_keras(encoder, token_ids)
    for runtime in get_args(Runtime):
        run = open_signatures(device.flatbuffer, runtime)["encode"]
        differences, seconds = [], []
        for row, vectors in zip(token_ids, expected, strict=True):
            start = time.perf_counter()
            outputs = run(token_ids=row[None])
            seconds.append(time.perf_counter() - start)
            words = np.count_nonzero(row)
            found = outputs["embeddings"][0, :words]
            differences.append(float(np.abs(found - vectors[:words]).max()))
        promise = f"largest difference of the vectors from Keras's, {runtime}"
        allowed = ALLOWED_DIFFERENCE[quantization]
        checks.append(Check(path.name, promise, max(differences), allowed))
        figures[f"largest difference, {runtime}"] = max(differences)
        figures[f"sentences a second, {runtime}"] = round(1 / median(seconds))
    return figures, checks


def encode_by_keras(
    encoder: keras.Model, token_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (B, T, C) and attention weights (B, N, H, T, T) of the Keras model."""
    outputs = encoder.predict_on_batch(token_ids)
    embeddings = outputs.pop("embeddings")
    weights = [outputs[f"attention_{block}"] for block in range(len(outputs))]
    return embeddings, np.stack(weights, axis=1)


def describe(
    encoder: keras.Model, module: EncoderOnIds, training: dict[str, Any]
) -> dict[str, Any]:
    """The card that travels inside the files."""
    return {
        **about("encoder", encoder),
        "length": min(LENGTH, module.max_length),
        "model_size": encoder.get_layer("embedding").output_dim,
        "vocabulary_size": encoder.get_layer("embedding").input_dim,
        "sentences": training.get("sentences"),
        "masked_word_loss": training.get("loss of masked words"),
    }
