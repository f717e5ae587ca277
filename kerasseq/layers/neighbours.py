"""What the words around a token say for each class: linear models of its neighbours.

Shapes: B batch, T tokens, K classes, R the reach.
"""

from typing import Any

import keras

from kerasseq.layers.attention import Shape, Tensor
from kerasseq.layers.checks import check_at_least

# A word without a row of its own has the row of this id.
UNKNOWN = 1


def _with_edges(x: Tensor, reach: int) -> Tensor:
    """(B, T, ...) -> (B, R + T + R, ...), zeros outside; exported files have no PAD."""
    edge = [keras.ops.zeros_like(x[:, :1])] * reach
    return keras.ops.concatenate([*edge, x, *edge], axis=1)


@keras.saving.register_keras_serializable(package="kerasseq")
class SumOfNeighbours(keras.layers.Layer):
    """Sums scores that each token gives to the tokens around it.

    Args:
        offsets: of the tokens that are summed, such as -1 for the one before.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        scores: float (B, T, len(offsets) K); of each token K for each offset, which the
            token that has it at this offset receives.

    Returns:
        (B, T, K); tokens outside the sentence give 0.

    Raises:
        ValueError: there are no offsets.
    """

    def __init__(self, offsets: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not offsets:
            raise ValueError("offsets is empty; give at least one, such as -1")
        self.offsets = list(offsets)

    def call(self, scores: Tensor) -> Tensor:
        reach = max(map(abs, self.offsets))
        length = keras.ops.shape(scores)[1]
        for_each = keras.ops.split(
            _with_edges(scores, reach), len(self.offsets), axis=2
        )
        return sum(
            for_one[:, reach + offset : reach + offset + length]
            for offset, for_one in zip(self.offsets, for_each, strict=True)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        *others, width = input_shape
        assert width is not None
        return *others, width // len(self.offsets)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "offsets": self.offsets}


@keras.saving.register_keras_serializable(package="kerasseq")
class WordsAround(keras.layers.Layer):
    """Sums of learned weights of a token's word and of those around it.

    Each of the 2R + 1 places has its own weights of a word, which start as zeros. The
    sentence's edges count as words.

    Args:
        num_words: ids with weights of their own, the lowest; others count as id 1.
        num_classes: K.
        reach: R, how many words are read on each side.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        word_ids: int32 (B, T), 0 at padding, which is on the right.

    Returns:
        float32 (B, T, K).

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self, num_words: int, num_classes: int, reach: int = 2, **kwargs: Any
    ) -> None:
        # Sums of many weights need float32, whatever the dtype policy.
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_at_least(2, num_words=num_words)
        check_at_least(1, num_classes=num_classes, reach=reach)
        self.num_words = num_words
        self.num_classes = num_classes
        self.reach = reach
        offsets = list(range(-reach, reach + 1))
        self.sum = SumOfNeighbours(offsets, dtype="float32")

    def build(self, input_shape: Shape) -> None:
        self.table = self.add_weight(
            shape=(self.num_words, (2 * self.reach + 1) * self.num_classes),
            initializer="zeros",
            name="table",
        )

    def call(self, word_ids: Tensor) -> Tensor:
        word_ids = keras.ops.cast(word_ids, "int32")
        known = keras.ops.where(word_ids < self.num_words, word_ids, UNKNOWN)
        # Padding on both sides, so that both edges are the same to a sentence.
        known = _with_edges(known, self.reach)
        scores = keras.ops.take(self.table, known, axis=0)
        return self.sum(scores)[:, self.reach : -self.reach]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape, self.num_classes

    def get_config(self) -> dict[str, Any]:
        sizes = {
            name: getattr(self, name) for name in ("num_words", "num_classes", "reach")
        }
        return {**super().get_config(), **sizes}
