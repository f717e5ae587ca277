"""Labelled sentences: reading, splitting and batching."""

import collections
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kerasseq.data.label_files import read_label_file
from kerasseq.files.reading import shortened
from kerasseq.text.words import PAD, split_words

# A longer line is not a sentence: the file has another format.
MOST_CHARACTERS = 10_000
HEADER = "; if the line is a header, give --label-column and --text-column"
# Sentences of similar length share a batch, which then needs little padding.
LENGTHS = (16, 32, 64, 128)


class LabelledSentences(NamedTuple):
    """N labels, the names of classes, and the N sentences that they belong to.

    Attributes:
        labels: of the sentences.
        sentences: text.
        form: of the file that they are from, in words.
    """

    labels: tuple[str, ...]
    sentences: tuple[str, ...]
    form: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in code point order."""
        return tuple(sorted(set(self.labels)))

    @property
    def class_ids(self) -> np.ndarray:
        """For each sentence the index of its class in `classes`, int32 (N,)."""
        ids = {name: index for index, name in enumerate(self.classes)}
        return np.array([ids[label] for label in self.labels], np.int32)


def read_labelled_sentences(
    path: str | os.PathLike,
    label_column: str = "",
    text_column: str = "",
    encoding: str = "utf-8",
) -> LabelledSentences:
    """Read a file with a label and a sentence in each row; see `read_label_file`.

    A class may have one example, and its form says so: none of it can be held out.
    Whitespace around labels and blank lines are ignored; Windows line ends are allowed.

    Raises:
        ValueError: the file cannot be read as such; a row has no label or no word, or
            more than 10,000 characters; the columns look swapped; there is only one
            class, or the first row's has no other example, as that of a header. The
            message gives file, line and reason.
    """
    labels, sentences, lines = [], [], []
    rows, form = read_label_file(path, label_column, text_column, encoding)
    for number, (label, sentence) in rows:
        where = f"{path}:{number}"
        length = len(label) + 1 + len(sentence)
        if length > MOST_CHARACTERS:
            raise ValueError(
                f"{where} has {length:,} characters, more than {MOST_CHARACTERS:,}; "
                "give one sentence a line"
            )
        if not label.strip():
            raise ValueError(f"{where} has no label before {shortened(sentence)}")
        if not split_words(sentence):
            raise ValueError(
                f"{where} has no word after {shortened(label)}: {shortened(sentence)}"
            )
        labels.append(label.strip())
        sentences.append(sentence.strip())
        lines.append(number)
    counts = collections.Counter(labels)
    if 1 < len(labels) == len(counts) or len(counts) > len(set(sentences)):
        raise ValueError(
            f"{path} has {len(counts):,} labels in {len(labels):,} rows, such as "
            f"{shortened(labels[0])}: the columns look swapped; put the label first, "
            "or name the columns with --label-column and --text-column"
        )
    if len(counts) > 1 and counts[labels[0]] == 1:
        raise ValueError(
            f"{path}:{lines[0]} is the only example of {shortened(labels[0])}; put it "
            f"further down, if it is one, or correct the label{HEADER}"
        )
    if len(counts) < 2:
        (label,) = counts or ("",)
        raise ValueError(
            f"{path}:{lines[-1] if lines else 1} ends a file whose {len(labels)} "
            f"sentences all have the label {shortened(label)}; a classifier needs at "
            "least two labels"
        )
    form += f", {len(counts):,} labels"
    alone = [label for label in counts if counts[label] == 1]
    if alone:
        more = f" and {len(alone) - 1:,} more" * (len(alone) > 1)
        form += (
            f"; {shortened(alone[0])}{more}: one example, which is learned from and so "
            "not measured; give more"
        )
    return LabelledSentences(tuple(labels), tuple(sentences), form)


def split_by_class(
    class_ids: np.ndarray, fraction: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out the same fraction of every class, never all and if possible one.

    Args:
        class_ids: int (N,), at least two of some class.
        fraction: of each class to hold out.
        seed: decides which.

    Returns:
        Ascending indices to train on and held-out ones, int (M,) and int (N - M,).
    """
    order = np.random.default_rng(seed).permutation(len(class_ids))
    held_out = np.zeros(len(class_ids), bool)
    for class_id in np.unique(class_ids):
        members = order[class_ids[order] == class_id]
        count = round(fraction * len(members))
        held_out[members[: min(max(1, count), len(members) - 1)]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def labelled_batches(
    sequences: Sequence[np.ndarray],
    targets: np.ndarray,
    batch_size: int,
    seed: int | None = None,
    scores: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Sentences and targets in batches for `model.fit`, one pass over all.

    Sentences of similar length share a batch.

    Args:
        sequences: N arrays of ids (T_n,), at least one word each.
        targets: (N, ...).
        batch_size: B; the last batch of each length is smaller.
        seed: not negative; shuffles each pass differently. None for one fixed order.
        scores: (N, ...) of the sentences, a second input.

    Returns:
        Batches of inputs int32 (B, T), T the batch's longest, shorter ones ending in
        `PAD`, and targets (B, ...), with a known cardinality. With scores, the inputs
        are a pair of ids and scores.
    """
    lengths = [len(ids) for ids in sequences]
    joined = tf.RaggedTensor.from_row_lengths(np.concatenate(sequences), lengths)
    others = (targets,) if scores is None else (scores, targets)
    examples = tf.data.Dataset.from_tensor_slices((joined, *others))
    if seed is not None:
        examples = examples.shuffle(len(targets), seed=seed)
    # A row of a ragged tensor becomes a tensor in a map.
    examples = examples.map(lambda *example: example)
    batches = examples.bucket_by_sequence_length(
        lambda ids, *_: tf.shape(ids)[0],
        LENGTHS,
        [batch_size] * (len(LENGTHS) + 1),
        padding_values=(PAD, *(None for _ in others)),
    )
    if scores is not None:
        batches = batches.map(lambda ids, scores, target: ((ids, scores), target))
    buckets = np.searchsorted(LENGTHS, lengths, side="right")
    count = int(sum(-(-np.bincount(buckets) // batch_size)))
    return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)
