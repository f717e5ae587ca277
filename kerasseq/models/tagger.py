"""A tagger: words and their letters -> a recurrent layer each way -> tags.

Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF",
sections 2.1 and 2.2; in the place of the CRF, which found fewer of the new names,
`tag_sequences` keeps tags in an order that may be.
Shapes: B sentences, T tokens, L letters, K tags.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.tagged import TaggedSentence, find_entities, tag_names
from kerasseq.files.writing import write_file
from kerasseq.layers.attention import Shape
from kerasseq.layers.recurrent import LSTM
from kerasseq.text.words import PAD, UNKNOWN, WordVocabulary

# A token's letters are the bytes of its UTF-8: any script, and no list of them.
NUM_LETTERS = 256
HIDDEN_LETTER = 1
# 0 leaves the odds of entities as they are, 1 makes them even.
ENTITY_WEIGHT_POWER = 0.75


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
    """

    vocabulary_size: int
    kinds: tuple[str, ...]
    num_letters: int = 24
    word_size: int = 64
    letter_size: int = 32
    num_filters: int = 64
    units: int = 100
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError("kinds is empty; give at least one kind of entity")
        sizes = "num_letters", "word_size", "letter_size", "num_filters", "units"
        for name in ("vocabulary_size", *sizes):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not from 0 to below 1")

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the K tags; the id of each is its position."""
        return tag_names(self.kinds)


@keras.saving.register_keras_serializable(package="kerasseq")
class ReverseTokens(keras.layers.Layer):
    """Turn each sentence round, and leave the padding on its right where it is.

    A layer that reads what was turned round reads the sentence backwards, and meets
    the padding last: it changes nothing before it.

    Call arguments:
        x: (B, T, C).
        token_mask: bool (B, T), False at padding, which is on the right.

    Returns:
        (B, T, C).
    """

    def call(self, x: tf.Tensor, token_mask: tf.Tensor) -> tf.Tensor:
        lengths = tf.reduce_sum(tf.cast(token_mask, tf.int32), axis=1)
        return tf.reverse_sequence(x, lengths, seq_axis=1)

    def compute_output_shape(self, x_shape: Shape, token_mask_shape: Shape) -> Shape:
        return x_shape


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


def encode_tokens(
    sentences: Sequence[Sequence[str]],
    vocabulary: WordVocabulary,
    num_letters: int,
    length: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Put the tokens of sentences into arrays.

    A token's word id is that of its lower-cased form, its letters the first bytes of
    its UTF-8 as it is written.

    Args:
        sentences: N lists of tokens, none with white space in it.
        vocabulary: of words.
        num_letters: L; a shorter token is filled up with 0.
        length: T; a longer sentence loses its end. None for the longest one's length.

    Returns:
        word_ids int32 (N, T), `PAD` after a sentence's end, and letters uint8
        (N, T, L).
    """
    if length is None:
        length = max(map(len, sentences), default=0)
    word_ids = np.full((len(sentences), length), PAD, np.int32)
    letters = np.zeros((*word_ids.shape, num_letters), np.uint8)
    for row, tokens in enumerate(sentences):
        kept = tokens[:length]
        word_ids[row, : len(kept)] = vocabulary.encode(" ".join(kept))
        for place, token in enumerate(kept):
            spelling = token.encode(errors="replace")[:num_letters]
            letters[row, place, : len(spelling)] = list(spelling)
    return word_ids, letters


def tagged_batches(
    sentences: Sequence[TaggedSentence],
    vocabulary: WordVocabulary,
    config: TaggerConfig,
    batch_size: int,
    length: int,
    *,
    swap_rate: float = 0.5,
    word_dropout: float = 0.5,
    letter_dropout: float = 0.1,
    seed: int = 0,
) -> tf.data.Dataset:
    """Sentences in ever new order, as `model.fit` takes them, without an end.

    Names to come are new, and have to be told by their letters and by what is around
    them. So names change places with others of their kind (Dai and Adel 2020, "Simple
    Data Augmentation for Named Entity Recognition", section 2), words are hidden behind
    `UNKNOWN`, and letters behind a byte that texts do not use. Tokens of entities weigh
    more, by a power of how many others there are to each: with the odds as they are in
    the file few new names are found.

    Args:
        sentences: to learn from.
        vocabulary: of their words.
        config: of the tagger.
        batch_size: B.
        length: T; a longer sentence loses its end.
        swap_rate: the chance of a name to be another one.
        word_dropout: the chance of a word to be hidden.
        letter_dropout: the chance of a letter to be hidden.
        seed: of order and chances.

    Returns:
        Batches of inputs int32 (B, T) and (B, T, L), tags int32 (B, T) and weights
        float32 (B, T), 0 at padding.
    """
    ids = {tag: index for index, tag in enumerate(config.tags)}
    names: dict[str, list[tuple[str, ...]]] = {}
    for tokens, tags in sentences:
        for start, end, kind in find_entities(tags):
            names.setdefault(kind, []).append(tokens[start:end])
    count = sum(len(sentence.tokens) for sentence in sentences)
    inside = sum(len(name) for others in names.values() for name in others)
    weight = max(1.0, (count / max(1, inside) - 1) ** ENTITY_WEIGHT_POWER)
    generator = np.random.default_rng(seed)

    def batches() -> Iterator[tuple]:
        waiting = np.empty(0, np.int64)
        while True:
            while len(waiting) < batch_size:
                waiting = np.append(waiting, generator.permutation(len(sentences)))
            chosen = [
                swap_names(sentences[index], names, swap_rate, generator)
                for index in waiting[:batch_size]
            ]
            waiting = waiting[batch_size:]
            word_ids, letters = encode_tokens(
                [sentence.tokens for sentence in chosen],
                vocabulary,
                config.num_letters,
                length,
            )
            tags = np.zeros_like(word_ids)
            for row, sentence in zip(tags, chosen, strict=True):
                kept = sentence.tags[:length]
                row[: len(kept)] = [ids[tag] for tag in kept]
            present = word_ids != PAD
            weights = np.where(tags > 0, weight, present).astype(np.float32)
            hidden = present & (generator.random(present.shape) < word_dropout)
            word_ids[hidden] = UNKNOWN
            drawn = generator.random(letters.shape, np.float32)
            letters[(letters > 0) & (drawn < letter_dropout)] = HIDDEN_LETTER
            yield (word_ids, letters.astype(np.int32)), tags, weights

    shape = batch_size, length
    dataset = tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            (
                tf.TensorSpec(shape, tf.int32),
                tf.TensorSpec((*shape, config.num_letters), tf.int32),
            ),
            tf.TensorSpec(shape, tf.int32),
            tf.TensorSpec(shape, tf.float32),
        ),
    )
    return dataset.prefetch(2)


def swap_names(
    sentence: TaggedSentence,
    names: Mapping[str, Sequence[tuple[str, ...]]],
    rate: float,
    generator: np.random.Generator,
) -> TaggedSentence:
    """Put other names of the same kind in the places of a sentence's.

    Args:
        sentence: tokens and tags.
        names: to choose from, by kind.
        rate: the chance of a name to be replaced.
        generator: of the choice.
    """
    tokens, tags = list(sentence.tokens), list(sentence.tags)
    for start, end, kind in reversed(find_entities(sentence.tags)):
        if generator.random() < rate:
            name = names[kind][int(generator.integers(len(names[kind])))]
            tokens[start:end] = name
            tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
    return TaggedSentence(tuple(tokens), tuple(tags))


def save_tags(path: str | os.PathLike, tags: Sequence[str]) -> Path:
    """Write the names of a tagger's tags as a `tags.json`, whole or not at all."""
    return write_file(path, json.dumps({"tags": list(tags)}) + "\n")


def load_tags(path: str | os.PathLike) -> tuple[str, ...]:
    """Read a `tags.json`.

    Raises:
        ValueError: the file is missing or holds no such names.
    """
    try:
        tags = tuple(json.loads(Path(path).read_text(encoding="utf-8"))["tags"])
        if tags != tag_names(tag[2:] for tag in tags[1:]) or len(tags) < 3:
            raise ValueError(f"tags are {tags[:4]}")
        return tags
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} has no names of tags ({error}); it should read "
            '{"tags": ["O", "B-person", "I-person", ...]}'
        ) from None
