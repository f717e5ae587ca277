"""From a text to models and tested files: `python train_all.py --corpus FILE`.

Three parts, each of which can be run alone with --only: attention shows what scaled
dot-product attention computes; encoder trains a small Transformer on masked words;
char_rnn trains a model that writes text. The last two end as SavedModel and TFLite
files, checked against the models that they were made from.
"""

import argparse
import os
import sys
from dataclasses import asdict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from export.char_rnn import export_char_rnn
from export.report import ChecksFailed, record
from kerasseq.char_rnn import (
    CharRNNConfig,
    build_char_rnn,
    build_generating_module,
    build_stateful_model,
    generate,
)
from kerasseq.checkpoint import Checkpoint
from kerasseq.corpora import Corpus, load_corpus
from kerasseq.files import save_model, write_file
from kerasseq.text import Vocabulary, next_character_streams, split_text
from kerasseq.training import (
    HeldOutLoss,
    HistoryFile,
    Perplexity,
    SampleTexts,
    StopAtNaN,
    TrainingConfig,
    compile_for_training,
    fit,
)

PARTS = ("attention", "encoder", "char_rnn")
SAMPLE_TEMPERATURES = (0.7, 1.0, 1.2)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for.

    Returns:
        The exit code: 0; 1 where a file does not keep its promises or training fails;
        2 where what was asked for cannot be done.
    """
    options = parse_arguments(arguments)
    try:
        check_writable(options.out)
        corpus = load_corpus(options.corpus) if "char_rnn" in options.only else None
        if "attention" in options.only:
            show_attention(options)
        if "encoder" in options.only:
            train_encoder(options)
        if corpus:
            train_char_rnn(options, corpus)
    except (ValueError, OSError) as error:
        print(f"train_all.py: error: {error}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"train_all.py: training failed: {error}", file=sys.stderr)
        return 1
    except ChecksFailed as error:
        print(f"train_all.py: checks failed:\n{error}", file=sys.stderr)
        return 1
    print(f"\nEverything is in {options.out}; {options.out / 'REPORT.md'} sums it up.")
    return 0


def train_char_rnn(options: argparse.Namespace, corpus: Corpus) -> None:
    """Train, sample and export the model that writes text."""
    folder = options.out / "char_rnn"
    vocabulary = Vocabulary.from_text(corpus.text)
    if len(vocabulary) < 2:
        raise ValueError(
            f"{corpus.name} holds the single character {vocabulary.characters[0]!r}; "
            "a text to learn from has at least two"
        )
    training, held_out = split_text(vocabulary.encode(corpus.text))
    preset = QUICK if options.quick else DEFAULT
    config = CharRNNConfig(len(vocabulary), cell=options.cell, **preset["model"])
    training_config = TrainingConfig.for_text(
        len(training), passes=options.epochs, **preset["training"]
    )
    print(f"\n{corpus.name}: {len(corpus.text):,} characters, {config}")

    keras.utils.set_random_seed(options.seed)
    model = build_char_rnn(config)
    module = build_generating_module(model, vocabulary)
    learner = build_stateful_model(
        model, training_config.num_streams, training_config.length
    )
    compile_for_training(learner, training_config)
    shape = validation_shape(len(held_out))
    validator = build_stateful_model(model, *shape)
    validator.compile(loss=learner.loss, jit_compile=True)
    history = HistoryFile(folder / "history.csv")
    callbacks = [
        StopAtNaN(),
        HeldOutLoss(validator, next_character_streams(held_out, *shape)),
        Perplexity(),
        history,
        SampleTexts(lambda: generate(module, PROMPT, 200, temperature=0.7)),
        keras.callbacks.EarlyStopping(
            patience=training_config.patience, restore_best_weights=True
        ),
        *options.callbacks,
    ]
    run = {
        "corpus": corpus.sha256,
        **asdict(config),
        **asdict(training_config),
        "seed": options.seed,
    }
    seconds = fit(
        learner,
        next_character_streams(
            training, training_config.num_streams, training_config.length
        ),
        training_config,
        callbacks,
        Checkpoint(folder / "checkpoint.npz", run, callbacks),
        options.resume,
    )

    save_model(model, folder / "char_rnn.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_file(folder / "held_out.txt", vocabulary.decode(held_out[:20_001]))
    plot_losses(history.history, folder / "loss.png")
    write_file(folder / "samples.md", sample_texts(module))
    losses = history.history["val_loss"]
    record(
        options.out,
        "char_rnn",
        {
            "corpus": corpus.name,
            "corpus SHA-256": corpus.sha256,
            "characters": len(corpus.text),
            "distinct characters": len(vocabulary),
            "parameters": model.count_params(),
            "held-out loss": min(losses),
            "held-out perplexity": math.exp(min(losses)),
            "true entropy": corpus.entropy,
            "seconds of training": round(seconds),
            **run,
        },
    )
    export_char_rnn(options.out)


def sample_texts(module: GeneratingModule) -> str:
    """Print samples at three temperatures and give them as Markdown."""
    lines = ["# Samples", ""]
    for temperature in SAMPLE_TEMPERATURES:
        text = generate(module, PROMPT, 500, temperature=temperature)
        print(f"\n--- temperature {temperature} ---\n{text}")
        lines += [f"## Temperature {temperature}", "", "```text", text, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
