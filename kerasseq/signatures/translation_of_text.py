"""The translator from sentences to sentences: the signature of a SavedModel."""

import tensorflow as tf

from kerasseq.signatures.translating import searching
from kerasseq.signatures.translation import (
    BEAM_WIDTH,
    LENGTH_PENALTY,
    TranslationOnIds,
)
from kerasseq.text.in_graph import answers_to, at_least_one
from kerasseq.text.subwords import END, Subwords
from kerasseq.text.subwords_in_graph import SubwordTable


class TranslationOnText(tf.Module):
    """A translator's signature on sentences.

    Args:
        translating: the translator.
        vocabulary: its pieces.

    Raises:
        ValueError: the vocabulary does not fit the weights.
    """

    def __init__(self, translating: TranslationOnIds, vocabulary: Subwords) -> None:
        super().__init__()
        vocabulary.require_size(translating.vocabulary_size)
        self._translating = translating
        self._table = SubwordTable(vocabulary)
        self._pieces = tf.constant(vocabulary.contents)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.string, "sentences"),
            tf.TensorSpec((), tf.float32, "temperature"),
            tf.TensorSpec((), tf.int32, "seed"),
        ]
    )
    def translate(
        self, sentences: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Translate sentences, each as if it were alone.

        Args:
            sentences: string (B,), UTF-8; pieces beyond the model's length are ignored.
            temperature: float32 (), 0 for beam search; above, translations are sampled.
            seed: int32 (), of the sampling.

        Returns:
            translations string (B,); scores float32 (B,); source_pieces string (B, S)
            and target_pieces string (B, T), "" at marks and padding; alignment float32
            (B, T, S), how much each target piece looked at each source piece; finished
            int32 (B,), 0 if a translation was cut.
        """
        length = self._translating.max_length
        some = at_least_one(sentences)
        ids = self._table.encode(some)[:, : length - 1]
        ends = tf.fill([tf.shape(some)[0], 1], END)
        source_ids = tf.concat([ids, ends], axis=1).to_tensor()
        inputs = (
            source_ids,
            tf.constant(length),
            tf.constant(LENGTH_PENALTY),
            temperature,
            seed,
        )
        found = tf.cond(
            temperature > 0.0,
            lambda: searching(self._translating, 1)(*inputs),
            lambda: searching(self._translating, BEAM_WIDTH)(*inputs),
        )
        answers = {
            "translations": self._table.decode(found.ids),
            "scores": found.score,
            "source_pieces": tf.gather(self._pieces, source_ids),
            "target_pieces": tf.gather(self._pieces, found.ids),
            "alignment": found.alignment,
            "finished": found.finished,
        }
        return answers_to(sentences, answers)
