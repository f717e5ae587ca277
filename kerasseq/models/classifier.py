"""The classifier: words -> embeddings -> attention pooling -> classes.

Naive Bayes on words, pairs of words and the bytes of words adds its scores. Encoder
blocks can stand between embeddings and pooling.
Shapes: B batch, T words, L bytes of a word, C model size, K classes, V vocabulary. The
contract calls the bytes letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np

from kerasseq.layers.attention import Shape, Tensor
from kerasseq.layers.checks import check_config, check_divisible, check_fraction
from kerasseq.layers.encoder_block import EncoderBlock
from kerasseq.layers.naive_bayes import NaiveBayes, SpellingBayes, WeightedSum
from kerasseq.layers.pooling import AttentionPooling
from kerasseq.layers.positions import SinusoidalPositions
from kerasseq.text.wording import counted
from kerasseq.text.words import PAD, UNKNOWN

# A text without a known word has a label only where this probability supports it.
SURE = 0.9
BATCH_SIZE = 64
# Ids (T,) and letters (T, L), as from `WordVocabulary.encode_spelled`.
Sentence: TypeAlias = tuple[np.ndarray, np.ndarray]


@keras.saving.register_keras_serializable(package="kerasseq")
class WordDropout(keras.layers.Layer):
    """Replaces random words by the unknown word in training.

    The model then relies on no single word (Iyyer et al. 2015, "Deep Unordered
    Composition Rivals Syntactic Methods", section 3.2). There the words are removed.
    Replacing them also prepares the model for words that it has never seen.

    Args:
        rate: probability that a word is replaced.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        token_ids: int (B, T); padding is never replaced.

    Returns:
        int (B, T); outside of training, `token_ids` itself.

    Raises:
        ValueError: rate is not from 0 to below 1.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_fraction(rate=rate)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, token_ids: Tensor, training: bool = False) -> Tensor:
        if not training or not self.rate:
            return token_ids
        drawn = keras.random.uniform(
            keras.ops.shape(token_ids), seed=self.seed_generator
        )
        hidden = (drawn < self.rate) & (token_ids != PAD)
        return keras.ops.where(hidden, UNKNOWN, token_ids)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@dataclass(frozen=True)
class ClassifierConfig:
    """Sizes of a classifier, and how much of it is dropped in training.

    The defaults are the best of several trials on ten thousand sentences, which models
    with blocks memorize; see docs/experiments.md.

    Attributes:
        vocabulary_size: V, number of token ids, including padding (id 0).
        num_classes: K.
        model_size: C, size of a word's vector.
        num_blocks: number of encoder blocks between embeddings and pooling, from 0.
        num_heads: heads of each block; C is a multiple of it.
        feed_forward_size: units of each block's feed-forward layer.
        max_length: the longest sentence, in words, that blocks read.
        num_pairs: rows of the table that pairs of words share.
        num_letters: L, the first bytes of a word that are read.
        num_ngrams: rows of the table that n-grams of these bytes share.
        word_dropout: fraction of the words replaced by the unknown word in training.
        dropout: fraction dropped in training of the embedded words, in each block, and
            of the pooled vector.

    Raises:
        ValueError: a size is too small, dropout is not from 0 to below 1, or C is not
            a multiple of num_heads.

    Example:
        >>> ClassifierConfig(vocabulary_size=7, num_classes=3).model_size
        64
    """

    vocabulary_size: int
    num_classes: int
    model_size: int = 64
    num_blocks: int = 0
    num_heads: int = 4
    feed_forward_size: int = 128
    max_length: int = 128
    num_pairs: int = 8192
    num_letters: int = 24
    num_ngrams: int = 8192
    word_dropout: float = 0.4
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_config(self, num_classes=2, num_blocks=0)
        check_divisible(self.model_size, self.num_heads)

    def __str__(self) -> str:
        blocks = counted(self.num_blocks, "Transformer block")
        return (
            f"word vectors of size {self.model_size:,}, {blocks}, pairs of words in "
            f"{self.num_pairs:,} rows, n-grams of letters in {self.num_ngrams:,}, at "
            f"most {counted(self.max_length, 'word')}, "
            f"dropout {self.dropout:g}"
        )


def build_classifier(config: ClassifierConfig) -> keras.Model:
    """Build the classifier, for any batch and any number of words.

    A learned query attends to the words of a sentence; their weighted mean is the
    sentence's vector. Without blocks, this is a deep averaging network (Iyyer et al.
    2015) with learned weights of the words; with blocks, a Transformer encoder with
    masked pooling. The scores of naive Bayes, each times a learned factor, are added to
    the logits; they are zero until its tables are counted (`count_naive_bayes`).
    Padding on the right (id 0) changes nothing.

    Returns:
        A functional model from "token_ids", int32 (B, T), and "letters", int32
        (B, T, L), to a dict: "logits" (B, K) and "weights" (B, T), the pooling's weight
        of each word, both float32.

    Example:
        >>> model = build_classifier(ClassifierConfig(vocabulary_size=7, num_classes=3))
        >>> outputs = model([np.array([[3, 5, 0]]), np.zeros((1, 3, 24), int)])
        >>> {name: tuple(output.shape) for name, output in outputs.items()}
        {'logits': (1, 3), 'weights': (1, 3)}
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    letters = keras.Input((None, config.num_letters), dtype="int32", name="letters")
    mask = keras.ops.not_equal(token_ids, PAD)
    x = WordDropout(config.word_dropout, name="word_dropout")(token_ids)
    x = keras.layers.Embedding(
        config.vocabulary_size,
        config.model_size,
        # As in `build_encoder`. Without blocks, embeddings that start small get their
        # meaning from training, not from chance.
        keras.initializers.RandomNormal(stddev=config.model_size**-0.5),
        name="embedding",
    )(x)
    if config.num_blocks:
        x = SinusoidalPositions(config.max_length, name="positions")(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    for index in range(config.num_blocks):
        block = EncoderBlock(
            config.num_heads,
            config.feed_forward_size,
            config.dropout,
            name=f"block_{index}",
        )
        x, _ = block(x, mask=mask)
    x, weights = AttentionPooling(name="pooling")(x, mask=mask)
    x = keras.layers.Dropout(config.dropout, name="pooled_dropout")(x)
    # Softmax and losses need float32 logits, whatever the dtype policy.
    logits = keras.layers.Dense(config.num_classes, dtype="float32", name="logits")(x)
    scores = [
        NaiveBayes(
            config.vocabulary_size,
            config.num_pairs,
            config.num_classes,
            name="naive_bayes",
        )(token_ids),
        SpellingBayes(config.num_ngrams, config.num_classes, name="spelling_bayes")(
            letters
        ),
    ]
    scores = keras.layers.Concatenate(dtype="float32", name="scores")(scores)
    logits = WeightedSum(dtype="float32", name="weighted_sum")([logits, scores])
    outputs = {"logits": logits, "weights": weights}
    return keras.Model([token_ids, letters], outputs, name="classifier")


class Prediction(NamedTuple):
    """A classifier's output for a sentence.

    Attributes:
        probabilities: float32 (K,); they sum to 1.
        weights: float32 (T,), the pooling's weight of each word; they sum to 1.
    """

    probabilities: np.ndarray
    weights: np.ndarray


def predict(classifier: keras.Model, sentences: Sequence[Sentence]) -> list[Prediction]:
    """Classify sentences.

    Args:
        classifier: from `build_classifier`.
        sentences: N.
    """
    found = []
    for start in range(0, len(sentences), BATCH_SIZE):
        batch = sentences[start : start + BATCH_SIZE]
        outputs = classifier.predict_on_batch(pad(batch))
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(outputs["logits"]))
        found += [
            Prediction(row, weights[: len(ids)])
            for row, weights, (ids, _) in zip(
                probabilities, outputs["weights"], batch, strict=True
            )
        ]
    return found


def pad(sentences: Sequence[Sentence]) -> list[np.ndarray]:
    """Ids int32 (N, T) and letters int32 (N, T, L) of sentences, T the longest's."""
    return [
        keras.utils.pad_sequences(each, padding="post")
        for each in zip(*sentences, strict=True)
    ]
