"""One step of a Transformer decoder, with ring buffers of keys and values.

A loop copies at every turn each state that its body changes, and to write one key into
a buffer copies it once more. So the loop over characters works on a page of the
buffers: it leaves the buffers alone, which costs nothing, and what it changes is small.
Shapes: H heads, D head size, C model size, W context, P page, V vocabulary.
"""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from kerasseq.attention import rotary_turns
from kerasseq.char_transformer import DecoderBlock
from kerasseq.generation import States, Step

# Copied are the buffers once a page, and a page at each turn.
PAGE = 16
LOWEST = -1e30


class Block(NamedTuple):
    """A block's weights, its norms' scales multiplied into them.

    Attributes:
        projection: (C, 3 C), to query, key and value.
        merge: (C, C).
        expand, contract: (C, 4 C) and (4 C, C).
    """

    projection: tf.Variable
    merge: tf.Variable
    expand: tf.Variable
    contract: tf.Variable


class DecoderStep(tf.Module):
    """A step function on a copy of a model's weights: further training changes nothing.

    Called with a token int32 (1,) and states, it gives logits float32 (1, V) and the
    new states: for each block the keys and the values, float32 (H, D, W), place p mod W
    of which is the one of the text's character p; and the number of characters read,
    float32 (1,), which past W is W and the last lap's.

    Args:
        model: from `build_char_transformer`.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        embedding, *blocks, norm = model.layers[1:]
        attention = blocks[0].attention
        self._heads = attention.num_heads, attention.head_size
        self._context = attention.window
        self._page = min(PAGE, self._context - 1)
        self._embeddings = _copy(embedding.embeddings)
        self._scale = _copy(norm.scale)
        self._blocks = [_freeze(block) for block in blocks]
        self._turns = tf.constant(rotary_turns(self._heads[1], self._context))

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each state."""
        buffer = (*self._heads, self._context)
        return [buffer] * (2 * len(self._blocks)) + [(1,)]

    def __call__(self, token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        read, page, _ = self.open(states)
        logits, page = read(token, page)
        return logits, self.close(states, page)

    def open(self, states: States) -> tuple[Step, States, tf.Tensor]:
        """An empty page: a step function on it, the page, how many turns it takes."""
        *buffers, count = states
        first = tf.cast(count[0], tf.int32)
        places = tf.range(self._context)
        known = places >= self._context - first

        def read(token: tf.Tensor, page: States) -> tuple[tf.Tensor, States]:
            return self._read(token, first, known, buffers, page)

        page = [tf.zeros((*self._heads, self._page)) for _ in buffers]
        return read, [*page, count], tf.constant(self._page)

    def close(self, states: States, page: States) -> States:
        """Shift the buffers by as many places as are taken on the page."""
        *buffers, before = states
        *parts, after = page
        taken = tf.cast(after - before, tf.int32) % self._context
        return [
            *(
                tf.slice(tf.concat([b, p], 2), tf.concat([[0, 0], taken], 0), b.shape)
                for b, p in zip(buffers, parts, strict=True)
            ),
            after,
        ]

    def _read(
        self,
        token: tf.Tensor,
        first: tf.Tensor,
        known: tf.Tensor,
        buffers: States,
        page: States,
    ) -> tuple[tf.Tensor, States]:
        *parts, count = page
        place = tf.cast(count, tf.int32) % self._context
        within = (place - first) % self._context
        here, there = tf.range(self._page), tf.range(self._context)
        allowed = tf.concat([known & (there > within), here <= within], 0)
        mask = tf.where(allowed, 0.0, LOWEST)
        new_place = tf.where(here == within, 1.0, 0.0)
        angle = 2 * math.pi / self._context
        angles = angle * tf.cast(place * self._turns % self._context, tf.float32)
        cosine, sine = tf.cos(angles), tf.sin(angles)
        cosine, sine = tf.concat([cosine, cosine], 0), tf.concat([-sine, sine], 0)
        x = tf.gather(self._embeddings, token)
        new: States = []
        for index, block in enumerate(self._blocks):
            pair = slice(2 * index, 2 * index + 2)
            x, after = self._block(
                block, x, buffers[pair], parts[pair], mask, new_place, cosine, sine
            )
            new += after
        x = _normalize(x) * self._scale
        count = tf.where(count + 1 < 2 * self._context, count + 1, float(self._context))
        return tf.matmul(x, self._embeddings, transpose_b=True), [*new, count]

    def _block(self, block, x, buffers, parts, mask, new_place, cosine, sine):
        heads, size = self._heads
        projected = tf.reshape(_normalize(x) @ block.projection, (3 * heads, size))
        both, value = projected[: 2 * heads], projected[2 * heads :]
        swapped = tf.concat([both[:, size // 2 :], both[:, : size // 2]], 1)
        both = both * cosine + swapped * sine
        query, key = both[:heads, :, None], both[heads:, :, None]
        parts = [
            part + each * new_place
            for part, each in zip(parts, (key, value[:, :, None]), strict=True)
        ]
        scores = [tf.reduce_sum(keys * query, 1) for keys in (buffers[0], parts[0])]
        weights = tf.nn.softmax(tf.concat(scores, 1) + mask)
        weights = weights[:, : self._context], weights[:, self._context :]
        attended = [
            tf.reduce_sum(values * w[:, None], 2)
            for values, w in zip((buffers[1], parts[1]), weights, strict=True)
        ]
        x = x + tf.reshape(attended[0] + attended[1], (1, -1)) @ block.merge
        fed = tf.nn.gelu(_normalize(x) @ block.expand, approximate=True)
        return x + fed @ block.contract, parts


def _freeze(block: DecoderBlock) -> Block:
    attention = block.attention
    size = attention.num_heads * attention.head_size
    query, key, value = (
        tf.reshape(tf.convert_to_tensor(layer.kernel), (size, size))
        for layer in (attention.query, attention.key, attention.value)
    )
    # Scores are divided by the root of the head's size once and for all.
    query = query / attention.head_size**0.5
    before = tf.convert_to_tensor(block.attention_norm.scale)[:, None]
    between = tf.convert_to_tensor(block.feed_forward_norm.scale)[:, None]
    return Block(
        _copy(before * tf.concat([query, key, value], 1)),
        _copy(tf.reshape(tf.convert_to_tensor(attention.merge.kernel), (size, size))),
        _copy(between * tf.convert_to_tensor(block.expand.kernel)),
        _copy(block.contract.kernel),
    )


def _normalize(x: tf.Tensor) -> tf.Tensor:
    return x * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-6)


def _copy(weights: tf.Tensor) -> tf.Variable:
    return tf.Variable(tf.cast(weights, tf.float32), trainable=False)
