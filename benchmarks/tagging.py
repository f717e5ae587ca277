"""How well names are found: `python -m benchmarks.tagging --train FILE --dev FILE`.

Learns from one file, tags the other, on which no choice depends, and prints F1 as in
the CoNLL shared task: of the lookup of known names, and of one tagger per seed.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from kerasseq.data.tagged import find_kinds, read_tagged_sentences
from kerasseq.pictures.tagger import plot_scores
from kerasseq.runs.tagger import fit_tagger
from kerasseq.scores.entities import (
    OVERALL,
    EntityLookup,
    EntityScore,
    score_entities,
)
from kerasseq.signatures.tagger import TaggerOnIds, tag_sentences
from kerasseq.text.tags import tag_names
from kerasseq.training.presets import PRESETS


def main() -> int:
    """Print the table, draw it if asked for, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--train", required=True, metavar="FILE")
    parser.add_argument("--dev", required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    try:
        learned = read_tagged_sentences(options.train)
        kinds = find_kinds(learned)
        dev = read_tagged_sentences(options.dev, kinds)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    tokens, actual = zip(*dev, strict=True)
    lookup = EntityLookup(learned)
    baseline = score_entities(actual, [lookup.tag(row) for row in tokens])
    runs, seconds = [], []
    for seed in range(options.seeds):
        start = time.perf_counter()
        model, vocabulary = fit_tagger(learned, kinds, options.preset, seed)
        seconds.append(time.perf_counter() - start)
        module = TaggerOnIds(model, tag_names(kinds))
        runs.append(score_entities(actual, tag_sentences(module, tokens, vocabulary)))
        print(f"seed {seed}: {row(runs[-1][OVERALL])}, {seconds[-1]:.0f} s", flush=True)

    print(f"\n{Path(options.dev).name}, learned from {Path(options.train).name}")
    print("| entities | number | lookup: P, R, F1 | tagger: P, R, F1 | F1 of seeds |")
    print("| --- | --- | --- | --- | --- |")
    nothing = EntityScore(0, 0, 0)
    names = [OVERALL, *(kind for kind in kinds if runs[0].get(kind, nothing).actual)]
    means = {}
    for name in names:
        scores = [run.get(name, nothing) for run in runs]
        means[name] = 100 * statistics.mean(score.f1 for score in scores)
        each = [
            f"{100 * statistics.mean(getattr(score, part) for score in scores):.1f}"
            for part in ("precision", "recall", "f1")
        ]
        found = [100 * score.f1 for score in scores]
        print(
            f"| {name} | {scores[0].actual} | {row(baseline.get(name, nothing))} | "
            f"{', '.join(each)} | {min(found):.1f} to {max(found):.1f} |"
        )
    print(f"seconds of training: {statistics.mean(seconds):.0f}")
    if options.plot:
        by_lookup = {name: 100 * baseline.get(name, nothing).f1 for name in names}
        plot_scores(
            {"tagger": means, "lookup of known names": by_lookup},
            options.plot,
            f"F1 on {Path(options.dev).name}, mean of {len(runs)} seeds",
        )
    return 0


def row(score: EntityScore) -> str:
    """Precision, recall and F1 in percent."""
    parts = score.precision, score.recall, score.f1
    return ", ".join(f"{100 * part:.1f}" for part in parts)


if __name__ == "__main__":
    sys.exit(main())
