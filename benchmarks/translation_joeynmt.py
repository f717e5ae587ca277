"""What a user would train instead of our translator: a model of JoeyNMT.

JoeyNMT 2.3 (Kreutzer et al. 2019, "Joey NMT: A Minimalist NMT Toolkit for Novices") is
run by a Python that has it; it needs an environment of its own.

Its model has the sizes of ours and of Wu et al. 2021: 4 blocks that read and 4 that
write, 128 wide, 4 heads, 256 units, one embedding of 6,000 pieces for both languages.
Blocks are pre-norm and labels are smoothed by 0.1, as in JoeyNMT's own configurations,
and batches have 2,048 pieces. These configurations are for hours on a GPU; here the
learning rate rises to 0.003 in 300 batches and then falls with the root of their
number. The last 200 pairs are its held-out ones. Searches are those of its
configurations: greedy, and a beam of 5 with a length penalty of 1.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.translation_keras import Trained
from kerasseq.data.pairs import Pair

PIECES, HELD_OUT, SIZE = 6_000, 200, 128
BEAMS = {"greedy": 1, "beam 5": 5}
LEARN_PIECES = f"""
import sentencepiece
sentencepiece.SentencePieceTrainer.train(
    input="train.source,train.target", model_prefix="pieces", vocab_size={PIECES},
    character_coverage=1, hard_vocab_limit=False,
)
"""

# What a shell starts in the background ignores Ctrl-C, and so would its children.
TRAIN = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("joeynmt", run_name="__main__", alter_sys=True)
"""


def train_joeynmt(
    pairs: Sequence[Pair], sources: Sequence[str], seconds: float, python: str
) -> Trained:
    """Train a model of JoeyNMT for some seconds and translate with it.

    Args:
        pairs: to learn from.
        sources: to translate.
        seconds: of training, without the time that reading the pairs takes.
        python: that has JoeyNMT.

    Raises:
        RuntimeError: JoeyNMT fails.
    """
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        parts = {"train": pairs[:-HELD_OUT], "dev": pairs[-HELD_OUT:]}
        for name, part in parts.items():
            for side in Pair._fields:
                lines = "".join(f"{getattr(pair, side)}\n" for pair in part)
                (folder / f"{name}.{side}").write_text(lines)
        run(python, folder, "-c", LEARN_PIECES)
        rows = (folder / "pieces.vocab").read_text().splitlines()[3:]  # without marks
        pieces = [row.partition("\t")[0] for row in rows]
        (folder / "pieces.txt").write_text("\n".join(pieces))
        for name, width in BEAMS.items():
            (folder / f"{name}.yaml").write_text(json.dumps(settings(width)))

        taken, core_seconds = fit(python, folder, seconds)
        log = (folder / "model" / "train.log").read_text()
        parameters = re.findall(r"Total params: (\d+)", log)
        found, search_seconds = {}, {}
        for name in BEAMS:
            start = time.perf_counter()
            text = "".join(f"{source}\n" for source in sources)
            written = run(
                python, folder, "-m", "joeynmt", "translate", f"{name}.yaml", text=text
            )
            search_seconds[name] = time.perf_counter() - start
            found[name] = written.splitlines()
            if len(found[name]) != len(sources):
                raise RuntimeError(f"JoeyNMT wrote {len(found[name])} lines")
        return Trained(int(parameters[-1]), taken, core_seconds, found, search_seconds)


def run(python: str, folder: Path, *arguments: str, text: str = "") -> str:
    """What a Python program writes, run in a folder."""
    done = subprocess.run(
        [python, *arguments], cwd=folder, input=text, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
    return done.stdout


def fit(python: str, folder: Path, seconds: float) -> tuple[float, float]:
    """Train for some seconds.

    Returns:
        The seconds of training, and those of all cores, reading the pairs included.
    """
    log = folder / "model" / "train.log"
    with (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(
            [python, "-c", TRAIN, "train", "greedy.yaml", "--skip-test"],
            cwd=folder,
            stdout=errors,
            stderr=errors,
        )
        while process.poll() is None and not (
            log.exists() and "EPOCH" in log.read_text()
        ):
            time.sleep(0.1)
        start = time.perf_counter()
        while process.poll() is None and time.perf_counter() - start < seconds:
            time.sleep(0.1)
        taken = time.perf_counter() - start
        if process.returncode is not None:
            errors.seek(0)
            raise RuntimeError(f"JoeyNMT ended early: {errors.read()[-2000:]}")
        process.send_signal(signal.SIGINT)  # it saves the model and ends
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return taken, usage.ru_utime + usage.ru_stime


def settings(beam: int) -> dict[str, Any]:
    """A configuration of JoeyNMT; JSON is YAML."""
    side = {
        "level": "bpe",
        "max_length": 127,
        "voc_file": "pieces.txt",
        "tokenizer_type": "sentencepiece",
        "tokenizer_cfg": {"model_file": "pieces.model"},
    }
    blocks = {
        "type": "transformer",
        "num_layers": 4,
        "num_heads": 4,
        "embeddings": {"embedding_dim": SIZE, "scale": True, "dropout": 0.0},
        "hidden_size": SIZE,
        "ff_size": 2 * SIZE,
        "dropout": 0.1,
        "layer_norm": "pre",
    }
    return {
        "name": "benchmark",
        "model_dir": "model",
        "use_cuda": False,
        "data": {
            "train": "train",
            "dev": "dev",
            "dataset_type": "plain",
            "src": {"lang": "source", **side},
            "trg": {"lang": "target", **side},
        },
        "testing": {
            "beam_size": beam,
            "beam_alpha": 1.0,
            "batch_size": 1024,
            "batch_type": "token",
            "max_output_length": 100,
            "eval_metrics": ["bleu"],
        },
        "training": {
            "optimizer": "adamw",
            "adam_betas": [0.9, 0.98],
            "normalization": "tokens",
            "scheduling": "warmupinversesquareroot",
            "learning_rate": 0.003,
            "learning_rate_warmup": 300,
            "learning_rate_min": 0.0,  # YAML would read 1e-08 as a text
            "label_smoothing": 0.1,
            "loss": "crossentropy",
            "batch_size": 2048,
            "batch_type": "token",
            "early_stopping_metric": "loss",
            "epochs": 10_000,
            "validation_freq": 1_000_000,
            "logging_freq": 100,
        },
        "model": {
            "initializer": "xavier_uniform",
            "embed_initializer": "xavier_uniform",
            "tied_embeddings": True,
            "tied_softmax": True,
            "encoder": blocks,
            "decoder": blocks,
        },
    }
