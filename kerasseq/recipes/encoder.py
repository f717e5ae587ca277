"""The recipe of the encoder: SavedModel and `.tflite` files, checked."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.files.report import Check
from kerasseq.recipes.made_up import RANDOM_WORDS, random_sentences
from kerasseq.recipes.sentences import check_words, largest_difference, run_rows
from kerasseq.recipes.shipping import Measured, OpenFile, about, ship
from kerasseq.signatures.encoder import EncoderOnIds, EncoderOnText
from kerasseq.text.words import PAD, WordVocabulary

CHECKED_SENTENCES = 50
# The largest difference of an element of a vector from Keras's. Layer normalization
# gives the elements a size of about 1.
ALLOWED_DIFFERENCE = {"float32": 1e-4, "float16": 2e-2, "int8": 0.5}


def ship_encoder(
    stem: Path,
    encoder: keras.Model,
    vocabulary: WordVocabulary,
    training: Mapping[str, Any],
    held_out: Sequence[str] | None = None,
) -> Measured:
    """Write and check the files of an encoder; see `Recipe.ship`."""
    on_ids = EncoderOnIds(encoder)
    on_text = EncoderOnText(on_ids, vocabulary)
    figures = {} if held_out is not None else RANDOM_WORDS
    if held_out is None:
        held_out = random_sentences(vocabulary)
    sentences = held_out[:CHECKED_SENTENCES]
    length = on_ids.max_length
    token_ids = keras.utils.pad_sequences(
        [vocabulary.encode(line) for line in sentences],
        length,
        padding="post",
        truncating="post",
    )
    embeddings, _ = encode_by_keras(encoder, token_ids)
    return ship(
        stem,
        encoder,
        vocabulary.to_json(),
        {
            **about("encoder", encoder, training),
            "length": length,
            "model_size": encoder.get_layer("embedding").output_dim,
            "heads": encoder.output["attention_0"].shape[1],
            "blocks": len(encoder.output) - 1,
            "vocabulary_size": on_ids.num_words,
            "sentences": training.get("sentences"),
            "masked_word_loss": training.get("loss of masked words"),
        },
        {**figures, "sentences read by the checks": len(sentences)},
        on_text=on_text,
        text_signatures={"encode": on_text.encode},
        on_ids=on_ids,
        device_signatures=on_ids.device_signatures(length),
        formats=ALLOWED_DIFFERENCE,
        check_saved_model=partial(
            check_saved_model,
            encoder=encoder,
            max_length=on_ids.max_length,
            vocabulary=vocabulary,
            sentences=sentences,
        ),
        check_file=partial(check_file, token_ids=token_ids, expected=embeddings),
    )


def check_saved_model(
    loaded: Any,
    encoder: keras.Model,
    max_length: int,
    vocabulary: WordVocabulary,
    sentences: Sequence[str],
) -> list[Check]:
    """The SavedModel, loaded again, splits and encodes as Python and Keras do."""
    found = loaded.signatures["encode"](sentences=tf.constant(sentences))
    token_ids = keras.utils.pad_sequences(
        [vocabulary.encode(line)[:max_length] for line in sentences], padding="post"
    )
    embeddings, weights = encode_by_keras(encoder, token_ids)
    compared = [
        ("vectors", found["embeddings"].numpy(), embeddings),
        ("attention weights", found["weights"].numpy(), weights),
    ]
    name = "saved_model"
    return [
        check_words(found["tokens"].numpy(), token_ids, vocabulary),
        *(
            Check(
                name,
                f"largest difference of the {what} from Keras's",
                largest_difference(ours, theirs),
                ALLOWED_DIFFERENCE["float32"],
            )
            for what, ours, theirs in compared
        ),
    ]


def check_file(file: OpenFile, token_ids: np.ndarray, expected: np.ndarray) -> Measured:
    """Compare one file with Keras, sentence by sentence, in both runtimes.

    Args:
        file: the file.
        token_ids: int32 (N, T), padded to the file's length.
        expected: float32 (N, T, C), Keras's vectors.
    """
    figures: dict[str, Any] = {}
    checks = []
    words = token_ids != PAD
    for runtime, signatures in file.runtimes.items():
        outputs, speed = run_rows(signatures["encode"], token_ids=token_ids)
        # Vectors at padding are not used.
        difference = largest_difference(outputs["embeddings"][words], expected[words])
        promise = f"largest difference of the vectors from Keras's, {runtime}"
        allowed = ALLOWED_DIFFERENCE[file.number_format]
        checks.append(Check(file.name, promise, difference, allowed))
        figures[f"largest difference, {runtime}"] = difference
        figures[f"sentences a second, {runtime}"] = speed
    return figures, checks


def encode_by_keras(
    encoder: keras.Model, token_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (B, T, C) and attention weights (B, N, H, T, T) of the Keras model."""
    outputs = encoder.predict_on_batch(token_ids)
    embeddings = outputs.pop("embeddings")
    weights = [outputs[f"attention_{block}"] for block in range(len(outputs))]
    return embeddings, np.stack(weights, axis=1)
