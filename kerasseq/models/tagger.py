"""A tagger: words and their letters -> a recurrent layer each way -> tags.

Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF",
sections 2.1 and 2.2; in the place of the CRF, which found fewer of the new names,
`tag_sequences` keeps tags in an order that may be.
Shapes: B sentences, T tokens, L letters, K tags.
"""

from dataclasses import dataclass

import keras

from kerasseq.layers.checks import check_config
from kerasseq.layers.recurrent import LSTM
from kerasseq.layers.reverse import ReverseTokens
from kerasseq.text.tags import tag_names
from kerasseq.text.words import PAD

# A token's letters are the bytes of its UTF-8: any script, and no list of them.
NUM_LETTERS = 256


@dataclass(frozen=True)
class TaggerConfig:
    """Sizes of a tagger.

    Attributes:
        vocabulary_size: how many word ids there are, `PAD` and `UNKNOWN` among them.
        kinds: of the entities that it tells apart.
        num_letters: L, how many letters of a token are looked at.
        word_size: size of a word's vector.
        letter_size: size of a letter's vector.
        num_filters: of the convolution over three letters at a time.
        units: state size of each of the two recurrent layers.
        dropout: fraction dropped in training of what goes into the recurrent layers
            and of what comes out, the same ones at all tokens of a sentence.
        device_length: the tokens that an exported `.tflite` file reads at once.
    """

    vocabulary_size: int
    kinds: tuple[str, ...]
    num_letters: int = 24
    word_size: int = 64
    letter_size: int = 32
    num_filters: int = 64
    units: int = 100
    dropout: float = 0.5
    device_length: int = 64

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError("kinds is empty; give at least one kind of entity")
        check_config(self)

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the K tags; the id of each is its position."""
        return tag_names(self.kinds)


def build_tagger(config: TaggerConfig) -> keras.Model:
    """Build the tagger, for any batch and length; padding changes no other logits.

    Returns:
        A functional model from "word_ids" int32 (B, T) and "letters" int32 (B, T, L),
        as from `encode_tokens`, to logits of tags, float32 (B, T, K).
    """
    word_ids = keras.Input((None,), dtype="int32", name="word_ids")
    letters = keras.Input((None, config.num_letters), dtype="int32", name="letters")
    token_mask = keras.ops.not_equal(word_ids, PAD)

    def embedding(count: int, size: int, name: str) -> keras.layers.Embedding:
        # As in the character model: Keras's own are too small to tell apart soon.
        initializer = keras.initializers.RandomNormal(stddev=0.5)
        return keras.layers.Embedding(count, size, initializer, name=name)

    def dropout(name: str) -> keras.layers.Dropout:
        # One mask for all tokens, see build_char_rnn.
        return keras.layers.Dropout(config.dropout, (None, 1, None), name=name)

    words = embedding(config.vocabulary_size, config.word_size, "word_vectors")(
        word_ids
    )
    spelled = embedding(NUM_LETTERS, config.letter_size, "letter_vectors")(letters)
    spelled = keras.layers.Conv2D(
        config.num_filters, (1, 3), padding="same", activation="relu", name="spelling"
    )(spelled)
    spelled = keras.ops.max(spelled, axis=2)  # (B, T, F)
    x = keras.layers.Concatenate(name="tokens")([words, spelled])
    x = dropout("dropout")(x)
    turn = ReverseTokens(name="turn")
    forward = LSTM(config.units, return_sequences=True, name="forward")(x)
    backward = LSTM(config.units, return_sequences=True, name="backward")(
        turn(x, token_mask)
    )
    x = keras.layers.Concatenate(name="context")([forward, turn(backward, token_mask)])
    x = dropout("context_dropout")(x)
    # Losses read float32 logits, whatever precision the layers have.
    logits = keras.layers.Dense(len(config.tags), dtype="float32", name="logits")(x)
    return keras.Model([word_ids, letters], logits, name="tagger")
