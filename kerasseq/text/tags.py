"""BIO tags, and the entities that they mark.

Ratnaparkhi's BIO: every entity begins with B; Tjong Kim Sang and De Meulder 2003,
"Introduction to the CoNLL-2003 Shared Task", section 2.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Entity(NamedTuple):
    """An entity at tokens `start` to `end` - 1, and its kind."""

    start: int
    end: int
    kind: str


def tag_names(kinds: Iterable[str]) -> tuple[str, ...]:
    """All tags for kinds of entities; the id of each is its index.

    Example:
        >>> tag_names(["person", "location"])
        ('O', 'B-location', 'I-location', 'B-person', 'I-person')
    """
    marks = (f"{mark}-{kind}" for kind in sorted(set(kinds)) for mark in "BI")
    return (OUTSIDE, *marks)


def may_follow(before: str, tag: str) -> bool:
    """Whether a tag may follow another: I only within an entity of its kind.

    The first tag of a sentence follows `O`.
    """
    return tag[:2] != "I-" or before[2:] == tag[2:]


def find_entities(tags: Sequence[str]) -> list[Entity]:
    """The entities that tags mark, in order.

    An I that may not follow the tag before it begins an entity, as in the shared task's
    own program.

    Example:
        >>> find_entities(["B-person", "I-person", "O", "B-location"])
        [Entity(start=0, end=2, kind='person'), Entity(start=3, end=4, kind='location')]
    """
    entities: list[Entity] = []
    for index, (before, tag) in enumerate(zip((OUTSIDE, *tags), tags, strict=False)):
        if tag == OUTSIDE:
            continue
        if tag.startswith("I-") and may_follow(before, tag):
            entities[-1] = entities[-1]._replace(end=index + 1)
        else:
            entities.append(Entity(index, index + 1, tag[2:]))
    return entities
