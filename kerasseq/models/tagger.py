"""The tagger: words and their bytes -> a recurrent layer each way -> tags.

A linear model on the words around a token, and on n-grams of bytes, is the other half
of it: the logits are the mean of both.

Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF",
sections 2.1 and 2.2. Instead of the CRF, which found fewer new names, `tag_sequences`
allows only valid sequences of tags.
Shapes: B sentences, T tokens, L bytes of a token, K tags. The contract calls the bytes
letters.
"""

from dataclasses import dataclass

import keras

from kerasseq.layers.checks import check_config
from kerasseq.layers.neighbours import SumOfNeighbours, WordsAround
from kerasseq.layers.recurrent import LSTM
from kerasseq.layers.reverse import ReverseTokens
from kerasseq.layers.spelling import SpellingScores
from kerasseq.text.tags import tag_names
from kerasseq.text.words import PAD

# A spelling is read as the bytes of its UTF-8, so that every script works.
BYTE_VALUES = 256
# The layers whose outputs are the logits of the two models, which learn apart.
PARTS = "sum", "linear"


@dataclass(frozen=True)
class TaggerConfig:
    """Sizes of a tagger.

    Attributes:
        vocabulary_size: number of word ids, including `PAD` and `UNKNOWN`.
        kinds: the kinds of entities, which become the tags.
        num_letters: L, the first bytes of a token that are read.
        word_size: size of a word's vector.
        letter_size: size of a byte's vector.
        num_filters: filters of the convolution over three bytes.
        units: state size of each of the two recurrent layers.
        dropout: fraction of the recurrent layers' inputs and outputs dropped in
            training, the same elements at all tokens of a sentence.
        num_ngrams: rows of the table that the n-grams of spellings share.
        ngram_dropout: fraction of these rows dropped in training.
        num_near_ngrams: rows of the table for the n-grams of the tokens beside.
        num_words_around: the lowest ids, whose words have weights for each of the five
            tokens around them; fewer if the vocabulary has fewer.
        device_length: the most tokens that an exported `.tflite` file reads at once.

    Example:
        >>> TaggerConfig(vocabulary_size=7, kinds=("PER",)).tags
        ('O', 'B-PER', 'I-PER')
    """

    vocabulary_size: int
    kinds: tuple[str, ...]
    num_letters: int = 24
    word_size: int = 64
    letter_size: int = 32
    num_filters: int = 64
    units: int = 100
    dropout: float = 0.5
    num_ngrams: int = 16_381
    ngram_dropout: float = 0.4
    num_near_ngrams: int = 2_039
    num_words_around: int = 2_000
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
    """Build the tagger, for any batch and length; padding changes no token's logits.

    Returns:
        A functional model from "word_ids" int32 (B, T) and "letters" int32 (B, T, L),
        as from `encode_tokens`, to logits of tags, float32 (B, T, K).

    Example:
        >>> model = build_tagger(TaggerConfig(vocabulary_size=7, kinds=("PER",)))
        >>> model([np.array([[2, 3]]), np.zeros((1, 2, 24), int)]).shape
        TensorShape([1, 2, 3])
    """
    word_ids = keras.Input((None,), dtype="int32", name="word_ids")
    letters = keras.Input((None, config.num_letters), dtype="int32", name="letters")
    token_mask = keras.ops.not_equal(word_ids, PAD)

    def embedding(count: int, size: int, name: str) -> keras.layers.Embedding:
        # Larger than Keras's default, as in `build_char_rnn`.
        initializer = keras.initializers.RandomNormal(stddev=0.5)
        return keras.layers.Embedding(count, size, initializer, name=name)

    def dropout(name: str) -> keras.layers.Dropout:
        # One mask for all tokens, see build_char_rnn.
        return keras.layers.Dropout(config.dropout, (None, 1, None), name=name)

    words = embedding(config.vocabulary_size, config.word_size, "word_vectors")(
        word_ids
    )
    spelled = embedding(BYTE_VALUES, config.letter_size, "letter_vectors")(letters)
    spelled = keras.layers.Conv2D(
        config.num_filters, (1, 3), padding="same", activation="relu", name="spelling"
    )(spelled)
    spelled = keras.ops.max(spelled, axis=2)  # (B, T, F)
    # A linear model on n-grams is a first guess, which the recurrent layers read of all
    # tokens, and which is added to their logits.
    num_tags = len(config.tags)
    own = SpellingScores(
        config.num_ngrams, num_tags, config.ngram_dropout, name="guess"
    )(letters)
    x = keras.layers.Concatenate(name="tokens")([words, spelled, own])
    x = dropout("dropout")(x)
    turn = ReverseTokens(name="turn")
    forward = LSTM(config.units, return_sequences=True, name="forward")(x)
    backward = LSTM(config.units, return_sequences=True, name="backward")(
        turn(x, token_mask)
    )
    x = keras.layers.Concatenate(name="context")([forward, turn(backward, token_mask)])
    x = dropout("context_dropout")(x)
    # Losses need float32 logits, whatever the dtype policy.
    logits = keras.layers.Dense(num_tags, dtype="float32", name="logits")(x)
    logits = keras.layers.Add(dtype="float32", name="sum")([logits, own])
    # The other model is linear, and finds names that the recurrent layers do not.
    beside = SpellingScores(
        config.num_near_ngrams, 2 * num_tags, config.ngram_dropout, name="near"
    )(letters)
    beside = SumOfNeighbours([-1, 1], dtype="float32", name="beside")(beside)
    num_words = min(config.vocabulary_size, config.num_words_around)
    around = WordsAround(num_words, num_tags, name="around")(word_ids)
    linear = keras.layers.Add(dtype="float32", name="linear")([own, beside, around])
    logits = keras.layers.Average(dtype="float32", name="mean")([logits, linear])
    return keras.Model([word_ids, letters], logits, name="tagger")
