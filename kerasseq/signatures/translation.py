"""The translator as it is used and exported: a source's ids in, a target's out.

Shapes: B sources, K hypotheses on each, S source steps, T target steps, H heads, D head
size, V vocabulary.
"""

from functools import partial

import keras
import tensorflow as tf

from kerasseq.layers.pre_norm_block import PreNormBlock
from kerasseq.signatures.beam_search import Translations, beam_search
from kerasseq.signatures.ranges import held
from kerasseq.signatures.sampling import Draw, drawing
from kerasseq.signatures.states import (
    Shapes,
    States,
    named_states,
    state_specs,
)
from kerasseq.text.subwords import PAD

# A translation has at most as many ids more than its source: Vaswani et al. 2017,
# section 6.1.
MOST_MORE = 50
MOST_HYPOTHESES = 8
# The defaults of a search.
BEAM_WIDTH, LENGTH_PENALTY = 4, 1.0


class TranslationOnIds(tf.Module):
    """A translator's signatures on ids: those of a `.tflite` file.

    Args:
        model: from `build_translation`.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        # tf.Module does not find the variables of Keras's layers.
        self._weights = [variable.value for variable in model.variables]
        self._embedding = model.get_layer("embedding")
        self._positions = model.get_layer("positions")
        self._encoder_norm = model.get_layer("encoder_norm")
        self._norm = model.get_layer("decoder_norm")
        blocks = [each for each in model.layers if isinstance(each, PreNormBlock)]
        self._encoder = [each for each in blocks if each.name.startswith("encoder_")]
        self._blocks = [each for each in blocks if each.name.startswith("decoder_")]
        self.max_length = self._positions.max_length
        self.vocabulary_size = self._embedding.input_dim

    def graph_bytes(self) -> int:
        """The most bytes that a file takes besides the weights."""
        # Two graphs hold the operations of each encoder block, three those of each
        # decoder block.
        return 60_000 + 20_000 * (len(self._encoder) + len(self._blocks))

    def state_shapes(self, rows: int | tf.Tensor, length: int | tf.Tensor) -> Shapes:
        """Keys and values of each block, and the count of steps of each row."""
        attention = self._blocks[0].attention
        buffer = (rows, attention.num_heads, length, attention.head_size)
        return [buffer] * (2 * len(self._blocks)) + [(rows,)]

    def encode_ids(self, source_ids: tf.Tensor) -> States:
        """What the decoder needs of sources, computed once.

        Args:
            source_ids: int32 (B, S).

        Returns:
            Keys and values of each decoder block's attention to the source, float32
            (B, H, S, D), and float32 (B, S), 1 at ids and 0 at padding.
        """
        source_ids = held(source_ids, 0, self.vocabulary_size - 1)
        known = tf.cast(source_ids != PAD, tf.float32)
        # From a tensor: a file would store the vectors of constant positions.
        positions = tf.cumsum(known, axis=1) - 1
        x = self._positions.step(self._embedding(source_ids), positions)
        for block in self._encoder:
            x, _ = block(x, mask=known > 0)
        x = self._encoder_norm(x)
        return [*(each for block in self._blocks for each in block.remember(x)), known]

    def read_ids(
        self, memory: States, ids: tf.Tensor, states: States
    ) -> tuple[tf.Tensor, tf.Tensor, States]:
        """One step of K hypotheses on each source; see `TranslationStep`."""
        *memory, known = memory
        *buffers, positions = states
        x = self._positions.step(self._embedding(ids), positions)
        x = tf.reshape(x, (tf.shape(known)[0], -1, x.shape[-1]))
        new_states: States = []
        looked = []
        for index, block in enumerate(self._blocks):
            pair = slice(2 * index, 2 * index + 2)
            x, weights, after = block.step(
                x, buffers[pair], positions, memory[pair], known > 0
            )
            looked.append(weights)
            new_states += after
        logits = self._embedding(self._norm(x), reverse=True)
        # The mean over all heads of all blocks.
        alignment = tf.reduce_mean(tf.concat(looked, 1), axis=1)
        return logits, alignment, [*new_states, positions + 1]

    def search(
        self,
        memory: States,
        limits: tf.Tensor,
        length_penalty: tf.Tensor,
        num_hypotheses: int,
        length: int | tf.Tensor,
        width: tf.Tensor | None = None,
        draw: Draw | None = None,
    ) -> Translations:
        """Search for translations of encoded sources; see `beam_search`.

        Args:
            memory: from `encode_ids`.
            limits: int32 (B,), the most ids of a translation.
            length_penalty: float32 ().
            num_hypotheses: K.
            length: T, at least 1.
            width: int32 (), the number of hypotheses, where it is less than K.
            draw: continues the only hypothesis, where K is 1.
        """
        more = tf.cast(tf.reduce_sum(memory[-1], axis=1), tf.int32) + MOST_MORE
        num_sources, source_length = tf.unstack(tf.shape(memory[-1]))
        return beam_search(
            partial(self.read_ids, memory),
            self.state_shapes(num_sources * num_hypotheses, length),
            tf.maximum(tf.minimum(tf.minimum(limits, more), length), 1),
            length_penalty,
            (num_hypotheses, length, source_length),
            width,
            draw,
        )

    def device_signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signatures `translate`, `encode` and `step` for one source."""
        length = self.max_length
        source_ids = tf.TensorSpec((1, length), tf.int32)
        integer, real = tf.TensorSpec((1,), tf.int32), tf.TensorSpec((1,), tf.float32)
        encode = self.encode.get_concrete_function(source_ids=source_ids)
        return {
            "translate": self.translate.get_concrete_function(
                source_ids=source_ids,
                beam_width=integer,
                length_penalty=real,
                max_length=integer,
                temperature=real,
                uniforms=tf.TensorSpec((length,), tf.float32),
            ),
            "encode": encode,
            "step": self.step.get_concrete_function(
                token=tf.TensorSpec((MOST_HYPOTHESES,), tf.int32),
                **{
                    name: tf.TensorSpec(shape, tf.float32)
                    for name, shape in encode.output_shapes.items()
                },
                **state_specs(self.state_shapes(MOST_HYPOTHESES, length)),
            ),
        }

    @tf.function
    def translate(
        self,
        source_ids: tf.Tensor,
        beam_width: tf.Tensor,
        length_penalty: tf.Tensor,
        max_length: tf.Tensor,
        temperature: tf.Tensor,
        uniforms: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Translate a source.

        Args:
            source_ids: int32 (1, S), with its `END`.
            beam_width: int32 (1,), the number of hypotheses, from 1, which is greedy,
                to `MOST_HYPOTHESES`.
            length_penalty: float32 (1,), alpha of `beam_search`.
            max_length: int32 (1,), the most ids of the translation; there are never
                more than `MOST_MORE` more than of the source.
            temperature: float32 (1,), 0 to search; above, one hypothesis is sampled,
                whatever the width.
            uniforms: float32 (S,), a number for each id that is sampled.

        Returns:
            ids int32 (1, S), score float32 (1,), alignment float32 (1, S, S) and
            finished int32 (1,); see `Translations`.
        """
        memory = self.encode_ids(source_ids)

        def search(num_hypotheses: int, draw: Draw | None = None) -> Translations:
            return self.search(
                memory,
                max_length,
                length_penalty[0],
                num_hypotheses,
                self.max_length,
                beam_width[0],
                draw,
            )

        found = tf.cond(
            (beam_width[0] <= 1) | (temperature[0] > 0.0),
            lambda: search(1, drawing(temperature[0], uniforms)),
            lambda: search(MOST_HYPOTHESES),
        )
        # CompiledModel does not write an output that comes straight from the loop, so
        # one operation that the converter cannot fold away follows it.
        highest = beam_width[0] * 0 + tf.int32.max
        limit = tf.cast(highest, tf.float32)
        return {
            "ids": tf.minimum(found.ids, highest),
            "score": tf.minimum(found.score, limit),
            "alignment": tf.minimum(found.alignment, limit),
            "finished": tf.minimum(found.finished, highest),
        }

    @tf.function
    def encode(self, source_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `step` needs of a source, by name; see `encode_ids`."""
        *memory, known = self.encode_ids(source_ids)
        named = {f"memory_{index}": each for index, each in enumerate(memory)}
        return {**named, "source_mask": known}

    @tf.function
    def step(self, token: tf.Tensor, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """One more id of K hypotheses.

        Args:
            token: int32 (K,), the last id of each, at first `START`.
            **tensors: what `encode` returns, and `state_0` and so on: keys and values
                of each block, float32 (K, H, T, D), and float32 (K,), the number of ids
                before; all zeros at first.

        Returns:
            logits float32 (K, V), alignment float32 (K, S), and the states for the next
            call.
        """
        token = held(token, 0, self.vocabulary_size - 1)
        count = 2 * len(self._blocks)
        memory = [tensors[f"memory_{index}"] for index in range(count)]
        states = [tensors[f"state_{index}"] for index in range(count + 1)]
        logits, alignment, states = self.read_ids(
            [*memory, tensors["source_mask"]], token, states
        )
        return {"logits": logits[0], "alignment": alignment[0], **named_states(states)}
