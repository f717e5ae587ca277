"""The recipe of both kinds of character model: `char_rnn` and `char_transformer`."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasseq.files.keras_models import load_model
from kerasseq.files.report import Check, read_report
from kerasseq.files.saved_model import write_saved_model
from kerasseq.recipes.gate import Gate
from kerasseq.recipes.shipping import VARIANTS, about, conclude, write_variants
from kerasseq.signatures.characters import (
    build_generating_module,
    describe_sizes,
    is_transformer,
    state_shapes,
)
from kerasseq.text.characters import Vocabulary
from kerasseq.text.reading import read_text

SAMPLING_DEFAULTS = {
    "length": 500,
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
}


def export_character_model(name: str, directory: str | Path) -> dict[str, Any]:
    """Write and check the SavedModel and the `.tflite` files of a run.

    Args:
        name: char_rnn or char_transformer.
        directory: of the run; its folder of that name holds NAME.keras,
            vocabulary.json and held_out.txt, the text that the files are checked on.

    Returns:
        What was measured; it is in the report too.

    Raises:
        ValueError: something that the run wrote is missing or does not fit.
        ChecksFailed: a file does not keep its promises; the message says which.
    """
    folder = Path(directory) / name
    model = load_model(folder / f"{name}.keras")
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    module = build_generating_module(model, vocabulary)
    held_out = vocabulary.encode(read_text(folder / "held_out.txt"))
    gate = Gate(model, module, vocabulary, held_out)

    module = build_generating_module(model, vocabulary, frozen=True)
    signatures = module.device_signatures()
    saved_model = write_saved_model(
        module,
        folder / "saved_model",
        {"generate": module.generate, "step": signatures["step"]},
    )
    checks = check_saved_model(saved_model, gate)
    card = describe(model, read_report(directory).get(name, {}))
    measured, more = write_variants(
        folder / name,
        module,
        signatures,
        card,
        vocabulary.to_json(),
        gate.check,
        # No matrix of a Transformer multiplies a state, where int4 would be faster.
        VARIANTS if is_transformer(model) else (*VARIANTS, "int4"),
    )
    figures = {
        "parameters": model.count_params(),
        "characters read by the checks": gate.num_characters,
        "loss of Keras on them": gate.loss,
        **measured,
    }
    return conclude(directory, f"{name}_export", figures, [*checks, *more])


def check_saved_model(path: Path, gate: Gate) -> list[Check]:
    """The SavedModel, loaded again, writes the texts that Keras writes."""
    loaded = tf.saved_model.load(str(path))
    return [
        Check(
            path.name,
            f"text parts from Keras's, temperature {temperature:g}",
            gate.parts(gate.write(loaded, temperature), expected, temperature),
            expected="no",
        )
        for temperature, expected in gate.texts.items()
    ]


def describe(model: keras.Model, training: dict[str, Any]) -> dict[str, Any]:
    """The card that travels inside the files."""
    return {
        **about("character model", model),
        **describe_sizes(model),
        "vocabulary_size": model.output_shape[-1],
        "state_shapes": state_shapes(model, frozen=True),
        "corpus": training.get("corpus"),
        "corpus_sha256": training.get("corpus SHA-256"),
        "held_out_loss": training.get("held-out loss"),
        "sampling_defaults": SAMPLING_DEFAULTS,
    }
