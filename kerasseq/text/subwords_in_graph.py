"""The division into pieces of words as TensorFlow operations."""

import tensorflow as tf

from kerasseq.text.in_graph import whole_characters_in_graph
from kerasseq.text.subwords import FIRST_BYTE, Subwords

# In no text of UTF-8, so that no piece reaches beyond a text's end.
_AFTER = b"\xff"


class SubwordTable(tf.Module):
    """`Subwords` in a graph, for models that take and give sentences.

    A `tf.Module` that holds it as an attribute becomes a SavedModel that needs neither
    the vocabulary nor this package.

    Args:
        vocabulary: its pieces become constants of the graph.

    Example:
        >>> table = SubwordTable(Subwords((" a", " c", "at")))
        >>> table.encode(["a cat!", "at"]).to_tensor().numpy().tolist()
        [[259, 260, 261, 36], [259, 119, 0, 0]]
        >>> table.decode([[259, 260, 261, 36, 2, 0]]).numpy().tolist()
        [b'a cat!']
    """

    def __init__(self, vocabulary: Subwords) -> None:
        super().__init__()
        self._contents = tf.constant(vocabulary.contents)
        self._longest = max(map(len, vocabulary.contents))
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                self._contents[FIRST_BYTE:],
                tf.range(FIRST_BYTE, len(vocabulary), dtype=tf.int32),
            ),
            default_value=0,
        )

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of texts, as `Subwords.encode`: string (B,) to int32 (B, ragged T).

        Each byte that is not UTF-8 becomes U+FFFD, as in
        `bytes.decode(errors="replace")`.
        """
        texts = whole_characters_in_graph(texts)
        rows = tf.strings.bytes_split(tf.strings.join([" ", texts, _AFTER]))
        # All texts one after the other: the longest piece at each byte of them.
        singles = windows = rows.flat_values
        ids, ends = self._ids.lookup(singles), tf.range(1, tf.size(singles) + 1)
        for length in range(2, self._longest + 1):
            windows = tf.strings.join([windows[:-1], singles[length - 1 :]])
            found = tf.pad(self._ids.lookup(windows), [[0, length - 1]])
            found = found[: tf.size(singles)]
            ends = tf.where(found > 0, tf.range(tf.size(singles)) + length, ends)
            ids = tf.where(found > 0, found, ids)
        begins = rows.with_flat_values(_visited(ends))
        ids = tf.ragged.boolean_mask(rows.with_flat_values(ids), begins)
        return ids[:, :-1]

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Texts of ids, as `Subwords.decode`: int32 (B, T) to string (B,)."""
        contents = tf.strings.reduce_join(tf.gather(self._contents, ids), axis=-1)
        return tf.strings.regex_replace(whole_characters_in_graph(contents), "^ ", "")


def _visited(ends: tf.Tensor) -> tf.Tensor:
    """Where the jumps from position 0 land, found in about log2(N) rounds.

    Each round doubles the jumps: from 0, then what is one jump further, then two, four.

    Args:
        ends: where the jump from each position leads, int32 (N,), at most N.

    Returns:
        bool (N,).
    """
    size = tf.size(ends)

    def double(
        visited: tf.Tensor, ends: tf.Tensor, jumps: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        further = tf.math.unsorted_segment_max(visited, ends, size + 1)
        return tf.maximum(visited, further), tf.gather(ends, ends), 2 * jumps

    visited, _, _ = tf.while_loop(
        lambda visited, ends, jumps: jumps < size + 1,
        double,
        (
            tf.cast(tf.range(size + 1) == 0, tf.int32),
            tf.concat([ends, [size]], 0),
            1,
        ),
    )
    return visited[:size] > 0
