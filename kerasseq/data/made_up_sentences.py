"""English sentences made up by a grammar, in which words with two senses stand.

Twelve nouns have two senses each. Which one a sentence means follows from its other
words alone: both senses have the same patterns, positions and neighbours.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np


class Topic(NamedTuple):
    """Words that occur together, which tell the sense of a noun."""

    people: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    things: tuple[str, ...]


def _topic(people: str, verbs: str, adjectives: str, things: str) -> Topic:
    return Topic(
        *(tuple(words.split()) for words in (people, verbs, adjectives, things))
    )


TOPICS = {
    "water": _topic(
        "fisherman sailor swimmer ferryman",
        "crossed reached",
        "muddy deep",
        "river lake bridge boat stream harbour",
    ),
    "money": _topic(
        "banker cashier merchant customer",
        "paid owed",
        "monthly unpaid",
        "loan debt tax wage fee rent",
    ),
    "music": _topic(
        "singer pianist violinist conductor",
        "played practised",
        "slow cheerful",
        "song melody tune waltz chord march",
    ),
    "sport": _topic(
        "player coach goalkeeper referee",
        "won missed",
        "final decisive",
        "game race cup medal trophy goal",
    ),
    "animals": _topic(
        "owl fox cat weasel",
        "entered guarded",
        "warm hidden",
        "nest cave den burrow barn forest",
    ),
    "garden": _topic(
        "gardener farmer florist botanist",
        "planted watered",
        "green fragrant",
        "rose tulip hedge lawn bush lily",
    ),
    "machines": _topic(
        "engineer mechanic welder inventor",
        "repaired oiled",
        "rusty noisy",
        "engine gear motor pump wheel lever",
    ),
    "castle": _topic(
        "king queen knight prince",
        "defended stormed",
        "royal stony",
        "gate tower moat dungeon wall throne",
    ),
    "office": _topic(
        "clerk secretary manager lawyer",
        "printed copied",
        "official secret",
        "letter file form report contract memo",
    ),
}
# The topics of the two senses of each word.
SENSES = {
    "bank": ("water", "money"),
    "crane": ("water", "machines"),
    "seal": ("water", "office"),
    "note": ("money", "music"),
    "bill": ("money", "animals"),
    "key": ("music", "castle"),
    "bat": ("sport", "animals"),
    "ring": ("sport", "castle"),
    "mouse": ("animals", "office"),
    "spring": ("garden", "machines"),
    "light": ("garden", "office"),
    "watch": ("machines", "castle"),
}
NAMES = {"his": ("tom", "peter"), "her": ("anna", "maria")}
# Words that occur with every topic.
VERBS = ("saw", "liked", "found", "described")
STATES = ("gone", "there")
ADJECTIVES = ("old", "new", "small")
OF_PEOPLE = ("young", "proud")
# `person verb thing` are words of a topic, `word` is the noun with two senses, and
# `name likes` are of no topic.
DESCRIBED = 0.3  # the share of nouns with an adjective
PATTERNS = tuple(
    pattern.split()
    for pattern in (
        "the word was state because the person verb the thing",
        "the person verb the thing and name likes the word",
        "name likes the word when the person verb the thing",
        "when the person verb the thing , the word was state",
        "name likes possessive word before the person verb the thing",
        "the person who verb the thing likes the word",
        "the word that name likes was near the person and the thing",
        "near the thing name likes the word for the person",
    )
)


# What a word has to do with another: slots of a pattern that stand for the words that
# attend, and for those that they attend to.
_TOPICAL = ("person", "verb", "thing", "adjective of thing")
ROLES = {
    "the noun that the adjective stands before": (
        (f"adjective of {noun}", (noun,)) for noun in ("person", "thing", "word")
    ),
    "the adjective before the noun": (
        (noun, (f"adjective of {noun}",)) for noun in ("person", "thing", "word")
    ),
    "the verb's subject": (("verb", ("person",)), ("likes", ("name",))),
    "the verb's object": (("verb", ("thing",)),),
    "the subject's verb": (("person", ("verb",)), ("name", ("likes",))),
    "the object's verb": (("thing", ("verb",)),),
    "the name that his or her stands for": (("possessive", ("name",)),),
    "the words that tell the sense": (("word", _TOPICAL),),
    "the word with two senses": ((slot, ("word",)) for slot in _TOPICAL),
    "the other words of the topic": (
        (slot, tuple(other for other in _TOPICAL if other != slot)) for slot in _TOPICAL
    ),
}
ROLES = {name: tuple(pairs) for name, pairs in ROLES.items()}
# A word that attends, and those that it attends to.
Arrow: TypeAlias = tuple[int, tuple[int, ...]]


class MadeUpSentence(NamedTuple):
    """A sentence and what the grammar knows of it.

    Attributes:
        words: T of them.
        ambiguous: the index of the word with two senses.
        sense: the name of its topic.
        slots: of each word, what it is in the pattern: "person", "adjective of person";
            "the" and others are themselves.
    """

    words: tuple[str, ...]
    ambiguous: int
    sense: str
    slots: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)

    def arrows(self) -> dict[str, list[Arrow]]:
        """For each of `ROLES`, the words that have it and those that it points to."""
        at = {slot: index for index, slot in enumerate(self.slots)}
        found: dict[str, list[Arrow]] = {}
        for name, pairs in ROLES.items():
            for slot, others in pairs:
                keys = tuple(at[other] for other in others if other in at)
                if slot in at and keys:
                    found.setdefault(name, []).append((at[slot], keys))
        return found


def make_up_sentences(count: int, seed: int = 0) -> list[MadeUpSentence]:
    """Different sentences, in which every word with two senses has both equally often.

    Words, senses and patterns go round, so their frequencies hardly differ; what fills
    a pattern is drawn.

    Args:
        count: number of sentences; there are millions.
        seed: decides which.

    Example:
        >>> sentence = make_up_sentences(3)[1]
        >>> str(sentence)
        'the old crane was there because the fisherman reached the muddy lake'
        >>> sentence.words[sentence.ambiguous], sentence.sense
        ('crane', 'water')
    """
    generator = np.random.default_rng(seed)
    kinds = [
        (word, sense, pattern)
        for pattern in PATTERNS
        for word, senses in SENSES.items()
        for sense in senses
    ]
    found: dict[str, MadeUpSentence] = {}
    while len(found) < count:
        sentence = _make_up(*kinds[len(found) % len(kinds)], generator)
        found.setdefault(str(sentence), sentence)
    sentences = list(found.values())
    return [sentences[index] for index in generator.permutation(count)]


def _make_up(
    word: str, sense: str, pattern: Sequence[str], generator: np.random.Generator
) -> MadeUpSentence:
    topic = TOPICS[sense]
    possessive = str(generator.choice(list(NAMES)))
    choices: dict[str, Sequence[str]] = {
        "person": topic.people,
        "verb": topic.verbs,
        "thing": topic.things,
        "word": (word,),
        "name": NAMES[possessive],
        "possessive": (possessive,),
        "likes": VERBS,
        "state": STATES,
        "adjective of person": OF_PEOPLE,
        "adjective of thing": topic.adjectives,
        "adjective of word": ADJECTIVES,
    }
    slots: list[str] = []
    for slot in pattern:
        described = f"adjective of {slot}"
        if described in choices and generator.random() < DESCRIBED:
            slots.append(described)
        slots.append(slot)
    words = tuple(str(generator.choice(choices.get(slot, (slot,)))) for slot in slots)
    return MadeUpSentence(words, slots.index("word"), sense, tuple(slots))
