"""How well names are found: `python -m benchmarks.tagging --train FILE --dev FILE`.

Learns from one file, tags the other, on which no choice depends, and prints F1 as in
the CoNLL shared task: of the lookup of known names, and of one tagger per seed.

`--folds N` instead of `--dev` is what choices are made by: the training file is cut
into N parts, and each is tagged by a tagger that learned from the others. With
`--unseen-names` it learns from no sentence that has a name of the part to tag, as if
the part came from another source.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from kerasseq.data.tagged import TaggedSentence, find_kinds, read_tagged_sentences
from kerasseq.pictures.tagger import plot_scores
from kerasseq.runs.tagger import fit_tagger
from kerasseq.scores.entities import (
    OVERALL,
    EntityLookup,
    EntityScore,
    can_be_judged,
    score_entities,
)
from kerasseq.signatures.tagger import TaggerOnIds, tag_sentences
from kerasseq.text.tags import find_entities, tag_names
from kerasseq.training.presets import PRESETS


def main() -> int:
    """Print the table, draw it if asked for, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--train", required=True, metavar="FILE")
    held_out = parser.add_mutually_exclusive_group(required=True)
    held_out.add_argument("--dev", metavar="FILE")
    held_out.add_argument("--folds", type=int, choices=range(2, 11), metavar="N")
    parser.add_argument("--unseen-names", action="store_true")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    try:
        learned = read_tagged_sentences(options.train)
        kinds = find_kinds(learned)
        dev = read_tagged_sentences(options.dev, kinds) if options.dev else learned
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parts = [(learned, dev)] if options.dev else folds(learned, options.folds)
    where = Path(options.dev).name if options.dev else f"{options.folds} folds"
    if options.unseen_names:
        parts = [(without_names_of(held, some), held) for some, held in parts]
        where += " of unseen names"
    actual = [sentence.tags for sentence in dev]
    by_lookup = []
    for some, others in parts:
        lookup = EntityLookup(some)
        by_lookup += [lookup.tag(tokens) for tokens, _ in others]
    baseline = score_entities(actual, by_lookup)
    runs, seconds = [], []
    for seed in range(options.seeds):
        found, start = [], time.perf_counter()
        for some, others in parts:
            model, vocabulary = fit_tagger(some, kinds, options.preset, seed)
            module = TaggerOnIds(model, tag_names(kinds))
            tokens = [sentence.tokens for sentence in others]
            found += tag_sentences(module, tokens, vocabulary)
        seconds.append(time.perf_counter() - start)
        runs.append(score_entities(actual, found))
        print(f"seed {seed}: {row(runs[-1][OVERALL])}, {seconds[-1]:.0f} s", flush=True)

    print(f"\n{where}, learned from {Path(options.train).name}")
    print("| entities | number | lookup: P, R, F1 | tagger: P, R, F1 | F1 of seeds |")
    print("| --- | --- | --- | --- | --- |")
    nothing = EntityScore(0, 0, 0)
    judged = [kind for kind in runs[0] if can_be_judged(kind, runs[0][kind])]
    names = sorted(judged, key=(OVERALL, *kinds).index)
    means = {}
    for name in names:
        scores = [run.get(name, nothing) for run in runs]
        means[name] = statistics.mean(score.f1 for score in scores)
        each = [
            f"{100 * statistics.mean(getattr(score, part) for score in scores):.1f}"
            for part in ("precision", "recall", "f1")
        ]
        each_seed = [100 * score.f1 for score in scores]
        print(
            f"| {name} | {scores[0].actual} | {row(baseline.get(name, nothing))} | "
            f"{', '.join(each)} | {min(each_seed):.1f} to {max(each_seed):.1f} |"
        )
    few = ", ".join(kind for kind in kinds if kind not in names)
    print(f"kinds with too few entities to judge: {few or 'none'}")
    print(f"seconds of training and tagging: {statistics.mean(seconds):.0f}")
    if options.plot:
        known = {name: baseline.get(name, nothing).f1 for name in names}
        plot_scores(
            {"tagger": means, "lookup of known names": known},
            options.plot,
            f"F1 on {where}, mean of {len(runs)} seeds",
        )
    return 0


def folds(
    sentences: list[TaggedSentence], number: int
) -> list[tuple[list[TaggedSentence], list[TaggedSentence]]]:
    """Consecutive parts of a file, each after the sentences that are not in it."""
    cuts = [len(sentences) * index // number for index in range(number + 1)]
    return [
        (sentences[:start] + sentences[end:], sentences[start:end])
        for start, end in itertools.pairwise(cuts)
    ]


def without_names_of(
    held_out: Sequence[TaggedSentence], learned: Sequence[TaggedSentence]
) -> list[TaggedSentence]:
    """The sentences that share no name with those held out, case and kind ignored."""
    held = set().union(*map(names_in, held_out))
    return [sentence for sentence in learned if held.isdisjoint(names_in(sentence))]


def names_in(sentence: TaggedSentence) -> set[tuple[str, ...]]:
    """The lower-cased tokens of each entity of a sentence."""
    lowered = tuple(token.lower() for token in sentence.tokens)
    return {lowered[start:end] for start, end, _ in find_entities(sentence.tags)}


def row(score: EntityScore) -> str:
    """Precision, recall and F1 in percent."""
    parts = score.precision, score.recall, score.f1
    return ", ".join(f"{100 * part:.1f}" for part in parts)


if __name__ == "__main__":
    sys.exit(main())
