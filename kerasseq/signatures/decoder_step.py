"""One step of a Transformer decoder, in a layout for one character at a time.

In every iteration, a loop copies the states that its body changes, and changing one
position of a large state copies it again. The loop over characters therefore works on a
page: it does not change the large buffers of keys and values, which costs nothing, and
adds to a few small tensors. Once the page is full, they move into the buffers together.
Shapes: H heads, D head size, C model size, W context, P page, V vocabulary.
"""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from kerasseq.layers.decoder_block import DecoderBlock
from kerasseq.layers.rotary import rotary_turns
from kerasseq.signatures.generation import Step
from kerasseq.signatures.states import States

# An iteration copies P positions, and a full page W positions five times: with this P,
# the sum is near its minimum.
PAGE = 16
EXCLUDED = -1e30


class Block(NamedTuple):
    """A block's weights, multiplied by the scales of its norms.

    Attributes:
        projection: (C, 3 C), to queries, keys and values of all heads.
        merge: (C, C).
        expand: (C, 4 C).
        contract: (4 C, C).
        epsilon: of the norms.
    """

    projection: tf.Variable
    merge: tf.Variable
    expand: tf.Variable
    contract: tf.Variable
    epsilon: float


class Position(NamedTuple):
    """What all blocks need to know about a character's position.

    Attributes:
        mask: float32 (W + P,), 0 where a key is attended to and EXCLUDED elsewhere.
        on_page: float32 (P,), 1 at its position on the page and 0 elsewhere.
        cosine, sine: float32 (D,), of the angles by which it rotates a query or key;
            the sine of each pair's first element is negated.
    """

    mask: tf.Tensor
    on_page: tf.Tensor
    cosine: tf.Tensor
    sine: tf.Tensor


class DecoderStep(tf.Module):
    """A step function on a copy of a model's weights; later training does not matter.

    Called with a token int32 (1,) and states, it returns logits float32 (1, V) and the
    new states: for each block the rotated keys and the values of the last W characters,
    each float32 (H, D, W), the last character at the end; then the count of characters,
    float32 (1,). After 2 W - 1, the count continues from W, since only its remainder by
    W matters, and whether W characters were read.

    Args:
        model: from `build_char_transformer`.
    """

    multiplies_states = False

    @staticmethod
    def graph_bytes(num_blocks: int) -> int:
        """The most bytes that a file takes besides the weights."""
        # Each of four graphs holds some fifty operations a block, and as many for the
        # position.
        return 50_000 + 30_000 * (num_blocks + 1)

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        embedding, *blocks, norm = model.layers[1:]
        first = blocks[0]
        self._heads, self._head_size = first.num_heads, first.attention.head_size
        self._context = first.context
        # Fewer than W, so that the count's remainder tells how many are on the page.
        self._page = min(PAGE, self._context - 1)
        self._embeddings = _copy(embedding.embeddings)
        self._scale, self._epsilon = _copy(norm.scale), norm.epsilon
        self._blocks = [_freeze(block) for block in blocks]

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each state."""
        buffer = (self._heads, self._head_size, self._context)
        return [buffer] * (2 * len(self._blocks)) + [(1,)]

    def __call__(self, token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        read, page, _ = self.open(states)
        logits, page = read(token, page)
        return logits, self.close(states, page)

    def open(self, states: States) -> tuple[Step, States, tf.Tensor]:
        """Open an empty page; see `PagedStep`."""
        *buffers, count = states

        def read(token: tf.Tensor, page: States) -> tuple[tf.Tensor, States]:
            return self._read(token, count, buffers, page)

        shape = (self._heads, self._head_size, self._page)
        page = [tf.zeros(shape) for _ in buffers]
        return read, [*page, count], tf.constant(self._page)

    def close(self, states: States, page: States) -> States:
        """Move the characters of a page into the buffers; see `PagedStep`."""
        *buffers, before = states
        *written, after = page
        taken = tf.cast(after - before, tf.int32) % self._context
        start = tf.concat([[0, 0], taken], 0)
        moved = [
            tf.slice(tf.concat([buffer, new], 2), start, buffer.shape)
            for buffer, new in zip(buffers, written, strict=True)
        ]
        return [*moved, after]

    def _read(
        self, token: tf.Tensor, before: tf.Tensor, buffers: States, page: States
    ) -> tuple[tf.Tensor, States]:
        """Read a token; `before` tokens were read before the page was opened."""
        *written, count = page
        position = self._position(tf.cast(before, tf.int32), tf.cast(count, tf.int32))
        x = tf.gather(self._embeddings, token)
        new: States = []
        for index, block in enumerate(self._blocks):
            pair = slice(2 * index, 2 * index + 2)
            x, after = self._run(block, x, buffers[pair], written[pair], position)
            new += after
        # A scale that comes last would be folded into the embedding's other use, which
        # stores the embedding twice.
        x = x * self._scale * _inverse_size(x, self._epsilon)
        logits = tf.matmul(x, self._embeddings, transpose_b=True)
        count = tf.where(count < 2.0 * self._context - 1, count, self._context - 1.0)
        return logits, [*new, count + 1]

    def _position(self, before: tf.Tensor, count: tf.Tensor) -> Position:
        taken = (count - before) % self._context
        old, new = tf.range(self._context), tf.range(self._page)
        # As many characters as the page holds have left the context.
        seen = (old > taken) & (old >= self._context - before)
        allowed = tf.concat([seen, new <= taken], 0)
        turns = rotary_turns(self._head_size, self._context)
        phases = count % self._context * turns % self._context
        angles = tf.cast(phases, tf.float32) * (2 * math.pi / self._context)
        cosine, sine = tf.cos(angles), tf.sin(angles)
        return Position(
            tf.where(allowed, 0.0, EXCLUDED),
            tf.where(new == taken, 1.0, 0.0),
            tf.concat([cosine, cosine], 0),
            tf.concat([-sine, sine], 0),
        )

    def _run(
        self,
        block: Block,
        x: tf.Tensor,
        buffers: States,
        written: States,
        position: Position,
    ) -> tuple[tf.Tensor, States]:
        """Run a block on x (1, C), its two buffers and its two tensors of the page."""
        heads, half = self._heads, self._head_size // 2
        projected = _normalize(x, block.epsilon) @ block.projection
        projected = tf.reshape(projected, (3 * heads, self._head_size))
        rotated, value = projected[: 2 * heads], projected[2 * heads :, :, None]
        swapped = tf.concat([rotated[:, half:], rotated[:, :half]], 1)
        rotated = rotated * position.cosine + swapped * position.sine
        query, key = rotated[:heads, :, None], rotated[heads:, :, None]
        # Empty positions are zero, so adding to them writes there.
        keys, values = (
            before + new * position.on_page
            for before, new in zip(written, (key, value), strict=True)
        )
        # LiteRT repacks a matrix that is not constant for each product, which takes
        # longer than elementwise products and a sum.
        scores = [tf.reduce_sum(each * query, 1) for each in (buffers[0], keys)]
        weights = tf.nn.softmax(tf.concat(scores, 1) + position.mask)[:, None]
        old = tf.reduce_sum(buffers[1] * weights[:, :, : self._context], 2)
        new = tf.reduce_sum(values * weights[:, :, self._context :], 2)
        x = x + tf.reshape(old + new, (1, -1)) @ block.merge
        expanded = tf.square(tf.nn.relu(_normalize(x, block.epsilon) @ block.expand))
        x = x + expanded @ block.contract
        return x, [keys, values]


def _freeze(block: DecoderBlock) -> Block:
    attention = block.attention
    size = attention.num_heads * attention.head_size
    query, key, value = (
        tf.reshape(tf.convert_to_tensor(layer.kernel), (size, size))
        for layer in (attention.query, attention.key, attention.value)
    )
    # Scores then need no division.
    query = query / math.sqrt(attention.head_size)
    projection = tf.concat([query, key, value], 1)
    merge = tf.reshape(tf.convert_to_tensor(attention.merge.kernel), (size, size))
    return Block(
        _copy(tf.convert_to_tensor(block.attention_norm.scale)[:, None] * projection),
        _copy(merge),
        _copy(
            tf.convert_to_tensor(block.feed_forward_norm.scale)[:, None]
            * tf.convert_to_tensor(block.expand.kernel)
        ),
        _copy(block.contract.kernel),
        block.attention_norm.epsilon,
    )


def _normalize(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    return x * _inverse_size(x, epsilon)


def _inverse_size(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    return tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + epsilon)


def _copy(weights: tf.Tensor) -> tf.Variable:
    return tf.Variable(tf.cast(weights, tf.float32), trainable=False)
