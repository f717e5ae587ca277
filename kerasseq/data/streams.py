"""A text as parallel streams of next-token examples."""

import mmap
from typing import Any

import numpy as np
import tensorflow as tf

BLOCK = 1 << 19  # ids that are read at a time


def frequency_loss(ids: np.ndarray) -> float:
    """Loss in nats of a model that only knows the frequency of each id."""
    counts = np.zeros(0, np.int64)
    for start in range(0, len(ids), BLOCK):
        more = np.bincount(ids[start : start + BLOCK], minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
        _let_go(ids)
    frequencies = counts[counts > 0] / len(ids)
    return float(-(frequencies * np.log(frequencies)).sum())


def validation_shape(num_characters: int) -> tuple[int, int]:
    """Number and length of streams that leave out hardly any of a held-out text."""
    if num_characters < 2:
        raise ValueError(
            f"the held-out tenth of the text has {num_characters} characters, but it "
            "takes 2 to measure a loss; give a longer text"
        )
    num_streams = max(1, min(16, num_characters // 1000))
    stream_length = (num_characters - 1) // num_streams
    num_batches = -(-stream_length // 256)
    return num_streams, stream_length // num_batches


def next_character_streams(
    ids: np.ndarray, num_streams: int, length: int, rank: int = 0, readers: int = 1
) -> tf.data.Dataset:
    """Cut a text into parallel streams of next-character examples, in reading order.

    Row b of every batch continues row b of the batch before, so that a recurrent state
    can be carried from batch to batch. The end of the text is left out if it does not
    fill a batch: at most `num_streams * length` characters.

    Args:
        ids: int (N,), the text.
        num_streams: B, positions of the text that are read in parallel.
        length: T, characters of a stream in one batch.
        rank: number of this reader, if several read a part of the streams each.
        readers: how many there are; B is a multiple of it, and a batch has fewer rows
            as many times.

    Returns:
        Batches of inputs int32 (B, T) and targets int32 (B, T), which are the inputs
        one character later.

    Raises:
        ValueError: the text is too short for a single batch.

    Example:
        >>> [(x, y)] = next_character_streams(np.arange(5), 2, 2).as_numpy_iterator()
        >>> x.tolist(), y.tolist()
        ([[0, 1], [2, 3]], [[1, 2], [3, 4]])
    """
    stream_length = (len(ids) - 1) // num_streams
    num_batches = stream_length // length
    if num_batches < 1:
        raise ValueError(
            f"{len(ids)} characters are too few for {num_streams} streams of {length}; "
            f"give at least {num_streams * length + 1}, or fewer or shorter streams"
        )
    # Many batches are read at a time, so that reading or skipping one is cheap.
    batches_a_block = max(1, BLOCK // (num_streams * length))

    own = np.split(np.arange(num_streams), readers)[rank]

    def read(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = int(block) * batches_a_block
        starts = own * stream_length + first * length
        count = min(batches_a_block, num_batches - first)
        return _read_batches(ids, starts, count, length)

    def block_of_batches(block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        types = (tf.int32, tf.int32)
        inputs, targets = tf.numpy_function(read, [block], types, stateful=False)
        inputs.set_shape((None, len(own), length))
        targets.set_shape((None, len(own), length))
        return inputs, targets

    num_blocks = -(-num_batches // batches_a_block)
    blocks = tf.data.Dataset.range(num_blocks).map(block_of_batches).prefetch(1)
    num_elements = tf.data.experimental.assert_cardinality(num_batches)
    options = tf.data.Options()
    options.deterministic = True
    # A reader that stops early waits until the autotuner wakes, which can take a minute
    # at the end of a training, and there is nothing to tune here.
    options.autotune.enabled = False
    return blocks.unbatch().apply(num_elements).with_options(options)


def _read_batches(
    ids: np.ndarray, starts: np.ndarray, count: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets int32 (count, B, T); row b of the first is at `starts[b]`."""
    rows = np.stack([ids[start : start + count * length + 1] for start in starts])
    _let_go(ids)
    inputs, targets = (
        ids.reshape(len(starts), count, length).swapaxes(0, 1).astype(np.int32, "C")
        for ids in (rows[:, :-1], rows[:, 1:])
    )
    return inputs, targets


def _let_go(ids: np.ndarray) -> None:
    """Release the memory pages of mapped ids; the system reads them again when needed.

    Otherwise everything ever read would count as the process's memory.
    """
    owner: Any = ids
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or not hasattr(owner, "madvise"):
        return
    # A writable map could lose changes.
    if memoryview(owner).readonly:
        owner.madvise(mmap.MADV_DONTNEED)
