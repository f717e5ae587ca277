"""Precision, recall and F1 of entities, and a baseline to compare them with.

Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task",
sections 2.3 and 2.4.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

from kerasseq.data.tagged import TaggedSentence
from kerasseq.text.tags import OUTSIDE, find_entities

# No kind has a space in its name.
OVERALL = "all kinds"


class EntityScore(NamedTuple):
    """How many entities were found.

    Attributes:
        correct: of the predicted ones, those that are there from the same first to the
            same last token and of the same kind.
        predicted: entities that were predicted.
        actual: entities that are there.
    """

    correct: int
    predicted: int
    actual: int

    @property
    def precision(self) -> float:
        """The fraction of predicted entities that are correct, 0 if there are none."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The fraction of actual entities that were found, 0 if there are none."""
        return self.correct / self.actual if self.actual else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        # 2PR / (P + R) in one fraction, which is 0 where nothing is correct.
        together = self.predicted + self.actual
        return 2 * self.correct / together if together else 0.0


def score_entities(
    actual: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, EntityScore]:
    """Count entities as the shared task does: right is what is right as a whole.

    Args:
        actual: BIO tags of each sentence.
        predicted: as many tags of as many sentences.

    Returns:
        The score of each kind that is in either, in alphabetical order, and before
        them that of all entities, by the name `OVERALL`.

    Raises:
        ValueError: numbers of sentences or of tags differ.

    Example:
        >>> scores = score_entities([["B-x", "I-x", "B-y"]], [["B-x", "O", "B-y"]])
        >>> {kind: score.f1 for kind, score in scores.items()}
        {'all kinds': 0.5, 'x': 0.0, 'y': 1.0}
    """
    counts: dict[str, collections.Counter] = {
        name: collections.Counter() for name in EntityScore._fields
    }
    for there, found in zip(actual, predicted, strict=True):
        if len(there) != len(found):
            raise ValueError(
                f"{len(found)} predicted tags for a sentence of {len(there)}; give one "
                "for each token"
            )
        entities, guesses = set(find_entities(there)), set(find_entities(found))
        for name, group in (
            ("correct", entities & guesses),
            ("predicted", guesses),
            ("actual", entities),
        ):
            counts[name].update(entity.kind for entity in group)
    kinds = sorted(counts["actual"] | counts["predicted"])
    overall = EntityScore(*(count.total() for count in counts.values()))
    return {
        OVERALL: overall,
        **{kind: EntityScore(*(c[kind] for c in counts.values())) for kind in kinds},
    }


class EntityLookup:
    """The baseline: entities seen before are tagged as they mostly were.

    Upper and lower case count as one. What was an entity in at least half of the
    places where it stood gets its most frequent kind. From left to right the longest
    one is taken.

    Args:
        sentences: to learn from.
    """

    def __init__(self, sentences: Sequence[TaggedSentence]) -> None:
        kinds: dict[tuple[str, ...], collections.Counter] = {}
        lowered = [self._lower(tokens) for tokens, _ in sentences]
        for tokens, (_, tags) in zip(lowered, sentences, strict=True):
            for start, end, kind in find_entities(tags):
                kinds.setdefault(tokens[start:end], collections.Counter())[kind] += 1
        self._longest = max(map(len, kinds), default=0)
        places = collections.Counter(
            tokens[start:end]
            for tokens in lowered
            for start in range(len(tokens))
            for end in range(start + 1, min(start + self._longest, len(tokens)) + 1)
            if tokens[start:end] in kinds
        )
        self._kinds = {
            words: min(count, key=lambda kind: (-count[kind], kind))
            for words, count in kinds.items()
            if 2 * count.total() >= places[words]
        }

    @staticmethod
    def _lower(tokens: Sequence[str]) -> tuple[str, ...]:
        return tuple(token.lower() for token in tokens)

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """A BIO tag for each token."""
        tags, start = [OUTSIDE] * len(tokens), 0
        tokens = self._lower(tokens)
        while start < len(tokens):
            for end in range(min(start + self._longest, len(tokens)), start, -1):
                kind = self._kinds.get(tokens[start:end])
                if kind:
                    inside = [f"I-{kind}"] * (end - start - 1)
                    tags[start:end] = [f"B-{kind}", *inside]
                    start = end - 1
                    break
            start += 1
        return tags
