""""""

from typing import Any

import keras

from kerasseq.layers.attention import Shape, Tensor
from kerasseq.layers.blocks import DecoderBlock, Memory


class CarryingBlock(keras.layers.Layer):
    """A block that goes on where the batch before ended, as in Transformer-XL.

    Dai et al. 2019, section 3.2: keys and values are carried without their gradients.

    Args:
        block: built; its weights are shared.
        reset_rate: the chance of a sequence of a training batch to begin without a
            memory: who is to begin without one has to learn it.
        seed: of the choice, so that layers with the same one reset the same sequences.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), static B.

    Returns:
        (B, T, C).
    """

    stateful = True

    def __init__(
        self, block: DecoderBlock, reset_rate: float = 0.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= reset_rate <= 1:
            raise ValueError(f"reset_rate={reset_rate} is not from 0 to 1")
        self.block = block
        self.reset_rate = reset_rate
        if reset_rate:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int, int, int]) -> None:
        shapes = self.block.memory_shapes(input_shape[0])
        self.states = [
            self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False
            )
            for name, shape in shapes._asdict().items()
        ]

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        memory = Memory(*(keras.ops.convert_to_tensor(state) for state in self.states))
        if training and self.reset_rate:
            chances = keras.random.uniform((x.shape[0], 1), seed=self.seed_generator)
            kept = keras.ops.where(chances < self.reset_rate, 0.0, memory.known)
            memory = memory._replace(known=kept)
        x, memory = self.block.go_on(x, memory)
        for state, new in zip(self.states, memory, strict=True):
            state.assign(keras.ops.stop_gradient(new))
        return x

    def reset_state(self) -> None:
        """Forget all steps."""
        for state in self.states:
            state.assign(keras.ops.zeros_like(state))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
