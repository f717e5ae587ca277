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
# Of fewer entities, the standard error of the fraction that is found can be above 0.1.
FEWEST_TO_JUDGE = 25


class EntityScore(NamedTuple):
    """How many entities were found.

    Attributes:
        correct: predicted entities with the tokens and the kind of an actual one.
        predicted: all predicted entities.
        actual: all actual entities.
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
        # 2PR / (P + R) as one fraction, which is 0 if nothing is correct.
        together = self.predicted + self.actual
        return 2 * self.correct / together if together else 0.0


def can_be_judged(kind: str, score: EntityScore) -> bool:
    """Whether there are enough entities of a kind for its score to mean something."""
    return kind == OVERALL or score.actual >= FEWEST_TO_JUDGE


def score_entities(
    actual: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, EntityScore]:
    """Count entities as the shared task does: only exact matches are correct.

    Args:
        actual: BIO tags of each sentence.
        predicted: likewise.

    Returns:
        First the score of all entities, under the name `OVERALL`, then that of each
        kind in alphabetical order.

    Raises:
        ValueError: the numbers of sentences or tags differ.

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
    """The baseline: known entities get the kind that they usually had.

    Case is ignored. A name is known if at least half of its occurrences were entities.
    From left to right, the longest known name is taken.

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
        occurrences = collections.Counter(
            tokens[start:end]
            for tokens in lowered
            for start in range(len(tokens))
            for end in range(start + 1, min(start + self._longest, len(tokens)) + 1)
            if tokens[start:end] in kinds
        )
        self._kinds = {
            words: min(count, key=lambda kind: (-count[kind], kind))
            for words, count in kinds.items()
            if 2 * count.total() >= occurrences[words]
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
