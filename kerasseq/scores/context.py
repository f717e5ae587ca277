"""What an encoder's vectors and heads have to do with words.

Shapes: K vectors, T words, N blocks, H heads, C model size.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from kerasseq.text.words import SPECIALS, UNKNOWN

FREQUENT = 5
# A word that attends, and those of its sentence that it attends to; indices.
Arrow: TypeAlias = tuple[int, Sequence[int]]


def similarities(vectors: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """The cosines of vectors (K, C) with others (L, C), or with each other: (K, L)."""
    vectors, others = (
        each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-9)
        for each in (vectors, vectors if others is None else others)
    )
    return vectors @ others.T


def sense_accuracy(
    vectors: np.ndarray,
    words: ArrayLike,
    senses: ArrayLike,
    positions: ArrayLike,
) -> float:
    """How often the nearest vector of the same word elsewhere has the same sense.

    Only vectors at other positions of their sentences count, so that position helps
    nobody: what knows nothing of the sense is right as often as chance, 1 of 2.

    Args:
        vectors: (K, C), of words in their sentences.
        words: of each, its word.
        senses: of each, its sense.
        positions: of each, its index in its sentence.

    Returns:
        The fraction of the words that have another to compare with.
    """
    elsewhere = ~_equal(positions)
    comparable = _equal(words) & elsewhere
    near = np.where(comparable, similarities(vectors), -np.inf).argmax(1)
    right = _equal(senses)[np.arange(len(near)), near]
    return float(right[comparable.any(1)].mean())


def sense_silhouette(vectors: np.ndarray, words: ArrayLike, senses: ArrayLike) -> float:
    """Mean silhouette of the senses of each word, -1 to 1, in cosine distance.

    Rousseeuw 1987: (b - a) / max(a, b), a the mean distance to the vectors of the same
    word and sense, b to those of its other sense.
    """
    distances = 1 - similarities(vectors)
    same = _equal(words) & _equal(senses)
    other = _equal(words) & ~same
    np.fill_diagonal(same, False)
    inside = (distances * same).sum(1) / same.sum(1)
    outside = (distances * other).sum(1) / other.sum(1)
    return float(((outside - inside) / np.maximum(inside, outside)).mean())


def _equal(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    return values[:, None] == values


def _at(offset: int) -> Callable[[Sequence[str]], list[Arrow]]:
    def arrows(words: Sequence[str]) -> list[Arrow]:
        return [
            (index, (index + offset,))
            for index in range(len(words))
            if 0 <= index + offset < len(words)
        ]

    return arrows


def _same_word(words: Sequence[str]) -> list[Arrow]:
    found: list[Arrow] = []
    for index, word in enumerate(words):
        others = [at for at, other in enumerate(words) if other == word and at != index]
        if others:
            found.append((index, others))
    return found


def _signs(words: Sequence[str]) -> list[Arrow]:
    signs = [index for index, word in enumerate(words) if not word.isalnum()]
    return [(index, signs) for index in range(len(words))] if signs else []


# Roles that words of any sentence have.
GENERAL_ROLES: dict[str, Callable[[Sequence[str]], list[Arrow]]] = {
    "the word itself": _at(0),
    "the word before": _at(-1),
    "the word after": _at(1),
    "the second word before": _at(-2),
    "the second word after": _at(2),
    "the first word": lambda words: [(index, (0,)) for index in range(len(words))],
    "the last word": lambda words: [
        (index, (len(words) - 1,)) for index in range(len(words))
    ],
    "the same word elsewhere": _same_word,
    "signs": _signs,
}


def frequent_words(sentences: Sequence[Sequence[str]]) -> list[dict[str, list[Arrow]]]:
    """For each sentence, arrows of its other words to the five most frequent words."""
    counts = collections.Counter(word for words in sentences for word in words)
    names = {word: f'the word "{word}"' for word, _ in counts.most_common(FREQUENT)}
    if SPECIALS[UNKNOWN] in names:
        names[SPECIALS[UNKNOWN]] = "words that it does not know"
    return [
        {
            name: [
                (index, [at for at, each in enumerate(words) if each == frequent])
                for index, word in enumerate(words)
                if word != frequent
            ]
            for frequent, name in names.items()
            if frequent in words
        }
        for words in sentences
    ]


class Role(NamedTuple):
    """How much attention goes along the arrows of a role.

    Attributes:
        weights: of each head, the mean over the words that have the role of their
            weights on the words that it points to, float (N, H).
        chance: the same if a word attended to all words equally.
        occurrences: number of words that have it.
    """

    weights: np.ndarray
    chance: float
    occurrences: int


def score_roles(
    weights: Sequence[np.ndarray],
    sentences: Sequence[Sequence[str]],
    arrows: Sequence[Mapping[str, Sequence[Arrow]]] = (),
) -> dict[str, Role]:
    """Score every head for every role that occurs.

    Args:
        weights: of each sentence, float (N, H, T, T).
        sentences: their words.
        arrows: of each sentence, further roles than `GENERAL_ROLES`.
    """
    sums: dict[str, list] = {}
    for index, (table, words) in enumerate(zip(weights, sentences, strict=True)):
        roles = {name: find(words) for name, find in GENERAL_ROLES.items()}
        for name, found in {**roles, **(arrows[index] if arrows else {})}.items():
            for query, keys in found:
                entry = sums.setdefault(name, [0.0, 0.0, 0])
                entry[0] = entry[0] + table[:, :, query, list(keys)].sum(-1)
                entry[1] += len(keys) / len(words)
                entry[2] += 1
    return {
        name: Role(total / count, chance / count, count)
        for name, (total, chance, count) in sums.items()
    }


def best_roles(roles: Mapping[str, Role], block: int, head: int) -> list[str]:
    """The names of the roles of a head, the most striking first.

    A role strikes by its weight above chance, as a fraction of what is possible.
    """

    def striking(name: str) -> float:
        role = roles[name]
        possible = 1 - role.chance
        return (role.weights[block, head] - role.chance) / possible if possible else 0.0

    return sorted(roles, key=striking, reverse=True)
