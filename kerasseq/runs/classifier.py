"""The classifier of sentences: plan -> train -> save -> measure -> draw."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.labelled import (
    LabelledSentences,
    read_labelled_sentences,
    split_by_class,
)
from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.labels import check_room, write_labels
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.models.classifier import (
    ClassifierConfig,
    Sentence,
    build_classifier,
    predict,
)
from kerasseq.pictures.answers import Answer, answer_table, draw_answers
from kerasseq.pictures.classifier import plot_confusion
from kerasseq.pictures.losses import plot_losses
from kerasseq.runs.bookkeeping import describe_file, describe_training
from kerasseq.runs.demand import foresee
from kerasseq.runs.options import Options
from kerasseq.scores.classes import accuracy, macro_f1
from kerasseq.scores.naive_bayes import naive_bayes
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.words import WordVocabulary, about_spaces, split_words
from kerasseq.training.callbacks import HistoryFile, verbosity
from kerasseq.training.classifier import learn
from kerasseq.training.presets import (
    CLASSIFIER_LEAST_COUNT,
    MOST_WORDS,
    classifier_dropout,
    classifier_model_size,
    classifier_rows,
)

HOW_TO = """
To classify a text, or each line of standard input:
  kerasseq classify {file} "a line of text\""""


class Plan(NamedTuple):
    """What the classifier learns from, and what it is measured on.

    Attributes:
        name: of the file.
        sha256: of the file, if it is one.
        data: all sentences.
        training: indices of the sentences to learn from, int (M,).
        held_out: indices of the others, int (N - M,).
        vocabulary: words of the sentences to learn from.
    """

    name: str
    sha256: str | None
    data: LabelledSentences
    training: np.ndarray
    held_out: np.ndarray
    vocabulary: WordVocabulary


def plan(options: Options) -> Plan:
    """Read the sentences and hold a tenth of each class out.

    Raises:
        ValueError: the file cannot be used.
    """
    with describe_file(options.labels) as (name, sha256):
        data = read_labelled_sentences(
            options.labels, options.label_column, options.text_column, options.encoding
        )
    print(f"{name}: {data.form}")
    training, held_out = split_by_class(data.class_ids, seed=options.seed)
    try:
        check_room(data.classes)
        vocabulary = choose_words(
            [data.sentences[index] for index in training], len(data.classes)
        )
    except ValueError as error:
        raise ValueError(f"{options.labels}: {error}") from None
    classes = len(data.classes)
    foresee(
        "classifier",
        lambda: build_classifier(choose_sizes(vocabulary, classes)),
        # Confusions, their fractions and colours.
        40 * classes**2,
        "give fewer labels",
    )
    point_out_controls(options.labels, "".join(data.sentences))
    return Plan(name, sha256, data, training, held_out, vocabulary)


def choose_words(sentences: Sequence[str], num_classes: int) -> WordVocabulary:
    """The words of sentences that a classifier can learn from."""
    most = min(MOST_WORDS["classifier"], classifier_rows(num_classes))
    return WordVocabulary.from_sentences(sentences, most, least=CLASSIFIER_LEAST_COUNT)


def choose_sizes(
    vocabulary: WordVocabulary, num_classes: int, num_blocks: int = 0
) -> ClassifierConfig:
    """The sizes and dropout of a classifier that follow from words and classes."""
    word_dropout, dropout = classifier_dropout(num_classes)
    return ClassifierConfig(
        len(vocabulary),
        num_classes,
        classifier_model_size(len(vocabulary)),
        num_blocks,
        num_pairs=classifier_rows(num_classes),
        num_ngrams=classifier_rows(num_classes),
        word_dropout=word_dropout,
        dropout=dropout,
    )


def encode_sentences(
    sentences: Sequence[str], vocabulary: WordVocabulary, config: ClassifierConfig
) -> list[Sentence]:
    """Sentences as a classifier reads them, at least one word each."""
    return [
        vocabulary.encode_spelled(text, config.num_letters, config.max_length)
        for text in sentences
    ]


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str:
    """Train a classifier, save it, measure it on held-out sentences and draw them."""
    folder = options.out / "classifier"
    name, sha256, data, training, held_out, vocabulary = plan
    labels, class_ids = data.classes, data.class_ids
    config = choose_sizes(vocabulary, len(labels))
    length = config.max_length
    sentences = encode_sentences(data.sentences, vocabulary, config)
    print(
        f"\n{name}: {len(sentences):,} sentences of {len(labels)} classes, "
        f"{len(vocabulary):,} words in the vocabulary; {config}"
    )
    if aside := about_spaces("".join(data.sentences)):
        print(aside)

    start = time.perf_counter()
    history = HistoryFile(folder / "history.csv")
    tested = [sentences[index] for index in held_out]
    classifier = learn(
        [sentences[index] for index in training],
        class_ids[training],
        config,
        options.seed,
        (tested, class_ids[held_out]),
        [history, *callbacks],
        verbosity(),
    )
    seconds = time.perf_counter() - start

    save_model(classifier, folder / "classifier.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_labels(labels, folder / "labels.json")

    predictions = predict(classifier, tested)
    probabilities = np.stack([each.probabilities for each in predictions])
    matrix = tf.math.confusion_matrix(
        class_ids[held_out], probabilities.argmax(axis=1), len(labels)
    ).numpy()
    largest = int(np.bincount(class_ids[training]).argmax())
    bayes = naive_bayes(
        [data.sentences[index] for index in training],
        class_ids[training],
        [data.sentences[index] for index in held_out],
    )
    scores = {
        "held-out accuracy": accuracy(matrix),
        "accuracy of naive Bayes": float(np.mean(class_ids[held_out] == bayes)),
        "accuracy of the largest class": float(np.mean(class_ids[held_out] == largest)),
        "held-out macro-F1": macro_f1(matrix),
    }
    print("; ".join(f"{score}: {value:.3f}" for score, value in scores.items()))

    answers = [
        Answer(
            data.sentences[index],
            data.labels[index],
            labels[prediction.probabilities.argmax()],
            float(prediction.probabilities.max()),
            prediction.weights,
        )
        for index, prediction in zip(held_out, predictions, strict=True)
    ]
    write_file(folder / "held_out.tsv", answer_table(answers))

    plot_losses(history.history, folder / "loss.png", unit="nats a sentence")
    plot_confusion(matrix, labels, folder / "confusion.png")
    draw_answers(answers, folder / "attention.png")
    known = {data.sentences[index] for index in training}
    section = {
        "corpus": name,
        "corpus SHA-256": sha256,
        "sentences": len(sentences),
        "held-out sentences": len(tested),
        "held-out sentences that were also learned from": sum(
            answer.sentence in known for answer in answers
        ),
        "sentences longer than the model reads": sum(
            len(split_words(sentence)) > length for sentence in data.sentences
        ),
        **scores,
        **describe_training(options, classifier, seconds, config),
        **hashes(
            folder, "classifier.keras", "vocabulary.json", "labels.json", "held_out.tsv"
        ),
    }
    record(options.out, "classifier", section)
    return "classifier"
