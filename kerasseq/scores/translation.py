"""How good translations are: BLEU and chrF, and a baseline.

Both scores are from 0 to 100 and equal those of the program sacrebleu (Post 2018, "A
Call for Clarity in Reporting BLEU Scores") with its default settings.
"""

import collections
import math
import re
from collections.abc import Sequence

import numpy as np

from kerasseq.data.pairs import Pair
from kerasseq.text.words import split_words

LONGEST_WORDS = 4
LONGEST_CHARACTERS = 6
RECALL_WEIGHT = 2**2

# The tokenization 13a of the WMT's program mteval, as sacrebleu has it.
ENTITIES = {"<skipped>": "", "-\n": "", "\n": " "} | {
    "&quot;": '"',
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
}
SEPARATIONS = (
    (re.compile(r"([{-~\[-` -&(-+:-@/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


def split_13a(text: str) -> list[str]:
    """Words and punctuation marks of a text, cased.

    Example:
        >>> split_13a("Two dogs, 3.5 feet apart.")
        ['Two', 'dogs', ',', '3.5', 'feet', 'apart', '.']
    """
    text = text.rstrip()
    for entity, character in ENTITIES.items():
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in SEPARATIONS:
        text = pattern.sub(replacement, text)
    return text.split()


def bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of all translations together, with one reference each.

    Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine
    Translation", section 2.3: the geometric mean of the precisions of runs of one to
    four words, times a penalty if the translations are shorter than the references. A
    precision of zero counts as half a match, the next one as a quarter, and so on (Chen
    and Cherry 2014, smoothing 3).
    """
    pairs = [
        (split_13a(translation), split_13a(reference))
        for translation, reference in zip(translations, references, strict=True)
    ]
    counts = [_count_matches(pairs, order + 1) for order in range(LONGEST_WORDS)]
    if not counts[0][2] or not counts[-1][0]:
        return 0.0  # no word is right, or no translation has four
    logarithm, missing = 0.0, 0
    for found, _, correct in counts:
        missing += not correct
        logarithm += math.log((correct or 0.5**missing) / found) / LONGEST_WORDS
    length, wanted, _ = counts[0]
    return 100 * math.exp(logarithm + min(0.0, 1 - wanted / length))


def chrf(translations: Sequence[str], references: Sequence[str]) -> float:
    """chrF of all translations together, with one reference each.

    Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation", equation
    1: precision and recall of runs of one to six characters without whitespace, each
    the mean over the lengths, joined with recall counting twice as much.
    """
    pairs = [
        ("".join(translation.split()), "".join(reference.split()))
        for translation, reference in zip(translations, references, strict=True)
    ]
    precisions, recalls = [], []
    for order in range(1, LONGEST_CHARACTERS + 1):
        # As in sacrebleu, a reference that is too short counts nothing.
        long = [pair for pair in pairs if len(pair[1]) >= order]
        found, wanted, correct = _count_matches(long, order)
        if found and wanted:
            precisions.append(correct / found)
            recalls.append(correct / wanted)
    if not any(precisions):
        return 0.0
    precision, recall = map(float, (np.mean(precisions), np.mean(recalls)))
    product = (1 + RECALL_WEIGHT) * precision * recall
    return 100 * product / (RECALL_WEIGHT * precision + recall)


def score_translations(
    translations: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
    """BLEU, chrF and the fraction of translations that equal their reference."""
    same = [one == other for one, other in zip(translations, references, strict=True)]
    return {
        "BLEU (13a, cased)": bleu(translations, references),
        "chrF": chrf(translations, references),
        "exact": sum(same) / len(same),
    }


def _count_matches(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]], order: int
) -> tuple[int, int, int]:
    """Runs of `order` items in the first ones, in the second ones, and in both."""
    found = wanted = correct = 0
    for pair in pairs:
        first, second = (
            collections.Counter(
                tuple(items[start : start + order])
                for start in range(len(items) - order + 1)
            )
            for items in pair
        )
        found += first.total()
        wanted += second.total()
        correct += (first & second).total()
    return found, wanted, correct


class NearestSource:
    """The baseline: the target of the known source that shares the most words.

    Rare words count more, as in a search engine: each counts the logarithm of the
    inverse of the fraction of sources that have it, and a source's sum is divided by
    the root of its number of words.

    Args:
        pairs: to look up, at least one.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._targets = [pair.target for pair in pairs]
        words = [set(split_words(pair.source)) for pair in pairs]
        places: dict[str, list[int]] = {}
        for index, each in enumerate(words):
            for word in each:
                places.setdefault(word, []).append(index)
        self._places = {word: np.array(found) for word, found in places.items()}
        self._roots = np.sqrt([max(1, len(each)) for each in words])

    def translate(self, source: str) -> str:
        """The target of the nearest source, the first of equals."""
        scores = np.zeros(len(self._targets))
        for word in set(split_words(source)) & self._places.keys():
            found = self._places[word]
            scores[found] += math.log(1 + len(scores) / len(found))
        return self._targets[int((scores / self._roots).argmax())]
