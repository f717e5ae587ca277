"""Tagged sentences as arrays and as batches.

Shapes: B sentences, T tokens, L bytes of a token, K tags.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from kerasseq.data.tagged import TaggedSentence
from kerasseq.text.tags import find_entities
from kerasseq.text.words import PAD, UNKNOWN, WordVocabulary

HIDDEN_BYTE = 1
# 0 weights all tokens alike; 1 gives entities as much weight in all as other tokens.
ENTITY_WEIGHT_POWER = 0.6


def encode_tokens(
    sentences: Sequence[Sequence[str]],
    vocabulary: WordVocabulary,
    num_letters: int,
    length: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode the tokens of sentences as arrays.

    A token's word id is that of its lower-cased form; its `letters` are the first bytes
    of its UTF-8, with its capitals.

    Args:
        sentences: N lists of tokens, each taken as it is.
        vocabulary: of words.
        num_letters: L; shorter tokens are padded with 0.
        length: T; longer sentences lose their end. None for the longest one's length.

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
        word_ids[row, : len(kept)] = vocabulary.encode_words(kept)
        for index, token in enumerate(kept):
            spelling = token.encode(errors="replace")[:num_letters]
            letters[row, index, : len(spelling)] = list(spelling)
    return word_ids, letters


def tagged_batches(
    sentences: Sequence[TaggedSentence],
    vocabulary: WordVocabulary,
    tags: Sequence[str],
    num_letters: int,
    batch_size: int,
    length: int,
    *,
    swap_rate: float = 0.5,
    word_dropout: float = 0.5,
    letter_dropout: float = 0.1,
    seed: int = 0,
) -> tf.data.Dataset:
    """An endless dataset of shuffled, augmented sentences.

    The names in new texts are unknown: the model has to recognize them by their bytes
    and by the words around them. So names are swapped with others of their kind (Dai
    and Adel 2020, "Simple Data Augmentation for Named Entity Recognition", section 2),
    words are replaced by `UNKNOWN`, and bytes by one that texts do not use. Tokens of
    entities have a larger weight, a power of the ratio of other tokens to them: with
    equal weights, few new names are found.

    Args:
        sentences: to learn from.
        vocabulary: of their words.
        tags: names of the K tags.
        num_letters: L.
        batch_size: B.
        length: T; longer sentences lose their end.
        swap_rate: probability of a name to be swapped.
        word_dropout: probability of a word to be hidden.
        letter_dropout: probability of a byte to be hidden.
        seed: of order and choices.

    Returns:
        Batches of inputs int32 (B, T) and (B, T, L), tags int32 (B, T) and weights
        float32 (B, T), 0 at padding.
    """
    ids = {tag: index for index, tag in enumerate(tags)}
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
                num_letters,
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
            letters[(letters > 0) & (drawn < letter_dropout)] = HIDDEN_BYTE
            yield (word_ids, letters.astype(np.int32)), tags, weights

    shape = batch_size, length
    dataset = tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            (
                tf.TensorSpec(shape, tf.int32),
                tf.TensorSpec((*shape, num_letters), tf.int32),
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
    """Replace each name in a sentence, with probability `rate`, by one of its kind."""
    tokens, tags = list(sentence.tokens), list(sentence.tags)
    for start, end, kind in reversed(find_entities(sentence.tags)):
        if generator.random() < rate:
            name = names[kind][int(generator.integers(len(names[kind])))]
            tokens[start:end] = name
            tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
    return TaggedSentence(tuple(tokens), tuple(tags))
