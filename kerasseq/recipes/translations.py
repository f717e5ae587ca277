"""Translations by a file, and how far they are from Keras's."""

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasseq.files.runtimes import Signature
from kerasseq.on_device.tokens import uniform_numbers
from kerasseq.recipes.rounding import common_length, possible_tokens
from kerasseq.recipes.stepping import zeros
from kerasseq.scores.translation import bleu, chrf
from kerasseq.signatures.translating import Translation
from kerasseq.signatures.translation import LENGTH_PENALTY
from kerasseq.text.subwords import END, PAD, START, Subwords

# Of the translations that are sampled to check a file.
SEED, TEMPERATURE = 1, 1.0


class Expected(NamedTuple):
    """What Keras makes of N held-out sources.

    Attributes:
        source_ids: int32 (N, S), each with its `END`, padded to a file's length.
        targets: N texts, or None where none is known.
        logits: float32 (N, V), of the first id of each translation.
        translations: by the width of the beam, N translations.
        chrf: by the width of the beam, the chrF of each, float (N,), where the targets
            are known.
        sampled: N translations for the seed `SEED`.
    """

    source_ids: np.ndarray
    targets: Sequence[str] | None
    logits: np.ndarray
    translations: Mapping[int, Sequence[Translation]]
    chrf: Mapping[int, np.ndarray]
    sampled: Sequence[Translation]


def translate_each(
    translate: Signature,
    source_ids: np.ndarray,
    beam_width: int = 1,
    temperature: float = 0.0,
) -> tuple[list[Translation], float]:
    """Let a file translate one source after the other.

    Args:
        translate: the file's signature of that name.
        source_ids: int32 (N, S).
        beam_width: of the search.
        temperature: 0, or that of the sampling, for the seed `SEED`.

    Returns:
        N translations, and the median of the milliseconds that one takes.
    """
    translations, seconds = [], []
    for row in source_ids:
        start = time.perf_counter()
        outputs = translate(
            source_ids=row[None],
            beam_width=np.array([beam_width], np.int32),
            length_penalty=np.array([LENGTH_PENALTY], np.float32),
            max_length=np.array([len(row)], np.int32),
            temperature=np.array([temperature], np.float32),
            uniforms=uniform_numbers(SEED, 0, len(row)),
        )
        seconds.append(time.perf_counter() - start)
        ids, finished = outputs["ids"][0], bool(outputs["finished"][0])
        count, length = int(np.sum(ids != PAD)) - finished, int(np.sum(row != PAD))
        translations.append(
            Translation(
                ids[:count].copy(),
                float(outputs["score"][0]),
                outputs["alignment"][0, :count, :length].copy(),
                finished,
            )
        )
    return translations, 1000 * median(seconds)


def first_logits(
    signatures: Mapping[str, Signature],
    source_ids: np.ndarray,
    state_shapes: dict[str, list[int]],
) -> np.ndarray:
    """The logits of the first id of each translation, by `encode` and `step`.

    Returns:
        float32 (N, V).
    """
    states = zeros(state_shapes)
    token = np.full(len(states["state_0"]), START, np.int32)
    rows = []
    for row in source_ids:
        memory = signatures["encode"](source_ids=row[None])
        memory = {name: value.copy() for name, value in memory.items()}
        outputs = signatures["step"](token=token, **memory, **states)
        rows.append(outputs["logits"][0].copy())
    return np.stack(rows)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The root mean square of the difference, in standard deviations of the second."""
    return float(np.sqrt(np.square(found - expected).mean()) / expected.std())


def scores(
    translations: Sequence[Translation],
    targets: Sequence[str] | None,
    vocabulary: Subwords,
    where: str,
) -> dict[str, Any]:
    """Measurements of translations; BLEU and chrF where the targets are known."""
    cut = sum(not each.finished for each in translations)
    figures: dict[str, Any] = {f"translations that were cut, {where}": cut}
    if targets is not None:
        texts = [vocabulary.decode(each.ids) for each in translations]
        figures |= {
            f"BLEU, {where}": bleu(texts, targets),
            f"chrF, {where}": chrf(texts, targets),
        }
    return figures


def chrf_of_each(
    translations: Sequence[Translation], targets: Sequence[str], vocabulary: Subwords
) -> np.ndarray:
    """The chrF of each of N translations, float (N,)."""
    texts = [vocabulary.decode(each.ids) for each in translations]
    pairs = zip(texts, targets, strict=True)
    return np.array([chrf([text], [target]) for text, target in pairs])


def certain_loss(found: np.ndarray, expected: np.ndarray) -> float:
    """How much chrF of a sentence falls on average, less two standard errors.

    A few translations differ by rounding, for better or worse, and with N of them the
    mean difference is known only so well.

    Args:
        found: of each translation, float (N,).
        expected: of Keras's.
    """
    differences = expected - found
    return float(differences.mean() - 2 * differences.std() / np.sqrt(len(differences)))


def differs_beyond_rounding(
    found: Translation, wanted: Translation, source_ids: np.ndarray, model: keras.Model
) -> bool:
    """Whether a sampled translation is not what Keras's logits and the seed give.

    Args:
        found: for the seed `SEED`.
        wanted: that of Keras.
        source_ids: int32 (S,).
        model: the Keras model.
    """
    ids, expected = ([*each.ids, *[END] * each.finished] for each in (found, wanted))
    same = common_length(ids, expected)
    pair = ids[same : same + 1] + expected[same : same + 1]
    if len(pair) < 2:
        return bool(pair)
    inputs = {
        "source_ids": source_ids[None],
        "target_ids": np.array([[START, *ids[:same]]], np.int32),
    }
    logits = model(inputs)["logits"].numpy()[0, -1, END:]
    uniform = uniform_numbers(SEED, same, 1)[0]
    possible = possible_tokens(logits, uniform, temperature=TEMPERATURE)
    return not {each - END for each in pair} <= possible


def padded(source_ids: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Sources with their `END`, int32 (N, length); what is too long is left out."""
    rows = np.full((len(source_ids), length), PAD, np.int32)
    for row, ids in zip(rows, source_ids, strict=True):
        ended = [*ids[: length - 1], END]
        row[: len(ended)] = ended
    return rows
