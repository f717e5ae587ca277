"""Many sources translated in batches, by the search of the exported files.

Shapes: N ids of a translation, S ids of its source.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasseq.layers.checks import check_at_least
from kerasseq.signatures.beam_search import Translations
from kerasseq.signatures.sampling import Settings, uniform_numbers
from kerasseq.signatures.translation import (
    BEAM_WIDTH,
    LENGTH_PENALTY,
    MOST_MORE,
    TranslationOnIds,
    drawing,
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


@functools.cache
def searching(
    translating: TranslationOnIds, num_hypotheses: int
) -> Callable[..., Translations]:
    """The search of a translator for a batch of any sources, traced once.

    It takes source_ids int32 (B, S), max_length int32 (), length_penalty float32 (),
    temperature float32 () and seed int32 (). One hypothesis is sampled at a temperature
    above 0, on each source as if it were alone; more are not.
    """

    def search(
        source_ids: tf.Tensor,
        max_length: tf.Tensor,
        length_penalty: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
    ) -> Translations:
        length = tf.minimum(max_length, tf.shape(source_ids)[1] + MOST_MORE)
        uniforms = uniform_numbers(seed, tf.constant(0), length)
        return translating.search(
            translating.encode_ids(source_ids),
            tf.fill(tf.shape(source_ids)[:1], max_length),
            length_penalty,
            num_hypotheses,
            length,
            draw=drawing(temperature, uniforms) if num_hypotheses == 1 else None,
        )

    return tf.function(
        search,
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.int32),
        ],
    )


def translate_ids(
    translating: TranslationOnIds,
    sources: Sequence[Sequence[int] | np.ndarray],
    *,
    beam_width: int = BEAM_WIDTH,
    length_penalty: float = LENGTH_PENALTY,
    max_length: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
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
        temperature: 0 searches for the best translation. Above 0, one is sampled, and 1
            is the model's own distribution; the width does not matter then.
        seed: of the sampling, from 0 to 2**31 - 1; the same seed gives the same
            translation of a source, whatever the others are.

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
    Settings(temperature).check()
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed} is not within 0 to 2**31 - 1")
    ended = [[*ids[: most - 1], END] for ids in sources]
    order = sorted(range(len(ended)), key=lambda index: len(ended[index]))
    search = searching(translating, 1 if temperature > 0 else beam_width)
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
            tf.constant(temperature, tf.float32),
            tf.constant(seed),
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
