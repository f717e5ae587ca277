"""The classifier as it is exported: sentences in, labels and word weights out.

Shapes: B sentences, T words, L bytes of a word, which the contract calls letters, K
classes.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasseq.layers.positions import SinusoidalPositions
from kerasseq.models.classifier import SURE, ClassifierConfig
from kerasseq.signatures.ranges import held
from kerasseq.text.in_graph import WordTable, divide_in_graph
from kerasseq.text.words import PAD, UNKNOWN, WordVocabulary


class ClassifierOnIds(tf.Module):
    """A classifier's signature on ids: the one of a `.tflite` file.

    Args:
        classifier: from `build_classifier`.
    """

    def __init__(self, classifier: keras.Model) -> None:
        super().__init__()
        self._classifier = classifier
        # tf.Module does not find the variables of Keras's layers.
        self._weights = [variable.value for variable in classifier.variables]
        self.num_words = classifier.get_layer("embedding").input_dim
        self.num_classes = classifier.get_layer("logits").units
        self.num_letters = classifier.inputs[1].shape[-1]
        # Only blocks limit a sentence's length, but every file needs a limit.
        limits = [
            layer.max_length
            for layer in classifier.layers
            if isinstance(layer, SinusoidalPositions)
        ]
        self.max_length = min([ClassifierConfig.max_length, *limits])

    def device_signatures(
        self, length: int
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signature `classify` for one sentence.

        Args:
            length: T, at least 1.
        """
        ids = tf.TensorSpec((1, length), tf.int32)
        letters = tf.TensorSpec((1, length, self.num_letters), tf.int32)
        function = self.classify.get_concrete_function(token_ids=ids, letters=letters)
        return {"classify": function}

    @tf.function
    def classify(
        self, token_ids: tf.Tensor, letters: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Classify padded words.

        Args:
            token_ids: int32 (B, T), 0 at padding.
            letters: int32 (B, T, L), likewise.

        Returns:
            probabilities float32 (B, K), which sum to 1, and weights float32 (B, T),
            the pooling's weight of each word; they also sum to 1, or to 0 if all is
            padding.
        """
        token_ids = held(token_ids, 0, self.num_words - 1)
        letters = held(letters, 0, 255)
        outputs = self._classifier([token_ids, letters], training=False)
        return {
            "probabilities": tf.nn.softmax(outputs["logits"]),
            "weights": outputs["weights"],
        }


class ClassifierOnText(tf.Module):
    """A classifier's signature on sentences: the one of a SavedModel.

    Args:
        classifying: the classifier.
        vocabulary: its words.
        labels: K names of its classes.
        max_length: the most words of a sentence that are read; later ones are ignored.

    Raises:
        ValueError: vocabulary or labels do not fit the weights.
    """

    def __init__(
        self,
        classifying: ClassifierOnIds,
        vocabulary: WordVocabulary,
        labels: Sequence[str],
        max_length: int,
    ) -> None:
        super().__init__()
        vocabulary.require_size(classifying.num_words)
        if len(labels) != classifying.num_classes:
            raise ValueError(
                f"there are {len(labels)} labels but the model has "
                f"{classifying.num_classes}; use the labels.json written beside it"
            )
        self._classifying = classifying
        self._table = WordTable(vocabulary)
        self._words = tf.constant(vocabulary.words)
        self._labels = tf.constant(labels)
        self._max_length = max_length

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "sentences")])
    def classify(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classify sentences.

        Args:
            sentences: string (B,), UTF-8.

        Returns:
            labels string (B,), the likeliest class of each sentence, the first of
            equally likely ones, "" where no word is known and no probability is 0.9 or
            more; probabilities float32 (B, K); tokens string (B, T), the words as the
            model knows them; offsets int32 (B, T, 2), the index of the first character
            of each in its sentence, and that after its last; weights float32 (B, T),
            zeros at padding.
        """
        words, offsets = divide_in_graph(sentences)
        words = words[:, : self._max_length]
        token_ids = self._table(words)
        # One position more, since there may be no word at all.
        spelled = tf.pad(words.to_tensor(""), ((0, 0), (0, 1)), constant_values="")
        letters = tf.io.decode_raw(
            spelled, tf.uint8, fixed_length=self._classifying.num_letters
        )
        letters = tf.cast(letters[:, :-1], tf.int32)
        outputs = self._classifying.classify(token_ids, letters)
        probabilities = outputs["probabilities"]
        best = tf.argmax(probabilities, axis=-1)
        told = tf.reduce_any(token_ids > UNKNOWN, axis=-1) | (
            tf.reduce_any(token_ids != PAD, axis=-1)
            & tf.reduce_any(probabilities >= SURE, axis=-1)
        )
        return {
            "labels": tf.where(told, tf.gather(self._labels, best), ""),
            "tokens": tf.gather(self._words, token_ids),
            "offsets": offsets.to_tensor()[:, : self._max_length],
            **outputs,
        }
