"""Made-up pairs follow their rules, by cases that we did not make up."""

import datetime
import re

import pytest

from kerasseq.data.made_up_pairs import (
    KINDS,
    WORDS,
    english,
    french,
    german,
    make_up_pairs,
)

# As dictionaries have them.
NUMBERS = {
    0: ("zero", "null", "zéro"),
    1: ("one", "eins", "un"),
    17: ("seventeen", "siebzehn", "dix-sept"),
    21: ("twenty-one", "einundzwanzig", "vingt et un"),
    30: ("thirty", "dreißig", "trente"),
    71: ("seventy-one", "einundsiebzig", "soixante et onze"),
    79: ("seventy-nine", "neunundsiebzig", "soixante-dix-neuf"),
    80: ("eighty", "achtzig", "quatre-vingts"),
    81: ("eighty-one", "einundachtzig", "quatre-vingt-un"),
    99: ("ninety-nine", "neunundneunzig", "quatre-vingt-dix-neuf"),
    100: ("one hundred", "einhundert", "cent"),
    101: ("one hundred one", "einhunderteins", "cent un"),
    200: ("two hundred", "zweihundert", "deux cents"),
    777: (
        "seven hundred seventy-seven",
        "siebenhundertsiebenundsiebzig",
        "sept cent soixante-dix-sept",
    ),
}


def test_numbers_in_words():
    found = {
        number: (english(number), german(number), french(number)) for number in NUMBERS
    }
    assert found == NUMBERS
    for words in (english, german, french):
        assert len({words(number) for number in range(1000)}) == 1000


def test_dates_are_those_that_python_reads():
    forms = "%d %B %Y", "%B %d, %Y", "%b %d, %Y", "the %d of %B %Y"
    seen = set()
    for source, target in make_up_pairs("dates", 500):
        plain = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", source)
        for form in forms:
            try:
                date = datetime.datetime.strptime(plain, form)
            except ValueError:
                continue
            assert date.date().isoformat() == target
            seen.add(form)
            break
        else:
            pytest.fail(source)
    assert seen == set(forms)


def test_misspelt_words_are_near_the_word():
    pairs = make_up_pairs("spellings", 1000)
    assert {pair.target for pair in pairs} == set(WORDS)
    assert all(abs(len(source) - len(target)) <= 2 for source, target in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_sources_differ_and_the_seed_decides(kind):
    pairs = make_up_pairs(kind, 300)
    assert len({pair.source for pair in pairs}) == 300
    assert make_up_pairs(kind, 300) == pairs
    assert make_up_pairs(kind, 300, seed=1) != pairs
