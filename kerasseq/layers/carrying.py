"""The memory of an attention block, and a layer that keeps it between calls.

Shapes: B batch, T steps, H heads, D head size, C model size, W context.
"""

from typing import Any, NamedTuple

import keras

from kerasseq.layers.attention import Shape, Tensor
from kerasseq.layers.checks import check_probability


class Memory(NamedTuple):
    """Keys and values of the M = W - 1 steps before.

    Attributes:
        key, value: (B, H, M, D).
        known: (B, M), 1 for a step that was read, 0 where there was none yet.
    """

    key: Tensor
    value: Tensor
    known: Tensor


@keras.saving.register_keras_serializable(package="kerasseq")
class CarryingBlock(keras.layers.Layer):
    """A block that continues where the previous batch ended, as in Transformer-XL.

    Dai et al. 2019, section 3.2: no gradients flow into the carried keys and values.

    Args:
        block: a `DecoderBlock`; its weights are shared.
        reset_rate: probability that a sequence of a training batch starts without a
            memory, so that the model also learns to start cold.
        seed: of these choices; layers with the same seed reset the same sequences.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), static B.

    Returns:
        (B, T, C).
    """

    stateful = True

    def __init__(
        self,
        block: keras.layers.Layer,
        reset_rate: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_probability(reset_rate=reset_rate)
        self.block = block
        self.reset_rate = reset_rate
        self.seed = seed
        if reset_rate:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int, int, int]) -> None:
        if not self.block.built:
            self.block.build(input_shape)
        shapes = self.block.state_shapes(input_shape[0])
        self.states = [
            self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False
            )
            for name, shape in shapes._asdict().items()
        ]

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        memory = Memory(*(keras.ops.convert_to_tensor(state) for state in self.states))
        if training and self.reset_rate:
            drawn = keras.random.uniform((x.shape[0], 1), seed=self.seed_generator)
            known = keras.ops.where(drawn < self.reset_rate, 0.0, memory.known)
            memory = memory._replace(known=known)
        x, memory = self.block.call_with_memory(x, memory)
        for state, new in zip(self.states, memory, strict=True):
            state.assign(keras.ops.stop_gradient(new))
        return x

    def stateful_twin(self, reset_rate: float, seed: int) -> "CarryingBlock":
        """A twin around the same block, with a memory of its own."""
        return CarryingBlock(
            self.block, reset_rate, seed, name=self.name, dtype=self.dtype_policy
        )

    def reset_state(self) -> None:
        """Forget all steps."""
        for state in self.states:
            state.assign(keras.ops.zeros_like(state))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "block": keras.saving.serialize_keras_object(self.block),
            "reset_rate": self.reset_rate,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CarryingBlock":
        block = keras.saving.deserialize_keras_object(config["block"])
        return cls(**{**config, "block": block})
