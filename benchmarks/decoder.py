"""The Transformer that writes text: its copying, nanoGPT's recipe, and the RNN.

    python -m benchmarks.decoder --corpus TEXT [--parts copying,recipe,presets]
        [--presets fast,default]

copying: the fraction of the time per character in which a file copies its keys and
values, with 4 blocks of 128 and a context of 256. The exported loop is compared with a
loop whose buffers and page are the same in each turn, which does the same arithmetic
and copies nothing, and with a loop without pages. Times are processor time of the
thread.

recipe: the model and the budget of nanoGPT's recipe for a CPU (4 blocks of 128, 4
heads, context 64, 2,000 batches of 12, no dropout). Its training is written with
torch.nn (AdamW, 1e-3 to 1e-4 along a cosine, 100 batches of warm-up, random windows).
Ours has as many characters, in the same batches with Adam and with Muon, and in the
batches of `train_all.py`. Losses are on the last tenth of the text, in 1,000 windows of
64 without a state.

presets: what `train_all.py` trains with either model, exported and checked.

Only the recipe needs PyTorch: `pip install -e '.[benchmark]'`.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import train_all
from kerasseq.data.streams import next_character_streams, validation_shape
from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.stateful import build_stateful_model
from kerasseq.scores.windows import window_loss
from kerasseq.signatures.characters import GeneratingModule
from kerasseq.signatures.decoder_step import DecoderStep
from kerasseq.signatures.generation import CHUNK, Step
from kerasseq.signatures.states import States
from kerasseq.text.corpus import load_corpus
from kerasseq.text.held_out import split_text
from kerasseq.training.callbacks import HeldOutLoss
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import TRANSFORMERS
from kerasseq.training.streams import RESET_RATE

SIZE, HEADS, BLOCKS = 128, 4, 4
BATCH, LENGTH, STEPS = 12, 64, 2_000


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows with the same keys as a Markdown table."""
    print(f"\n| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}")
    for row in rows:
        cells = (f"{v:,.4g}" if isinstance(v, float) else f"{v}" for v in row.values())
        print(f"| {' | '.join(cells)} |", flush=True)


def without_copying(step: DecoderStep) -> Step:
    """The same arithmetic, on buffers and an empty page that no turn changes."""

    def same(token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        read, page, _ = step.open(states)
        logits, page = read(token, [*page[:-1], states[-1]])
        return logits, [*states[:-1], page[-1]]

    return same


def without_pages(step: DecoderStep) -> Step:
    """A loop that changes the buffers at each turn."""
    return lambda token, states: step(token, states)


def measure_copying() -> None:
    """Print the fraction of the time that copying takes."""
    keras.utils.set_random_seed(1)
    config = CharTransformerConfig(65, SIZE, HEADS, BLOCKS, context=256)
    step = DecoderStep(build_char_transformer(config))
    for variable in step.variables:  # a new model has zeros
        variable.assign(tf.random.normal(variable.shape, stddev=0.05))
    shapes = step.state_shapes
    inputs: dict[str, np.ndarray] = {
        f"state_{index}": np.zeros(shape, np.float32)
        for index, shape in enumerate(shapes)
    }
    inputs |= {
        "prompt": np.zeros(CHUNK, np.int32),
        "prompt_length": np.ones(1, np.int32),
        "uniforms": np.full(CHUNK, 0.5, np.float32),
        "temperature": np.ones(1, np.float32),
        "top_k": np.zeros(1, np.int32),
        "top_p": np.ones(1, np.float32),
        "min_p": np.zeros(1, np.float32),
        "length": np.array([CHUNK], np.int32),
    }
    forms: dict[str, Any] = {
        "exported": step,
        "copying nothing": without_copying(step),
        "without pages": without_pages(step),
    }
    rows = []
    for quantization in ("float32", "int8"):
        loops = {}
        for name, form in forms.items():
            module = GeneratingModule(form, step.variables, shapes, range(65))
            flatbuffer = convert(module, module.device_signatures(), quantization)
            loops[name] = open_signatures(flatbuffer)["generate"]
        times = dict.fromkeys(forms, math.inf)
        for _ in range(10):
            for name, loop in loops.items():
                start = time.thread_time()
                loop(**inputs)
                times[name] = min(times[name], time.thread_time() - start)
        times = {name: 1e6 * seconds / CHUNK for name, seconds in times.items()}
        least = times["copying nothing"]
        rows.append(
            {
                "weights": quantization,
                **{f"{name}, us": round(value, 1) for name, value in times.items()},
                "fraction spent on copying": f"{1 - least / times['exported']:.0%}",
                "without pages": f"{1 - least / times['without pages']:.0%}",
            }
        )
    print_table(rows)


def train_ours(
    ids: np.ndarray,
    held_out: np.ndarray,
    size: int,
    batch: int,
    optimizer: Literal["adam", "muon"],
) -> dict[str, Any]:
    """Train our model on the recipe's characters."""
    keras.utils.set_random_seed(0)
    config = CharTransformerConfig(size, SIZE, HEADS, BLOCKS, context=LENGTH)
    model = build_char_transformer(config)
    learner = build_stateful_model(model, batch, LENGTH, reset_rate=RESET_RATE)
    # For Adam, the best rate that was tried.
    rate = TRANSFORMERS["default"].learning_rate if optimizer == "muon" else 4e-3
    steps = STEPS * BATCH // batch
    training = TrainingConfig(
        batch, LENGTH, steps, 1, learning_rate=rate, optimizer=optimizer
    )
    batches = next_character_streams(ids, batch, LENGTH).repeat()
    start = time.perf_counter()
    compile_for_training(learner, training)
    learner.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    seconds = time.perf_counter() - start
    shape = validation_shape(len(held_out))
    validator = build_stateful_model(model, *shape)
    validator.compile(loss=learner.loss, jit_compile=True)
    carried = HeldOutLoss(validator, next_character_streams(held_out, *shape))
    return {
        "": f"kerasseq, {optimizer.capitalize()}, batches of {batch}",
        "parameters": model.count_params(),
        "seconds": seconds,
        "loss in windows of 64": window_loss(model, held_out, length=LENGTH),
        "loss with state": carried.evaluate(),
    }


def train_recipe(ids: np.ndarray, held_out: np.ndarray, size: int) -> dict[str, Any]:
    """Train the recipe's model with torch.nn."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norms = nn.ModuleList(nn.LayerNorm(SIZE, bias=False) for _ in range(2))
            self.project = nn.Linear(SIZE, 3 * SIZE, bias=False)
            self.merge = nn.Linear(SIZE, SIZE, bias=False)
            self.expand = nn.Linear(SIZE, 4 * SIZE, bias=False)
            self.contract = nn.Linear(4 * SIZE, SIZE, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch, steps, _ = x.shape
            query, key, value = (
                part.view(batch, steps, HEADS, -1).transpose(1, 2)
                for part in self.project(self.norms[0](x)).split(SIZE, dim=2)
            )
            attended = functional.scaled_dot_product_attention(
                query, key, value, is_causal=True
            )
            x = x + self.merge(attended.transpose(1, 2).reshape(batch, steps, SIZE))
            return x + self.contract(functional.gelu(self.expand(self.norms[1](x))))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.characters = nn.Embedding(size, SIZE)
            self.positions = nn.Embedding(LENGTH, SIZE)
            self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
            self.norm = nn.LayerNorm(SIZE, bias=False)
            for name, weights in self.named_parameters():
                if weights.ndim == 2:
                    last = name.endswith(("merge.weight", "contract.weight"))
                    deviation = 0.02 / math.sqrt(2 * BLOCKS) if last else 0.02
                    nn.init.normal_(weights, std=deviation)

        def forward(self, characters: torch.Tensor) -> torch.Tensor:
            positions = torch.arange(characters.shape[1])
            x = self.characters(characters) + self.positions(positions)
            return self.norm(self.blocks(x)) @ self.characters.weight.T

    def loss_at(text: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        indices = starts[:, None] + torch.arange(LENGTH)
        logits = model(text[indices]).reshape(-1, size)
        return functional.cross_entropy(logits, text[indices + 1].reshape(-1))

    def rate(step: int) -> float:
        if step < 100:
            return (step + 1) / 101
        part = (step - 100) / (STEPS - 100)
        return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * part))

    model = Model()
    matrices = [weights for weights in model.parameters() if weights.ndim == 2]
    others = [weights for weights in model.parameters() if weights.ndim != 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": 0.1},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=1e-3,
        betas=(0.9, 0.99),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    text = torch.from_numpy(ids.astype(np.int64))
    start = time.perf_counter()
    for _ in range(STEPS):
        loss = loss_at(text, torch.randint(len(text) - LENGTH, (BATCH,)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - start
    text = torch.from_numpy(held_out.astype(np.int64))
    generator = np.random.default_rng(0)
    starts = torch.from_numpy(generator.integers(0, len(text) - LENGTH, (20, 50)))
    with torch.no_grad():
        losses = [float(loss_at(text, part)) for part in starts]
    return {
        "": "the recipe in torch.nn",
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "seconds": seconds,
        "loss in windows of 64": float(np.mean(losses)),
        "loss with state": "",
    }


def measure_recipe(corpus: str) -> None:
    """Print both trainings."""
    text = load_corpus(corpus)
    ids, held_out = split_text(text.ids)
    ids, held_out = np.asarray(ids), np.asarray(held_out)
    size = len(text.vocabulary)
    rows = [
        train_ours(ids, held_out, size, 32, "muon"),
        train_ours(ids, held_out, size, BATCH, "muon"),
        train_ours(ids, held_out, size, BATCH, "adam"),
    ]
    print_table([*rows, train_recipe(ids, held_out, size)])


def measure_presets(corpus: str, presets: str) -> None:
    """Print the results of train_all.py on a text, with either model."""
    rows = []
    for preset in presets.split(","):
        for model in ("rnn", "transformer"):
            with tempfile.TemporaryDirectory() as out:
                arguments = ["--only", "char_rnn", "--model", model, "--out", out]
                arguments += ["--preset", preset, "--corpus", corpus]
                if train_all.main(arguments):
                    raise SystemExit(f"{' '.join(arguments)} failed")
                report = json.loads((Path(out) / "report.json").read_text())
                rows.append(preset_row(preset, f"char_{model}", report))
    print_table(rows)


def preset_row(preset: str, name: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """A row from the report of a run."""
    trained, files = report[name], report[f"{name}_export"]["files"]
    row = {
        "preset": preset,
        "model": name,
        "parameters": trained["parameters"],
        "loss with state": trained["held-out loss"],
        "in windows of 256": trained["held-out loss in windows of 256 without state"],
        "seconds": trained["seconds of training"],
    }
    for weights in ("float32", "int8"):
        figures = files[f"{name}_{weights}.tflite"]
        row[f"{weights}, bytes"] = figures["bytes"]
        speed = figures["characters written a second, interpreter"]
        row[f"{weights}, us a character"] = round(1e6 / speed, 1)
    return row


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", required=True, metavar="TEXT")
    parser.add_argument("--parts", default="copying,recipe,presets")
    parser.add_argument("--presets", default="fast,default")
    options = parser.parse_args()
    parts = options.parts.split(",")
    print(f"{os.cpu_count()} cores")
    if "copying" in parts:
        measure_copying()
    if "recipe" in parts:
        measure_recipe(options.corpus)
    if "presets" in parts:
        measure_presets(options.corpus, options.presets)


if __name__ == "__main__":
    main()
