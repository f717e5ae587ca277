"""The tagger of names: plan -> train -> save -> measure -> draw."""

import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.data.tagged import (
    TaggedSentence,
    find_kinds,
    read_tagged_file,
    write_tagged_sentences,
)
from kerasseq.data.tagged_batches import tagged_batches
from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.labels import check_room, write_labels
from kerasseq.files.report import record
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.on_device.command import is_terminal, visible
from kerasseq.pictures.losses import plot_losses
from kerasseq.pictures.tagger import (
    colour_entities,
    plot_scores,
    score_rows,
    write_entity_page,
)
from kerasseq.runs.bookkeeping import describe_file, describe_training
from kerasseq.runs.demand import foresee
from kerasseq.runs.options import Options
from kerasseq.scores.entities import (
    OVERALL,
    EntityLookup,
    EntityScore,
    can_be_judged,
    score_entities,
)
from kerasseq.signatures.tagger import BATCH_SIZE, TaggerOnIds, tag_sentences
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.tags import find_entities, tag_names
from kerasseq.text.words import WordVocabulary
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.presets import MOST_WORDS, tagger_tables, tagger_training
from kerasseq.training.tagger import fit_parts

SHOWN_SENTENCES = 40
PRINTED_SENTENCES = 8
LEAST_SENTENCES = 20
HOW_TO = """
To tag sentences:
  kerasseq tag {file} "Ada Lovelace was born in London\""""


class Plan(NamedTuple):
    """What the tagger learns from, and what it is measured on."""

    name: str
    sha256: str | None
    learned: Sequence[TaggedSentence]
    held_out: Sequence[TaggedSentence]


def plan(options: Options) -> Plan:
    """Read the file and hold its last tenth out.

    Raises:
        ValueError: the file cannot be used.
    """
    with describe_file(options.tags) as (name, sha256):
        sentences, form = read_tagged_file(
            options.tags, columns=options.tags_columns, encoding=options.encoding
        )
    print(f"{name}: {form}")
    if len(sentences) < LEAST_SENTENCES:
        raise ValueError(
            f"{options.tags} has {len(sentences)} sentences; give at least "
            f"{LEAST_SENTENCES}, with a blank line after each"
        )
    count = len(sentences) - len(sentences) // 10
    learned, held_out = sentences[:count], sentences[count:]
    for some, where in ((learned, "first nine tenths"), (held_out, "last tenth")):
        if not find_kinds(some):
            raise ValueError(
                f"{options.tags} has no entity in its {where}, which a tagger cannot "
                "learn from or be measured on; shuffle the sentences"
            )
    kinds = find_kinds(sentences)
    tags = TaggerConfig(1, kinds).tags
    try:
        check_room(tags)
    except ValueError as error:
        raise ValueError(f"{options.tags}: {error}") from None
    longest = max(len(sentence.tokens) for sentence in held_out)
    foresee(
        "tagger",
        lambda: build_tagger(config_for(MOST_WORDS["tagger"], kinds)),
        # The best sequence of tags is looked for in all pairs at all tokens.
        4 * BATCH_SIZE * longest * len(tags) ** 2,
        "give fewer kinds of entities",
    )
    point_out_controls(
        options.tags, "".join(token for each in sentences for token in each.tokens)
    )
    return Plan(name, sha256, learned, held_out)


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str:
    """Train a tagger, save it, compare it with the lookup and draw both."""
    folder = options.out / "tagger"
    name, sha256, learned, held_out = plan
    kinds = find_kinds([*learned, *held_out])
    named = visible(", ".join(kinds))
    print(f"\n{name}: {len(learned) + len(held_out):,} sentences, {named}")
    history = HistoryFile(folder / "history.csv")
    start = time.perf_counter()
    model, vocabulary = fit_tagger(
        learned, kinds, options.preset, options.seed, [history, *callbacks]
    )
    seconds = time.perf_counter() - start

    tags = TaggerConfig(len(vocabulary), kinds).tags
    save_model(model, folder / "tagger.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_labels(tags, folder / "tags.json")
    write_tagged_sentences(folder / "held_out.conll", held_out)

    tokens = [sentence.tokens for sentence in held_out]
    predicted = tag_sentences(TaggerOnIds(model, tags), tokens, vocabulary)
    actual = [sentence.tags for sentence in held_out]
    scores = score_entities(actual, predicted)
    lookup = EntityLookup(learned)
    baseline = score_entities(actual, [lookup.tag(row) for row in tokens])

    overall, by_lookup = scores[OVERALL].f1, baseline[OVERALL].f1
    print_sentences(tokens, predicted, kinds)
    print(f"F1 {overall:.3f}; by lookup of known names {by_lookup:.3f}")

    plot_losses(history.history, folder / "loss.png", unit="nats a token, weighted")
    plot_scores(
        {"tagger": f1_by_kind(scores), "lookup of known names": f1_by_kind(baseline)},
        folder / "f1.png",
        f"F1 of entities in {len(held_out)} held-out sentences",
    )
    shown = [
        (sentence, tags)
        for sentence, tags in zip(held_out, predicted, strict=True)
        if find_entities(sentence.tags) or find_entities(tags)
    ][:SHOWN_SENTENCES]
    title = f"What a tagger finds in {name}"
    write_entity_page(folder / "entities.html", shown, kinds, title)
    section = {
        "corpus": name,
        "corpus SHA-256": sha256,
        "sentences learned from": len(learned),
        "sentences held out": len(held_out),
        "words": len(vocabulary),
        "tags": ", ".join(tags),
        "F1": overall,
        "F1 by lookup of known names": by_lookup,
        **describe_training(options, model, seconds),
        **hashes(
            folder, "tagger.keras", "vocabulary.json", "tags.json", "held_out.conll"
        ),
        "scores": score_rows(scores),
    }
    record(options.out, "tagger", section)
    return "tagger"


def config_for(num_words: int, kinds: Sequence[str]) -> TaggerConfig:
    """The sizes of a tagger of these kinds."""
    tables = tagger_tables(len(tag_names(kinds)))
    return TaggerConfig(num_words, tuple(kinds), **tables)


def fit_tagger(
    sentences: Sequence[TaggedSentence],
    kinds: Sequence[str],
    preset: str,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, WordVocabulary]:
    """Build a tagger and train it.

    Args:
        sentences: to learn from.
        kinds: of entities.
        preset: decides the length of the training.
        seed: of weights, order and dropout.
        callbacks: of `fit`.
    """
    vocabulary = WordVocabulary.from_words(
        (token for sentence in sentences for token in sentence.tokens),
        MOST_WORDS["tagger"],
    )
    config = config_for(len(vocabulary), kinds)
    # One sentence in ten is longer and loses its end, which saves a third of the time.
    lengths = [len(sentence.tokens) for sentence in sentences]
    length = min(int(np.quantile(lengths, 0.9)), config.device_length)
    training = tagger_training(preset, len(sentences), length)
    keras.utils.set_random_seed(seed)
    model = build_tagger(config)
    batches = tagged_batches(
        sentences,
        vocabulary,
        config.tags,
        config.num_letters,
        training.batch_size,
        training.length,
        seed=seed,
    )
    fit_parts(model, batches, training, callbacks)
    return model, vocabulary


def f1_by_kind(scores: dict[str, EntityScore]) -> dict[str, float]:
    """F1 overall, and of each kind with enough entities to judge it by."""
    return {
        kind: score.f1 for kind, score in scores.items() if can_be_judged(kind, score)
    }


def print_sentences(
    sentences: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    kinds: Sequence[str],
) -> None:
    """Print the first sentences with found entities, and colour these."""
    found = [
        TaggedSentence(tuple(tokens), tuple(tags))
        for tokens, tags in zip(sentences, predicted, strict=True)
        if find_entities(tags)
    ]
    for sentence in found[:PRINTED_SENTENCES]:
        print(f"  {colour_entities(sentence, kinds, is_terminal(sys.stdout))}")
