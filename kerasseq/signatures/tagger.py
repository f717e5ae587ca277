"""The tagger as it is used and exported: ids or sentences in, tags out.

Shapes: B sentences, T tokens, L bytes of a token, which the contract calls letters.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasseq.data.tagged_batches import encode_tokens
from kerasseq.signatures.ranges import held
from kerasseq.signatures.tag_sequences import allowed_transitions, best_sequence
from kerasseq.text.in_graph import (
    WordTable,
    answers_to,
    at_least_one,
    divide_in_graph,
)
from kerasseq.text.tags import tag_names
from kerasseq.text.words import PAD, WordVocabulary

BATCH_SIZE = 64


class TaggerOnIds(tf.Module):
    """A tagger's signature on ids: the one of a `.tflite` file.

    Args:
        model: from `build_tagger`.
        tags: names of its tags.

    Attributes:
        tag: maps word_ids int32 (B, T), `PAD` after a sentence's end and T at least 1,
            and letters int32 (B, T, L) to a dict of tags int32 (B, T), 0 at padding.

    Raises:
        ValueError: the tags do not fit the weights, or are not BIO tags.
    """

    def __init__(self, model: keras.Model, tags: Sequence[str]) -> None:
        super().__init__()
        if len(tags) != model.output_shape[-1]:
            raise ValueError(
                f"{len(tags)} tags do not fit the model's {model.output_shape[-1]} "
                "logits; use the tags.json written beside the model"
            )
        if tuple(tags) != tag_names(tag[2:] for tag in tags[1:]):
            raise ValueError(
                f"{', '.join(tags[:4])} ... are not BIO tags; use the tags.json "
                "written beside the model"
            )
        self.names = list(tags)
        self._allowed = allowed_transitions(tags)
        self._model = model
        # tf.Module does not find the variables of Keras's layers.
        self._weights = [variable.value for variable in model.variables]
        self.num_words = model.get_layer("word_vectors").input_dim
        self.num_letters = model.inputs[1].shape[-1]
        self.tag = tf.function(
            self._tag,
            input_signature=[
                tf.TensorSpec((None, None), tf.int32, "word_ids"),
                tf.TensorSpec((None, None, self.num_letters), tf.int32, "letters"),
            ],
        )

    def device_signatures(
        self, length: int
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signature `tag` for one sentence.

        Args:
            length: T.
        """
        return {
            "tag": tf.function(self._tag).get_concrete_function(
                word_ids=tf.TensorSpec((1, length), tf.int32),
                letters=tf.TensorSpec((1, length, self.num_letters), tf.int32),
            )
        }

    def _tag(self, word_ids: tf.Tensor, letters: tf.Tensor) -> dict[str, tf.Tensor]:
        word_ids = held(word_ids, 0, self.num_words - 1)
        letters = held(letters, 0, 255)
        logits = self._model([word_ids, letters], training=False)
        return {"tags": best_sequence(logits, word_ids != PAD, self._allowed)}


class TaggerOnText(tf.Module):
    """A tagger's signature on sentences: the one of a SavedModel.

    Args:
        tagging: the tagger.
        vocabulary: its words.

    Raises:
        ValueError: the vocabulary does not fit the weights.
    """

    def __init__(self, tagging: TaggerOnIds, vocabulary: WordVocabulary) -> None:
        super().__init__()
        vocabulary.require_size(tagging.num_words)
        self._tagging = tagging
        self._table = WordTable(vocabulary)
        self._names = tf.constant(tagging.names)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "sentences")])
    def tag(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tag sentences, which are divided into words and signs.

        Args:
            sentences: string (B,), UTF-8.

        Returns:
            tokens string (B, T); offsets int32 (B, T, 2), the index of the first
            character of each in its sentence, and that after its last; token_mask bool
            (B, T), False at padding; and tags string (B, T), "O" at padding.
        """
        words, offsets = divide_in_graph(at_least_one(sentences))
        tokens = words.to_tensor("")
        # One position more, since there may be no token at all.
        word_ids = tf.pad(self._table(words), ((0, 0), (0, 1)))
        letters = tf.io.decode_raw(
            tf.pad(tokens, ((0, 0), (0, 1)), constant_values=""),
            tf.uint8,
            fixed_length=self._tagging.num_letters,
        )
        found = self._tagging.tag(word_ids, tf.cast(letters, tf.int32))
        answers = {
            "tokens": tokens,
            "offsets": offsets.to_tensor(),
            "token_mask": word_ids[:, :-1] != PAD,
            "tags": tf.gather(self._names, found["tags"][:, :-1]),
        }
        return answers_to(sentences, answers)


def tag_sentences(
    tagging: TaggerOnIds,
    sentences: Sequence[Sequence[str]],
    vocabulary: WordVocabulary,
) -> list[list[str]]:
    """The names of the tags of each sentence's tokens.

    Args:
        tagging: the tagger.
        sentences: lists of tokens, at least one in each.
        vocabulary: its words.

    Returns:
        A list of names for each sentence, one for each token.
    """
    named: list[list[str]] = []
    for start in range(0, len(sentences), BATCH_SIZE):
        batch = sentences[start : start + BATCH_SIZE]
        word_ids, letters = encode_tokens(batch, vocabulary, tagging.num_letters)
        found = tagging.tag(
            tf.constant(word_ids), tf.cast(tf.constant(letters), tf.int32)
        )
        named += [
            [tagging.names[index] for index in row[: len(tokens)]]
            for row, tokens in zip(found["tags"].numpy(), batch, strict=True)
        ]
    return named
