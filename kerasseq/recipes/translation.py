"""The recipe of the translator: SavedModel and `.tflite` files, checked."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.pairs import Pair
from kerasseq.files.report import Check
from kerasseq.models.translation import read_translation_config
from kerasseq.recipes.made_up import RANDOM_PIECES, random_pieces
from kerasseq.recipes.shipping import Measured, OpenFile, about, check_size, ship
from kerasseq.recipes.translations import (
    SEED,
    TEMPERATURE,
    Expected,
    certain_loss,
    chrf_of_each,
    differs_beyond_rounding,
    first_logits,
    padded,
    relative_difference,
    scores,
    translate_each,
)
from kerasseq.signatures.translating import translate_ids
from kerasseq.signatures.translation import (
    BEAM_WIDTH,
    MOST_HYPOTHESES,
    TranslationOnIds,
)
from kerasseq.signatures.translation_of_text import TranslationOnText
from kerasseq.text.reading import read_text
from kerasseq.text.subwords import FIRST_BYTE, START, Subwords

# In two runtimes, in three formats, greedy and by beam: more would take minutes.
CHECKED_PAIRS = 100
BEAM_WIDTHS = (1, BEAM_WIDTH)
# The root mean square of a logit's difference from Keras's, in standard deviations of
# the logits.
ALLOWED_DIFFERENCE = {"float32": 1e-4, "float16": 1e-2, "int8": 0.2}
# How much lower a file's mean chrF of a sentence may be than Keras's, beyond chance.
ALLOWED_LOSS = {"float32": 0.0, "float16": 0.1, "int8": 0.3}
# The score of a translation may differ by as much from rounding.
ROUNDING = 1e-3


def ship_translation(
    stem: Path,
    model: keras.Model,
    vocabulary: Subwords,
    training: Mapping[str, Any],
    held_out: Sequence[Pair] | None = None,
) -> Measured:
    """Write and check the files of a translator; see `Recipe.ship`."""
    on_ids = TranslationOnIds(model)
    on_text = TranslationOnText(on_ids, vocabulary)
    expected = expect(model, on_ids, vocabulary, held_out)
    signatures = on_ids.device_signatures()
    memory = signatures["encode"].output_shapes
    sizes = read_translation_config(model)
    figures: dict[str, Any] = RANDOM_PIECES if held_out is None else {}
    for width, translations in expected.translations.items():
        figures |= scores(
            translations, expected.targets, vocabulary, f"beam {width}, Keras"
        )
    return ship(
        stem,
        model,
        vocabulary.to_json(),
        {
            **about("translator", model, training),
            "length": on_ids.max_length,
            "model_size": sizes.model_size,
            "heads": sizes.num_heads,
            "encoder_blocks": sizes.encoder_blocks,
            "decoder_blocks": sizes.decoder_blocks,
            "vocabulary_size": len(vocabulary),
            "memory_shapes": [
                list(memory[f"memory_{index}"]) for index in range(len(memory) - 1)
            ],
            "state_shapes": [
                list(shape)
                for shape in on_ids.state_shapes(MOST_HYPOTHESES, on_ids.max_length)
            ],
            "held_out_loss": training.get("held-out loss, nats a piece"),
        },
        {**figures, "sentences read by the checks": len(expected.source_ids)},
        on_text=on_text,
        text_signatures={"translate": on_text.translate},
        on_ids=on_ids,
        device_signatures=signatures,
        formats=ALLOWED_DIFFERENCE,
        check_saved_model=partial(
            check_saved_model, vocabulary=vocabulary, expected=expected
        ),
        check_file=partial(
            check_file,
            model=model,
            vocabulary=vocabulary,
            expected=expected,
            graph_bytes=on_ids.graph_bytes(),
        ),
    )


def read_translated_pairs(path: Path) -> list[Pair]:
    """Read the `held_out.tsv` of a run: source and reference first on each line.

    Raises:
        ValueError: the file is missing, is not text, or a line has one column.
    """
    rows = [line.split("\t") for line in read_text(path).split("\n")[1:] if line]
    if not all(len(row) >= 2 for row in rows):
        raise ValueError(f"{path} has a line without a tab; run the training again")
    return [Pair(source, target) for source, target, *_ in rows]


def expect(
    model: keras.Model,
    on_ids: TranslationOnIds,
    vocabulary: Subwords,
    held_out: Sequence[Pair] | None,
) -> Expected:
    """Let the Keras model translate held-out sources, or else random pieces."""
    targets = None
    if held_out is None:
        sources: Sequence[str] = random_pieces(vocabulary)
    else:
        step = -(-len(held_out) // CHECKED_PAIRS) or 1
        sources = [pair.source for pair in held_out[::step]]
        targets = [pair.target for pair in held_out[::step]]
    ids = [vocabulary.encode(source) for source in sources]
    source_ids = padded(ids, on_ids.max_length)
    start = np.full((len(ids), 1), START, np.int32)
    outputs = model.predict_on_batch({"source_ids": source_ids, "target_ids": start})
    translations = {
        width: translate_ids(on_ids, ids, beam_width=width) for width in BEAM_WIDTHS
    }
    chrf = {
        width: chrf_of_each(found, targets, vocabulary)
        for width, found in translations.items()
        if targets is not None
    }
    sampled = translate_ids(on_ids, ids, temperature=TEMPERATURE, seed=SEED)
    return Expected(
        source_ids, targets, outputs["logits"][:, 0], translations, chrf, sampled
    )


def check_saved_model(
    loaded: Any, vocabulary: Subwords, expected: Expected
) -> list[Check]:
    """The SavedModel, loaded again, divides as Python does and translates as Keras."""
    sources = [row[row >= FIRST_BYTE] for row in expected.source_ids]
    found = loaded.signatures["translate"](
        sentences=tf.constant([vocabulary.decode(ids) for ids in sources]),
        temperature=tf.constant(0.0),
        seed=tf.constant(0),
    )
    divided = [
        [piece for piece in row if piece] for row in found["source_pieces"].numpy()
    ]
    contents = [[vocabulary.contents[each] for each in ids] for ids in sources]
    translations = [text.decode() for text in found["translations"].numpy()]
    wanted = expected.translations[BEAM_WIDTH]
    others = [
        abs(score - each.score) > ROUNDING
        for text, score, each in zip(
            translations, found["scores"].numpy(), wanted, strict=True
        )
        if text != vocabulary.decode(each.ids)
    ]
    name = "saved_model"
    return [
        Check(name, "divides as Python does", divided == contents, expected=True),
        Check(name, "translations that are not Keras's", sum(others), expected=0),
    ]


def check_file(
    file: OpenFile,
    model: keras.Model,
    vocabulary: Subwords,
    expected: Expected,
    graph_bytes: int,
) -> Measured:
    """Let one file translate, greedily and by beam search, in both runtimes.

    In float32 a translation must be Keras's, unless both have the same score but for
    rounding, and a sampled one, unless rounding decides between two ids. In fewer bits
    the translations must not be worse than Keras's.
    """
    figures: dict[str, Any] = {}
    checks = [check_size(file, model, graph_bytes)]
    number_format = file.number_format
    for runtime, signatures in file.runtimes.items():
        logits = first_logits(
            signatures, expected.source_ids, file.model.state_shapes()
        )
        difference = relative_difference(logits, expected.logits)
        promise = f"difference of the first logits from Keras's, {runtime}"
        allowed = ALLOWED_DIFFERENCE[number_format]
        checks.append(Check(file.name, promise, difference, allowed))
        for width, wanted in expected.translations.items():
            where = f"beam {width}, {runtime}"
            found, speed = translate_each(
                signatures["translate"], expected.source_ids, width
            )
            figures[f"milliseconds a sentence, {where}"] = speed
            figures |= scores(found, expected.targets, vocabulary, where)
            same = [
                np.array_equal(one.ids, other.ids)
                for one, other in zip(found, wanted, strict=True)
            ]
            figures[f"fraction of translations that are Keras's, {where}"] = float(
                np.mean(same)
            )
            if number_format == "float32":
                worse = sum(
                    not equal and abs(one.score - other.score) > ROUNDING
                    for equal, one, other in zip(same, found, wanted, strict=True)
                )
                promise = f"translations that are not Keras's, {where}"
                checks.append(Check(file.name, promise, worse, expected=0))
            elif expected.targets is not None:
                found_chrf = chrf_of_each(found, expected.targets, vocabulary)
                loss = certain_loss(found_chrf, expected.chrf[width])
                promise = f"chrF below Keras's, beyond chance, {where}"
                checks.append(
                    Check(file.name, promise, loss, ALLOWED_LOSS[number_format])
                )
        if number_format == "float32":
            found, _ = translate_each(
                signatures["translate"], expected.source_ids, temperature=TEMPERATURE
            )
            others = sum(
                differs_beyond_rounding(one, other, row, model)
                for one, other, row in zip(
                    found, expected.sampled, expected.source_ids, strict=True
                )
            )
            promise = f"samples that differ from Keras's beyond rounding, {runtime}"
            checks.append(Check(file.name, promise, others, expected=0))
    return figures, checks
