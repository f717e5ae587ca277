"""The encoder as it is exported: sentences in, vectors and attention weights out.

Shapes: B sentences, T words, C model size, N blocks, H heads.
"""

import keras
import tensorflow as tf

from kerasseq.signatures.ranges import held
from kerasseq.text.in_graph import WordTable, divide_in_graph
from kerasseq.text.words import PAD, WordVocabulary


class EncoderOnIds(tf.Module):
    """An encoder's signature on ids: the one of a `.tflite` file.

    Args:
        encoder: from `build_encoder`.
    """

    def __init__(self, encoder: keras.Model) -> None:
        super().__init__()
        self._encoder = encoder
        # tf.Module does not find the variables of Keras's layers.
        self._weights = [variable.value for variable in encoder.variables]
        self.num_words = encoder.get_layer("embedding").input_dim
        self._blocks = len(encoder.output) - 1
        self.max_length = encoder.get_layer("positions").max_length

    def device_signatures(
        self, length: int
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signature `encode` for one sentence.

        Args:
            length: T, from 1 to `max_length`.
        """
        ids = tf.TensorSpec((1, length), tf.int32)
        return {"encode": self.encode.get_concrete_function(token_ids=ids)}

    @tf.function
    def encode(self, token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encode padded ids.

        Args:
            token_ids: int32 (B, T), 0 at padding.

        Returns:
            embeddings float32 (B, T, C) and weights float32 (B, N, H, T, T).
        """
        token_ids = held(token_ids, 0, self.num_words - 1)
        outputs = self._encoder(token_ids, training=False)
        weights = [outputs[f"attention_{block}"] for block in range(self._blocks)]
        return {"embeddings": outputs["embeddings"], "weights": tf.stack(weights, 1)}


class EncoderOnText(tf.Module):
    """An encoder's signature on sentences: the one of a SavedModel.

    Args:
        encoding: the encoder.
        vocabulary: its words.

    Raises:
        ValueError: the vocabulary does not fit the weights.
    """

    def __init__(self, encoding: EncoderOnIds, vocabulary: WordVocabulary) -> None:
        super().__init__()
        vocabulary.require_size(encoding.num_words)
        self._encoding = encoding
        self._table = WordTable(vocabulary)
        self._words = tf.constant(vocabulary.words)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "sentences")])
    def encode(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encode sentences; words beyond the encoder's `max_length` are ignored.

        Args:
            sentences: string (B,), UTF-8.

        Returns:
            tokens string (B, T), the words as the model knows them; offsets int32
            (B, T, 2), the index of the first character of each in its sentence, and
            that after its last; token_mask bool (B, T), False at padding; embeddings
            float32 (B, T, C); weights float32 (B, N, H, T, T).
        """
        words, offsets = divide_in_graph(sentences)
        token_ids = self._table(words)[:, : self._encoding.max_length]
        return {
            "tokens": tf.gather(self._words, token_ids),
            "offsets": offsets.to_tensor()[:, : self._encoding.max_length],
            "token_mask": token_ids != PAD,
            **self._encoding.encode(token_ids),
        }
