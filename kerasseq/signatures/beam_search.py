"""Beam search: the same in Keras, SavedModel and TFLite.

Only operations that TFLite has built in are used.
Shapes: B sources, K hypotheses on each, T target steps, S source steps, V vocabulary.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from kerasseq.signatures.generation import iterate
from kerasseq.signatures.sampling import Draw
from kerasseq.signatures.states import Shapes, States
from kerasseq.text.subwords import END, PAD, START

# Below the log probability of any real hypothesis, and far from overflow.
LOWEST = -1e9

# From ids int32 (B K,) and states of B K rows to logits float32 (B, K, V), alignment
# float32 (B, K, S) and the new states.
TranslationStep: TypeAlias = Callable[
    [tf.Tensor, States], tuple[tf.Tensor, tf.Tensor, States]
]


class Translations(NamedTuple):
    """The best hypothesis on each source.

    Attributes:
        ids: int32 (B, T), with its `END`, and `PAD` after it.
        score: float32 (B,), the logarithm of its probability divided by the penalty of
            its length.
        alignment: float32 (B, T, S), how much each id looked at each source id; a row
            sums to 1, or is zeros after `END`.
        finished: int32 (B,), 1 if it ended, 0 if it was cut since none ended.
    """

    ids: tf.Tensor
    score: tf.Tensor
    alignment: tf.Tensor
    finished: tf.Tensor


class Hypotheses(NamedTuple):
    """The hypotheses in a search, best first.

    Attributes:
        ids: int32 (B, K, 1 + T), the first of them `START`.
        totals: float32 (B, K), the sums of their log probabilities.
        alignment: float32 (B, K, T, S).
    """

    ids: tf.Tensor
    totals: tf.Tensor
    alignment: tf.Tensor


def beam_search(
    step: TranslationStep,
    state_shapes: Shapes,
    limits: tf.Tensor,
    length_penalty: tf.Tensor,
    sizes: tuple[int, int | tf.Tensor, int | tf.Tensor],
    width: tf.Tensor | None = None,
    draw: Draw | None = None,
) -> Translations:
    """Search for the best translations.

    In each iteration the K best of all continuations are kept. A hypothesis that ended
    stays among them until K others are better, so K = 1 is greedy search. Equally good
    ones are kept in the order of their rows, then of their ids. The score is that of
    Wu et al. 2016, "Google's Neural Machine Translation System", section 7, equation
    14, without its coverage penalty: log P(Y|X) / lp(Y) with lp(Y) = ((5 + |Y|) / 6) **
    alpha, where |Y| counts `END`.

    The search ends when no hypothesis can become better than the best that ended. One
    that reaches the limit without an end is cut there.

    Args:
        step: the model.
        state_shapes: of the states, of B K rows. Before the first id they are zeros.
        limits: int32 (B,), the most ids of a translation, from 1 to T.
        length_penalty: alpha, float32 (), from 0 up; the larger, the longer.
        sizes: K, T and S.
        width: int32 (), the number of hypotheses, where it is less than K.
        draw: continues the only hypothesis, where K is 1. By default, the likeliest id
            does.
    """
    num_hypotheses, target_length, source_length = sizes
    num_sources = tf.size(limits)
    positions = tf.range(target_length + 1)
    first_rows = num_hypotheses * tf.range(num_sources)[:, None]

    def penalties(lengths: tf.Tensor) -> tf.Tensor:
        return tf.pow((5.0 + tf.cast(lengths, tf.float32)) / 6.0, length_penalty)

    def are_closed(hypotheses: Hypotheses) -> tf.Tensor:
        at_limit = count_ids(hypotheses) >= limits[:, None]
        return have_ended(hypotheses) | at_limit

    def body(
        step: TranslationStep, index: tf.Tensor, before: Hypotheses, states: States
    ) -> tuple[Hypotheses, States]:
        last = tf.gather(before.ids, index, axis=2)
        logits, looked, states = step(tf.reshape(last, (-1,)), states)
        closed = are_closed(before)
        ids, log_probabilities = continue_each(
            logits, closed, num_hypotheses, draw and partial(draw, index)
        )
        totals = tf.maximum(before.totals[..., None] + log_probabilities, LOWEST)
        lengths = count_ids(before) + tf.where(closed, 0, 1)
        scores = totals / penalties(lengths)[..., None]
        continuations = ids.shape[-1]
        ids, totals, scores = (
            tf.reshape(x, (-1, num_hypotheses * continuations))
            for x in (ids, totals, scores)
        )
        best = tf.math.top_k(scores, num_hypotheses).indices  # ties by lower index
        ids, totals = (tf.gather(x, best, batch_dims=1) for x in (ids, totals))
        if width is not None:
            totals = tf.where(tf.range(num_hypotheses) < width, totals, LOWEST)
        parents = tf.gather(tf.repeat(tf.range(num_hypotheses), continuations), best)
        kept_ids = tf.gather(before.ids, parents, batch_dims=1)
        looked = tf.where(closed[..., None], 0.0, looked)[:, :, None]
        here = (positions[:-1] == index)[:, None]
        alignment = tf.where(here, looked, before.alignment)
        after = Hypotheses(
            tf.where(positions == index + 1, ids[..., None], kept_ids),
            totals,
            tf.gather(alignment, parents, batch_dims=1),
        )
        rows = tf.reshape(first_rows + parents, (-1,))
        return after, [tf.gather(state, rows) for state in states]

    def going(hypotheses: Hypotheses) -> tf.Tensor:
        """Whether a hypothesis can still become better than the best that ended."""
        scores = hypotheses.totals / penalties(count_ids(hypotheses))
        ended = tf.where(have_ended(hypotheses), scores, LOWEST)
        # Its total can only fall, and its length grow up to the limit.
        bounds = hypotheses.totals / penalties(limits)[:, None]
        bounds = tf.where(are_closed(hypotheses), LOWEST, bounds)
        ahead = tf.reduce_max(bounds, axis=1) - tf.reduce_max(ended, axis=1)
        return tf.reduce_max(ahead) > 0.0

    # A constant would be stored, and could be larger than the model.
    no_id = tf.minimum(limits[0], PAD)
    zero = tf.cast(no_id, tf.float32)
    start = tf.where(positions == 0, START, PAD)
    first = Hypotheses(
        tf.fill([num_sources, num_hypotheses, target_length + 1], no_id) + start,
        # At first all rows are the same, and one of them is enough.
        tf.tile(
            tf.where(tf.range(num_hypotheses) == 0, 0.0, LOWEST)[None], [num_sources, 1]
        ),
        tf.fill([num_sources, num_hypotheses, target_length, source_length], zero),
    )
    states = [tf.fill(shape, zero) for shape in state_shapes]
    found, _ = iterate(step, tf.constant(0), target_length, body, first, states, going)
    scores = found.totals / penalties(count_ids(found))
    ended = have_ended(found)
    best = tf.argmax(
        tf.where(ended, scores, scores + LOWEST), axis=1, output_type=tf.int32
    )
    ids, score, alignment, finished = (
        tf.gather(x, best, batch_dims=1)
        for x in (found.ids, scores, found.alignment, tf.cast(ended, tf.int32))
    )
    return Translations(ids[:, 1:], score, alignment, finished)


def count_ids(hypotheses: Hypotheses) -> tf.Tensor:
    """The number of ids of each hypothesis, without `START`, int32 (B, K)."""
    written = tf.cast(hypotheses.ids != PAD, tf.int32)
    return tf.reduce_sum(written, axis=2) - 1


def have_ended(hypotheses: Hypotheses) -> tf.Tensor:
    """Whether each hypothesis ends with `END`, bool (B, K)."""
    ends = tf.reduce_max(tf.cast(hypotheses.ids == END, tf.float32), axis=2)
    return (ends > 0.0) & (hypotheses.totals > LOWEST / 2)


def continue_each(
    logits: tf.Tensor,
    closed: tf.Tensor,
    count: int,
    draw: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The best continuations of each hypothesis, or one that is drawn.

    Args:
        logits: float32 (B, K, V).
        closed: bool (B, K). Its only continuation is `PAD`, which costs nothing.
        count: how many.
        draw: from logits to an index; the count is 1.

    Returns:
        ids int32 (B, K, count or V - 2), and their log probabilities, float32.
    """
    written = logits[..., END:]  # neither PAD nor START
    if draw is None:
        # At a tie, the lower id comes first.
        kept, ids = tf.math.top_k(written, min(count, written.shape[-1]))
    else:
        ids = draw(written)[..., None]
        kept = tf.gather(written, ids, batch_dims=2)
    largest = tf.reduce_max(logits, axis=-1, keepdims=True)
    exponentials = tf.exp(logits - largest)
    total = largest + tf.math.log(tf.reduce_sum(exponentials, axis=-1, keepdims=True))
    log_probabilities = kept - total
    stay = tf.where(tf.range(ids.shape[-1]) == 0, 0.0, LOWEST)
    return (
        tf.where(closed[..., None], PAD, ids + END),
        tf.where(closed[..., None], stay, log_probabilities),
    )
