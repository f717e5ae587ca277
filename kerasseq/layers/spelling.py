"""What the spellings of words say for each class: a linear model on their n-grams.

Shapes: B batch, T words, L bytes of a word, N n-grams of a word, K classes.
"""

from typing import Any

import keras
import numpy as np

from kerasseq.layers.attention import Shape, Tensor
from kerasseq.layers.checks import check_at_least, check_fraction

# The bytes of an n-gram.
NGRAMS = 2, 3, 4
# Stands before the first byte; no word contains it. 0 stands after the last.
START = 2
FACTOR = 257
# So many that a row times the factor stays below 2**24, exact in float32 too: some
# accelerators compute with integers as floats.
MOST_ROWS = 65_000
# What the n-grams of bytes and those of their shapes start from, so that equal ones
# have different rows.
SALTS = 0, 101

LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8).astype(np.int32)


def _shape(byte: int) -> int:
    character = chr(byte)
    if byte >= 128:
        return ord("u")
    if character.isdigit():
        return ord("d")
    return ord("X" if character.isupper() else "x") if character.isalpha() else byte


SHAPES = np.array([_shape(byte) for byte in range(256)], np.int32)


@keras.saving.register_keras_serializable(package="kerasseq")
class SpellingScores(keras.layers.Layer):
    """Sums of learned weights of a word's n-grams, one for each class.

    A word is read twice: as lower-cased bytes, and as shapes of bytes (X for a
    capital of ASCII, x for another letter, d for a digit, u for a byte of any other
    character, and signs as themselves). Each reading has its n-grams of 2, 3 and 4,
    the word's start and end counted as bytes (Bojanowski et al. 2017, "Enriching Word
    Vectors with Subword Information", section 3.2). They share `num_rows` rows. The
    sum is divided by the root of their number.

    The row of bytes a, b, ... is the number with these digits in base 257, plus a
    multiple of 101 for shapes, modulo `num_rows`. The weights start as zeros.

    Args:
        num_rows: of the table, from 1 to 65,000.
        num_classes: K.
        dropout: fraction of the rows dropped in training, the same for a batch.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        letters: int (B, T, L), bytes of words, 0 after the last.

    Returns:
        float32 (B, T, K); 0 for a word without bytes.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self, num_rows: int, num_classes: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        # Sums of many weights need float32, whatever the dtype policy.
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_at_least(1, num_rows=num_rows, num_classes=num_classes)
        check_fraction(dropout=dropout)
        if num_rows > MOST_ROWS:
            raise ValueError(f"num_rows={num_rows} must be at most {MOST_ROWS}")
        self.num_rows = num_rows
        self.num_classes = num_classes
        self.dropout = dropout
        # One choice for the whole batch: one for each n-gram of each word takes longer
        # than all the rest of a step.
        self.drop = keras.layers.Dropout(dropout, (num_rows, 1), dtype="float32")

    def build(self, input_shape: Shape) -> None:
        self.table = self.add_weight(
            shape=(self.num_rows, self.num_classes), initializer="zeros", name="table"
        )

    def rows(self, letters: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of the n-grams, int32 (B, T, N), and 1 where there is one."""
        letters = keras.ops.cast(letters, "int32")
        edge = keras.ops.zeros_like(letters[:, :, :1])
        rows, present = [], []
        for table, salt in zip((LOWER, SHAPES), SALTS, strict=True):
            read = keras.ops.take(table, letters, axis=0)
            read = keras.ops.concatenate([edge + START, read, edge], axis=2)
            count = read.shape[2]
            found = read + salt
            for length in NGRAMS:
                # Those of one byte less, each with the byte that follows.
                end = read[:, :, length - 1 :]
                found = FACTOR * found[:, :, : count - length + 1] + end
                found = keras.ops.mod(found, self.num_rows)
                rows.append(found)
                # Each ends with the word's end or before, and has a byte of the word.
                last_but_one = read[:, :, length - 2 : -1]
                present.append(keras.ops.minimum(last_but_one, letters[:, :, :1]))
        there = keras.ops.concatenate(present, axis=2) != 0
        return keras.ops.concatenate(rows, axis=2), keras.ops.cast(there, "float32")

    def call(self, letters: Tensor, training: bool = False) -> Tensor:
        rows, present = self.rows(letters)
        count = keras.ops.sum(present, axis=2, keepdims=True)
        table = self.drop(self.table, training=training)
        weights = keras.ops.take(table, rows, axis=0) * present[..., None]
        root = keras.ops.sqrt(keras.ops.maximum(count, 1))
        return keras.ops.sum(weights, axis=2) / root

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:2], self.num_classes

    def get_config(self) -> dict[str, Any]:
        sizes = {
            name: getattr(self, name) for name in ("num_rows", "num_classes", "dropout")
        }
        return {**super().get_config(), **sizes}
