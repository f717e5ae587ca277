"""From a text to models and tested files: `python train_all.py --corpus FILE`.

Three parts, each of which can be run alone with --only: attention shows what scaled
dot-product attention computes; encoder trains a small Transformer on masked words;
char_rnn trains a model that writes text. The last two end as SavedModel and TFLite
files, checked against the models that they were made from.
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from export.char_rnn import export_char_rnn
from export.encoder import export_encoder
from export.report import ChecksFailed, record
from kerasseq.attention_demo import write_demo as write_attention_demo
from kerasseq.char_rnn import (
    CharRNNConfig,
    build_char_rnn,
    build_generating_module,
    build_stateful_model,
    generate,
)
from kerasseq.checkpoint import Checkpoint
from kerasseq.command_line import check_writable, parse_arguments
from kerasseq.corpora import Corpus, load_corpus
from kerasseq.divergence import StopAtDivergence
from kerasseq.encoder_demo import write_demo as write_encoder_demo
from kerasseq.files import WriteError, save_model, write_file
from kerasseq.generation import GeneratingModule
from kerasseq.masked_words import masked_word_batches, unigram_loss
from kerasseq.plots import plot_losses
from kerasseq.presets import PRESETS, Preset, dropout_for, most_characters
from kerasseq.text import (
    frequency_loss,
    next_character_streams,
    split_text,
    validation_shape,
)
from kerasseq.training import (
    HeldOutLoss,
    HistoryFile,
    Perplexity,
    SampleTexts,
    TrainingConfig,
    compile_for_training,
    fit,
    tensorboard,
    window_loss,
)
from kerasseq.transformer import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.words import (
    SENTENCES,
    WordVocabulary,
    read_sentences,
)

MOST_WORDS = 5000
# The chance that a place of the text goes on without its state, so that the model
# learns to begin: without, the first characters after a prompt are the worst.
RESET_RATE = 0.03
TEMPERATURES = (0.7, 1.0, 1.2)
HOW_TO_WRITE = """To write with the model, here or in a browser:
  python export/on_device/generate.py {file} --prompt "The "
  python export/on_device/web/serve.py {file}
The browser's page is built once: npm ci && npm run build, in export/on_device/web."""
VERBOSE = 1 if sys.stdout.isatty() else 2


def main(
    arguments: Sequence[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> int:
    """Run what the command line asks for.

    Args:
        arguments: of the command line; None for those of the process.
        callbacks: further ones for the training of the character model.

    Returns:
        The exit code: 0; 1 where training fails, a file cannot be written or does not
        keep its promises; 2 where what was asked for cannot be done.
    """
    options = parse_arguments(arguments)
    preset = PRESETS[options.preset]
    try:
        # What can be refused is refused here, before anything is written.
        sentences = SENTENCES
        if options.sentences:
            sentences = read_sentences(options.sentences)
        plan = plan_char_rnn(options, preset, load_corpus(options.corpus))
        if options.tensorboard:
            callbacks = [*callbacks, tensorboard(options.tensorboard)]
        check_writable(options.out)
    except ValueError as error:
        print(f"train_all.py: error: {error}", file=sys.stderr)
        return 2
    try:
        if "attention" in options.only:
            show_attention(options)
        if "encoder" in options.only:
            train_encoder(options, sentences, preset.encoder_steps)
        if "char_rnn" in options.only:
            train_char_rnn(options, plan, callbacks)
    except FloatingPointError as error:
        print(f"train_all.py: training failed: {error}", file=sys.stderr)
        return 1
    except ChecksFailed as error:
        print(f"train_all.py: checks failed:\n{error}", file=sys.stderr)
        return 1
    except WriteError as error:
        print(
            f"train_all.py: {error}; make room, then go on with --resume",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        print(f"train_all.py: cannot go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntrain_all.py: stopped; --resume goes on from here", file=sys.stderr)
        return 130
    print(f"\nEverything is in {options.out}; {options.out / 'REPORT.md'} sums it up.")
    if "char_rnn" in options.only:
        print(HOW_TO_WRITE.format(file=options.out / "char_rnn/char_rnn_int8.tflite"))
    return 0


def show_attention(options: argparse.Namespace) -> None:
    """Show what scaled dot-product attention computes, in numbers and pictures."""
    folder = options.out / "attention"
    figures = write_attention_demo(folder, options.seed)
    print((folder / "demo.md").read_text(encoding="utf-8"))
    record(options.out, "attention", figures)


def train_encoder(
    options: argparse.Namespace, sentences: Sequence[str], steps: int
) -> None:
    """Train an encoder to guess hidden words, show what it makes of them, export it."""
    folder = options.out / "encoder"
    vocabulary = WordVocabulary.from_sentences(sentences, MOST_WORDS)
    sequences = [vocabulary.encode(sentence) for sentence in sentences]
    config = EncoderConfig(len(vocabulary), model_size=32, max_length=64)
    training = TrainingConfig(
        batch_size=32, length=64, steps_per_epoch=steps // 10, epochs=10
    )
    print(f"\n{len(sentences)} sentences, {config}")

    keras.utils.set_random_seed(options.seed)
    encoder = build_encoder(config)
    learner = build_masked_word_model(encoder, len(vocabulary))
    compile_for_training(learner, training)
    passes = math.ceil(steps * training.batch_size / len(sequences))
    batches = masked_word_batches(
        sequences, training.batch_size, passes=passes, seed=options.seed
    )
    learner.fit(
        batches,
        epochs=training.epochs,
        steps_per_epoch=training.steps_per_epoch,
        shuffle=False,
        verbose=VERBOSE,
    )
    others = masked_word_batches(
        sequences, training.batch_size, passes=20, seed=options.seed + 1
    )
    loss = float(learner.evaluate(others.take(100), verbose=0))
    frequencies = unigram_loss(sequences)
    print(f"hidden words: {loss:.3f} nats; by frequency alone: {frequencies:.3f}")
    if loss > frequencies / 2:
        print("More than half of it: with fewer sentences the pictures would say more.")

    save_model(encoder, folder / "encoder.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_file(folder / "sentences.txt", "\n".join(sentences) + "\n")
    write_encoder_demo(folder, encoder, vocabulary, sentences)
    section = {
        "sentences": len(sentences),
        **asdict(config),
        "parameters": encoder.count_params(),
        "loss of masked words": loss,
        "loss by the words' frequencies": frequencies,
    }
    record(options.out, "encoder", section)
    export_encoder(options.out)


class Plan(NamedTuple):
    """All that the training of a character model depends on."""

    corpus: Corpus
    config: CharRNNConfig
    training: TrainingConfig
    checkpoint: Checkpoint


def plan_char_rnn(options: argparse.Namespace, preset: Preset, corpus: Corpus) -> Plan:
    """Choose sizes and length of the training.

    Raises:
        ValueError: the text is too short, or not the one to resume with.
    """
    vocabulary = corpus.vocabulary
    if len(vocabulary) < 2:
        raise ValueError(
            f"{corpus.name} holds the single character {vocabulary.characters[0]!r}; "
            "a text to learn from has at least two"
        )
    chosen = preset._asdict()
    chosen |= {
        name: getattr(options, name)
        for name in ("units", "layers", "learning_rate")
        if getattr(options, name) is not None
    }
    num_characters = len(split_text(corpus.ids)[0])
    characters = most_characters(preset, num_characters)
    dropout = options.dropout
    if dropout is None:
        dropout = dropout_for(options.epochs or characters / num_characters)
    config = CharRNNConfig(
        len(vocabulary),
        cell=options.cell,
        units=chosen["units"],
        num_layers=chosen["layers"],
        dropout=dropout,
    )
    training = TrainingConfig.for_text(
        num_characters,
        budget=characters,
        passes=options.epochs,
        learning_rate=chosen["learning_rate"],
    )
    run = {
        "text's SHA-256": corpus.sha256,
        **asdict(config),
        **asdict(training),
        "seed": options.seed,
    }
    checkpoint = Checkpoint(options.out / "char_rnn" / "checkpoint.npz", run)
    if options.resume:
        checkpoint.read()
    return Plan(corpus, config, training, checkpoint)


def train_char_rnn(
    options: argparse.Namespace,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train, sample and export the model that writes text."""
    folder = options.out / "char_rnn"
    corpus, config, training, checkpoint = plan
    vocabulary = corpus.vocabulary
    ids, held_out = split_text(corpus.ids)
    print(f"\n{corpus.name}: {len(corpus.ids):,} characters, {config}")
    if unknown := vocabulary.unknown(options.prompt):
        print(f"left out of the prompt, since the text lacks them: {unknown}")

    keras.utils.set_random_seed(options.seed)
    model = build_char_rnn(config)
    module = build_generating_module(model, vocabulary)
    learner = build_stateful_model(
        model, training.batch_size, training.length, RESET_RATE, options.seed
    )
    compile_for_training(learner, training)
    shape = validation_shape(len(held_out))
    validator = build_stateful_model(model, *shape)
    validator.compile(loss=learner.loss, jit_compile=True)
    history = HistoryFile(folder / "history.csv")
    seconds = fit(
        learner,
        next_character_streams(ids, training.batch_size, training.length),
        training,
        [
            HeldOutLoss(validator, next_character_streams(held_out, *shape)),
            StopAtDivergence(),
            Perplexity(),
            history,
            SampleTexts(lambda: generate(module, options.prompt, 200, temperature=0.7)),
            keras.callbacks.EarlyStopping(
                patience=training.patience, restore_best_weights=True
            ),
            *callbacks,
        ],
        checkpoint,
        options.resume,
    )

    save_model(model, folder / "char_rnn.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_file(folder / "held_out.txt", vocabulary.decode(held_out[:20_001]))
    references = {"by the characters' frequencies": frequency_loss(ids)}
    if corpus.entropy is not None:
        references["true entropy"] = corpus.entropy
    plot_losses(history.history, folder / "loss.png", references)
    write_file(folder / "samples.md", sample_texts(options, module))
    loss = min(history.history["val_loss"])
    section = {
        "corpus": corpus.name,
        "corpus SHA-256": corpus.sha256,
        "characters": len(corpus.ids),
        "parameters": model.count_params(),
        "held-out loss": loss,
        "held-out perplexity": math.exp(loss),
        "held-out loss in windows of 256 without state": window_loss(model, held_out),
        **references,
        "seconds of training": round(seconds),
        "cores": os.cpu_count(),
        **asdict(config),
        **asdict(training),
        "seed": options.seed,
    }
    record(options.out, "char_rnn", section)
    export_char_rnn(options.out)


def sample_texts(options: argparse.Namespace, module: GeneratingModule) -> str:
    """Print sample texts, one for each temperature, and give them as Markdown."""
    lines = ["# Samples", ""]
    for temperature in options.temperature or TEMPERATURES:
        text = generate(
            module,
            options.prompt,
            options.length,
            temperature=temperature,
            top_p=options.top_p,
            seed=options.seed,
        )
        print(f"\n--- temperature {temperature} ---\n{text}")
        lines += [f"## Temperature {temperature}", "", "```text", text, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
