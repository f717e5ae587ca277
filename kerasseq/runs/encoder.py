"""The encoder of sentences: plan -> train -> save -> measure -> draw."""

import hashlib
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.data.made_up_sentences import MadeUpSentence, make_up_sentences
from kerasseq.data.masked_words import masked_word_batches
from kerasseq.data.streams import frequency_loss
from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.pictures.encoder import write_demo
from kerasseq.runs.bookkeeping import describe_file, describe_training
from kerasseq.runs.options import Options
from kerasseq.runs.watch import note
from kerasseq.scores.masked_words import WordPairs, encoder_loss, hide_words
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.words import SPECIALS, WordVocabulary, read_sentences
from kerasseq.training.callbacks import verbosity
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import (
    ENCODER_DROPOUT,
    ENCODER_FEED_FORWARD_SIZE,
    ENCODER_MODEL_SIZE,
    ENCODER_RATE,
    MOST_WORDS,
    encoder_training,
)

MADE_UP = 6_000
# Of fewer different sentences none is held out: the encoder learns them by heart.
LEAST_TO_HOLD_OUT = 100
HELD_OUT_EACH = 10
# The loss is measured on at most this many hidden words.
MEASURED_WORDS = 2_000
HOW_TO = """
To see a sentence's vectors, and which words attend to which:
  kerasseq encode {file} "the bank was near the river\""""


class Plan(NamedTuple):
    """Everything that the training of an encoder depends on.

    Attributes:
        name: of the sentences.
        sha256: of their file.
        sentences: to train on.
        held_out: to measure and to draw; those of the training where these are few.
        made_up: what the grammar knows of the held-out sentences, if it made them.
        vocabulary: words of the sentences to train on.
        config: sizes.
        training: its length.
    """

    name: str
    sha256: str | None
    sentences: Sequence[str]
    held_out: Sequence[str]
    made_up: Sequence[MadeUpSentence]
    vocabulary: WordVocabulary
    config: EncoderConfig
    training: TrainingConfig


def plan(options: Options) -> Plan:
    """Read the sentences and choose the length of the training.

    Raises:
        ValueError: the file of sentences cannot be used.
    """
    made_up: Sequence[MadeUpSentence] = ()
    if options.sentences:
        with describe_file(options.sentences) as (name, sha256):
            sentences = read_sentences(options.sentences, options.encoding)
        point_out_controls(options.sentences, "".join(sentences))
    else:
        made_up = make_up_sentences(MADE_UP)
        sentences = tuple(map(str, made_up))
        content = "".join(f"{sentence}\n" for sentence in sentences)
        name, sha256 = "made-up sentences", hashlib.sha256(content.encode()).hexdigest()
    sentences = held_out = tuple(dict.fromkeys(sentences))
    if len(sentences) >= LEAST_TO_HOLD_OUT:
        held_out = sentences[::HELD_OUT_EACH]
        sentences = tuple(
            sentence
            for index, sentence in enumerate(sentences)
            if index % HELD_OUT_EACH
        )
    vocabulary = WordVocabulary.from_sentences(sentences, MOST_WORDS["encoder"])
    config = EncoderConfig(
        len(vocabulary),
        model_size=ENCODER_MODEL_SIZE,
        feed_forward_size=ENCODER_FEED_FORWARD_SIZE,
        dropout=ENCODER_DROPOUT,
    )
    training = encoder_training(options.preset, len(sentences), config.max_length)
    return Plan(
        name,
        sha256,
        sentences,
        held_out,
        made_up[::HELD_OUT_EACH],
        vocabulary,
        config,
        training,
    )


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str:
    """Train an encoder to guess hidden words, save it, measure it and draw it."""
    folder = options.out / "encoder"
    name, sha256, sentences, held_out, made_up, vocabulary, config, training = plan
    sequences, measured = (
        [vocabulary.encode(sentence)[: config.max_length] for sentence in each]
        for each in (sentences, held_out)
    )
    unseen = held_out is not sentences
    print(
        f"\n{name}: {len(sentences):,} sentences"
        f"{f' and {len(held_out):,} held out' if unseen else ''}, "
        f"{len(vocabulary):,} words in the vocabulary; {config}"
    )
    words = np.concatenate(sequences)
    hidden = hide_words(measured, MEASURED_WORDS, seed=options.seed)
    before, both = WordPairs(sequences, len(vocabulary)).losses(hidden)
    baselines = {
        "loss by the words' frequencies": frequency_loss(words[words >= len(SPECIALS)]),
        "loss of a bigram, from the word before": before,
        "loss of a bigram, from both neighbours": both,
    }
    note(callbacks, {"by a bigram from both neighbours": both})

    keras.utils.set_random_seed(options.seed)
    encoder = build_encoder(config)
    learner = build_masked_word_model(encoder, len(vocabulary))
    # Training begins where words are as probable as they are frequent.
    counts = np.bincount(words, minlength=len(vocabulary)) + 0.5
    learner.get_layer("logits").bias.assign(np.log(counts / counts.sum()))
    compile_for_training(learner, training)
    steps = training.epochs * training.steps_per_epoch
    passes = math.ceil(steps * training.batch_size / len(sequences))
    start = time.perf_counter()
    learner.fit(
        masked_word_batches(
            sequences,
            training.batch_size,
            passes=passes,
            max_length=config.max_length,
            rate=ENCODER_RATE,
            seed=options.seed,
            vocabulary_size=len(vocabulary),
        ),
        epochs=training.epochs,
        steps_per_epoch=training.steps_per_epoch,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=verbosity(),
    )
    seconds = time.perf_counter() - start

    save_model(encoder, folder / "encoder.keras")
    vocabulary.save(folder / "vocabulary.json")
    # What the files are checked on.
    write_file(folder / "sentences.txt", "\n".join(held_out) + "\n")

    loss = encoder_loss(learner, hidden)
    where = "held-out sentences" if unseen else "the sentences of the training"
    print(f"hidden words of {where}: {loss:.3f} nats")
    for label, nats in baselines.items():
        print(f"  {label}: {nats:.3f}")
    if loss > before:
        print(
            "That is more than the word before alone tells: train longer (--preset "
            "best), or give more sentences or more similar ones."
        )

    figures = write_demo(folder, encoder, vocabulary, held_out, made_up, unseen)
    section = {
        "corpus": name,
        "corpus SHA-256": sha256,
        "sentences": len(sentences),
        "held-out sentences": len(held_out) if unseen else 0,
        "loss of masked words": loss,
        **baselines,
        **figures,
        **describe_training(options, encoder, seconds, config),
        **hashes(folder, "encoder.keras", "vocabulary.json", "sentences.txt"),
    }
    record(options.out, "encoder", section)
    return "encoder"
