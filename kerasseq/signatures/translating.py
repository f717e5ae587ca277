"""Many sources translated in batches, by the search of the exported files.

Shapes: N ids of a translation, S ids of its source.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasseq.layers.checks import check_at_least
from kerasseq.signatures.translation import (
    BEAM_WIDTH,
    LENGTH_PENALTY,
    TranslationOnIds,
)
from kerasseq.text.subwords import END, PAD

BATCH_SIZE = 64


class Translation(NamedTuple):
    """A translation of one source.

    Attributes:
        ids: int32 (N,), without its `END`.
        score: the logarithm of its probability, divided by the penalty of its length.
        alignment: float32 (N, S), how much each id looked at each id of the source, its
            `END` included; rows sum to 1.
        finished: False if it was cut.
    """

    ids: np.ndarray
    score: float
    alignment: np.ndarray
    finished: bool


def translate_ids(
    translating: TranslationOnIds,
    sources: Sequence[Sequence[int] | np.ndarray],
    *,
    beam_width: int = BEAM_WIDTH,
    length_penalty: float = LENGTH_PENALTY,
    max_length: int | None = None,
) -> list[Translation]:
    """Translate many sources, in batches of similar lengths.

    Args:
        translating: the translator; its model's current weights are used.
        sources: ids of each, without `END`; those beyond the model's `max_length` are
            left out.
        beam_width: the number of hypotheses on each source; 1 is greedy.
        length_penalty: alpha of `beam_search`.
        max_length: the most ids of a translation, `END` included; by default the
            model's. It never has more than `MOST_MORE` more than its source.

    Returns:
        A translation of each source.

    Raises:
        ValueError: a setting is out of its range.
    """
    check_at_least(1, beam_width=beam_width)
    most = translating.max_length
    if max_length is None:
        max_length = most
    if not 1 <= max_length <= most:
        raise ValueError(f"max_length={max_length} is not from 1 to the model's {most}")
    if not 0 <= length_penalty < float("inf"):
        raise ValueError(f"length_penalty={length_penalty} is not a number from 0 up")
    ended = [[*ids[: most - 1], END] for ids in sources]
    order = sorted(range(len(ended)), key=lambda index: len(ended[index]))
    search = translating.searching(beam_width)
    found: dict[int, Translation] = {}
    for start in range(0, len(order), BATCH_SIZE):
        batch = order[start : start + BATCH_SIZE]
        source_ids = keras.utils.pad_sequences(
            [ended[index] for index in batch], padding="post"
        )
        results = search(
            tf.constant(source_ids),
            tf.constant(max_length),
            tf.constant(length_penalty),
        )
        for index, *row in zip(batch, *(each.numpy() for each in results), strict=True):
            ids, score, alignment, finished = row
            count = int(np.sum(ids != PAD)) - int(finished)
            found[index] = Translation(
                ids[:count],
                float(score),
                alignment[:count, : len(ended[index])],
                bool(finished),
            )
    return [found[index] for index in range(len(sources))]
