"""How good is the classifier on sentences that it was not trained on?

    python -m benchmarks.classification --data FILE [--folds 10] [--blocks N] [--inner]

FILE has a label, a tab and a sentence on each line. The lines are shuffled with a fixed
seed and split into folds. A model trained on the other folds is measured on each fold
in turn, which plays no part in any choice, not even of the number of epochs. The model
is compared with naive Bayes on words and pairs of words, and with the largest class of
the other folds. Words, sizes and dropout follow from the other folds as in a run. The
last line is the lead over naive Bayes with its standard error over the folds.

--inner leaves out the first fold and splits the others into folds again. It is meant
for trials of settings: the first fold then measures the choice. The trials behind the
defaults in docs/experiments.md were made in this way.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from kerasseq.data.labelled import LabelledSentences, read_labelled_sentences
from kerasseq.models.classifier import predict
from kerasseq.runs.classifier import choose_sizes, choose_words, encode_sentences
from kerasseq.scores.classes import accuracy, macro_f1
from kerasseq.scores.naive_bayes import naive_bayes
from kerasseq.training.classifier import learn


def split_folds(indices: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Shuffle indices and split them into folds of about equal size."""
    return np.array_split(np.random.default_rng(seed).permutation(indices), folds)


def measure(
    data: LabelledSentences, training: np.ndarray, held_out: np.ndarray, blocks: int
) -> dict[str, float]:
    """Train on some sentences and classify the others."""
    class_ids, num_classes = data.class_ids, len(data.classes)
    texts, others = (
        [data.sentences[index] for index in fold] for fold in (training, held_out)
    )
    start = time.perf_counter()
    vocabulary = choose_words(texts, num_classes)
    config = choose_sizes(vocabulary, num_classes, blocks)
    model = learn(
        encode_sentences(texts, vocabulary, config),
        class_ids[training],
        config,
        seed=0,
    )
    seconds = time.perf_counter() - start
    answers = predict(model, encode_sentences(others, vocabulary, config))
    predicted = np.array([answer.probabilities.argmax() for answer in answers])
    actual = class_ids[held_out]
    matrix = tf.math.confusion_matrix(actual, predicted, num_classes).numpy()
    largest = np.bincount(class_ids[training]).argmax()
    bayes = naive_bayes(texts, class_ids[training], others)
    return {
        "accuracy": accuracy(matrix),
        "macro-F1": macro_f1(matrix),
        "naive Bayes": float(np.mean(bayes == actual)),
        "largest class": float(np.mean(actual == largest)),
        "seconds": seconds,
    }


def main() -> None:
    """Read the command line, measure each fold and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="labelled sentences")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=0, help="encoder blocks")
    parser.add_argument("--inner", action="store_true", help="for trials; see above")
    options = parser.parse_args()
    data = read_labelled_sentences(options.data)
    folds = split_folds(np.arange(len(data.labels)), options.folds, seed=0)
    if options.inner:
        folds = split_folds(np.concatenate(folds[1:]), options.folds, seed=1)
    rows = []
    for index, held_out in enumerate(folds):
        training = np.concatenate(folds[:index] + folds[index + 1 :])
        rows.append(measure(data, training, held_out, options.blocks))
        if index == 0:
            print(f"| fold | {' | '.join(rows[0])} |\n|{' --- |' * (1 + len(rows[0]))}")
        print_row(str(index + 1), rows[-1])
    print_row(
        "mean", {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    )
    leads = [100 * (row["accuracy"] - row["naive Bayes"]) for row in rows]
    error = np.std(leads, ddof=1) / len(leads) ** 0.5
    print(f"\nlead over naive Bayes: {np.mean(leads):.1f} points, ± {error:.1f}")


def print_row(name: str, row: dict[str, float]) -> None:
    """Print a fold's figures as percentages, except the seconds."""
    cells = (
        f"{value:.1f}" if key == "seconds" else f"{value:.2%}"
        for key, value in row.items()
    )
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
