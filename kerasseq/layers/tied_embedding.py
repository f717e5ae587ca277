"""An embedding that gives the logits too."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="kerasseq")
class TiedEmbedding(keras.layers.ReversibleEmbedding):
    """`keras.layers.ReversibleEmbedding` with a bias for each word in reverse."""

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.bias = self.add_weight(
            shape=(self.input_dim,),
            initializer="zeros",
            # It is added to float32 logits, whatever precision the layers have.
            autocast=False,
            name="bias",
        )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        outputs = super().call(inputs, reverse=reverse)
        return outputs + self.bias if reverse else outputs

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """Which variables a file holds: Keras's embeddings have a list of their own."""
        spec = super().variable_serialization_spec
        return {mode: [*names, "bias"] for mode, names in spec.items()}
