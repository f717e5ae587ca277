"""Pairs made up by rules that a small translator learns in a minute.

Each function returns pairs with different sources, always the same for a seed.
"""

import datetime
from collections.abc import Callable, Iterator

import numpy as np

from kerasseq.data.pairs import Pair

ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
GERMAN = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn "
    "vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
).split()
GERMAN_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
FRENCH = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze "
    "quinze seize dix-sept dix-huit dix-neuf"
).split()
FRENCH_TENS = "vingt trente quarante cinquante soixante".split()
MONTHS = (
    "January February March April May June July August September October November "
    "December"
).split()
# Words that many people misspell.
WORDS = (
    "accommodate achieve address although argument beautiful because beginning believe "
    "business calendar category cemetery colleague committee conscience definitely "
    "different disappear embarrass environment existence experience familiar finally "
    "foreign forward friend government grammar guarantee happened harass humorous "
    "immediately independent interrupt knowledge library lightning maintenance "
    "millennium minute mischief necessary neighbour noticeable occasion occurred "
    "parliament particular people persistent possession pronunciation queue receive "
    "recommend remember restaurant rhythm schedule separate sincerely special strength "
    "successful surprise technique temperature therefore tomorrow truly until usually "
    "vacuum vegetable weather weird withhold writing"
).split()


def english(number: int) -> str:
    """A number below a thousand in English words."""
    if number < 20:
        return ENGLISH[number]
    if number >= 100:
        rest = f" {english(number % 100)}" if number % 100 else ""
        return f"{ENGLISH[number // 100]} hundred{rest}"
    rest = f"-{ENGLISH[number % 10]}" if number % 10 else ""
    return ENGLISH_TENS[number // 10 - 2] + rest


def german(number: int) -> str:
    """A number below a thousand in one German word."""
    return _german(number) + "s" * (number % 100 == 1)


def _german(number: int) -> str:
    if number < 20:
        return GERMAN[number]
    if number >= 100:
        rest = _german(number % 100) if number % 100 else ""
        return f"{GERMAN[number // 100]}hundert{rest}"
    rest = f"{GERMAN[number % 10]}und" if number % 10 else ""
    return rest + GERMAN_TENS[number // 10 - 2]


def french(number: int) -> str:
    """A number below a thousand in French words, spelled as before 1990."""
    if number < 20:
        return FRENCH[number]
    if number >= 100:
        head = "" if number < 200 else f"{FRENCH[number // 100]} "
        if number % 100:
            return f"{head}cent {french(number % 100)}"
        return f"{head}cent" + "s" * (number >= 200)
    if number >= 80:
        return f"quatre-vingt-{FRENCH[number - 80]}" if number > 80 else "quatre-vingts"
    ten, rest = (6, number - 60) if number >= 60 else divmod(number, 10)
    joined = " et " if rest in (1, 11) else "-"
    return FRENCH_TENS[ten - 2] + (f"{joined}{FRENCH[rest]}" if rest else "")


LANGUAGES = {"English": english, "German": german, "French": french}


def numbers(generator: np.random.Generator) -> Iterator[Pair]:
    """The name of a language and a number below 1,000, and the number in words."""
    while True:
        name = list(LANGUAGES)[generator.integers(len(LANGUAGES))]
        number = int(generator.integers(1000))
        yield Pair(f"{name} {number}", LANGUAGES[name](number))


def dates(generator: np.random.Generator) -> Iterator[Pair]:
    """A date of two centuries as people write it, and as ISO 8601 has it."""
    while True:
        first = datetime.date(1900, 1, 1).toordinal()
        date = datetime.date.fromordinal(first + int(generator.integers(73_049)))
        month, day, year = MONTHS[date.month - 1], date.day, date.year
        teen = day in (11, 12, 13)
        ending = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        forms = (
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{month[:3]} {day}, {year}",
            f"the {day}{ending} of {month} {year}",
        )
        yield Pair(forms[generator.integers(len(forms))], date.isoformat())


def spellings(generator: np.random.Generator) -> Iterator[Pair]:
    """A word with one or two mistakes, and the word."""
    while True:
        word = WORDS[generator.integers(len(WORDS))]
        wrong = list(word)
        for _ in range(int(generator.integers(1, 3))):
            at = int(generator.integers(len(wrong) - 1))
            kind = generator.integers(4)
            if kind == 0:
                wrong[at], wrong[at + 1] = wrong[at + 1], wrong[at]
            elif kind == 1:
                wrong.insert(at, wrong[at])
            elif kind == 2:
                del wrong[at]
            else:
                wrong[at] = "aeiou"[generator.integers(5)]
        yield Pair("".join(wrong), word)


KINDS: dict[str, Callable[[np.random.Generator], Iterator[Pair]]] = {
    "numbers": numbers,
    "dates": dates,
    "spellings": spellings,
}


def make_up_pairs(kind: str, count: int, seed: int = 0) -> list[Pair]:
    """Pairs of a kind, each with another source.

    Args:
        kind: one of `KINDS`.
        count: number of pairs; there are 3,000 of numbers.
        seed: decides which.

    Example:
        >>> make_up_pairs("numbers", 2)[1]
        Pair(source='German 269', target='zweihundertneunundsechzig')
    """
    found: dict[str, Pair] = {}
    for pair in KINDS[kind](np.random.default_rng(seed)):
        found.setdefault(pair.source, pair)
        if len(found) == count:
            break
    return list(found.values())
