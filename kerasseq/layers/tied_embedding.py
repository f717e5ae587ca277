"""An embedding that also computes the logits."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="kerasseq")
class TiedEmbedding(keras.layers.ReversibleEmbedding):
    """`keras.layers.ReversibleEmbedding` with a bias for each word's logit."""

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.bias = self.add_weight(
            shape=(self.input_dim,),
            initializer="zeros",
            # It is added to logits, which are float32 under every policy.
            autocast=False,
            name="bias",
        )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        outputs = super().call(inputs, reverse=reverse)
        return outputs + self.bias if reverse else outputs

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """The variables that a file holds; embeddings of Keras list theirs here."""
        spec = super().variable_serialization_spec
        return {mode: [*names, "bias"] for mode, names in spec.items()}
