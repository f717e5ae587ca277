"""How fast does a character model train, here, in Keras and in PyTorch?

    python -m benchmarks.training [--cells gru,lstm] [--units 128,256,512,1024]
        [--layers 1,2] [--batch 64] [--plot FILE.png]

Ours is what `train_all.py` trains through `fit`: the parts of a batch side by side, or
in one program. Keras's are the same layers on Keras's own loop through `fit`: by
default, without XLA, and unrolled. PyTorch's is torch.nn in its usual loop. All read
the same batches with carried state, clip gradients and use Adam, on all cores. They
alternate in one process, so that other work on the machine affects all equally; figures
are medians of the turns, in characters per second. The first step's seconds run from a
built model to the end of its first batch, compilation included.

The limit is the time of a step's matrix products alone, forward and backward, at the
highest rate of a large product that was measured in the same turns.

PyTorch is needed only for its own row: `pip install -e '.[benchmark]'`.
"""

import argparse
import importlib.util
import math
import os
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasseq.data.streams import next_character_streams
from kerasseq.models.char_rnn import CELLS, CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.step import TrainStep

LENGTH, VOCABULARY, EMBEDDING = 64, 65, 64
# Unrolled, larger ones take minutes to compile.
MOST_UNROLLED = 256


class Trainer(NamedTuple):
    """One way of training.

    Attributes:
        name: its name in the table.
        first_step: seconds to the end of the first batch.
        train: trains on this many batches and returns the seconds.
    """

    name: str
    first_step: float
    train: Callable[[int], float]


def stacked_layers(config: CharRNNConfig, batch: int, **options: Any) -> keras.Model:
    """Keras's layers, stacked as in torch.nn."""
    inputs = keras.Input(batch_shape=(batch, LENGTH), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, config.embedding_size)(inputs)
    for _ in range(config.num_layers):
        x = CELLS[config.cell](config.units, return_sequences=True, **options)(x)
    return keras.Model(inputs, keras.layers.Dense(VOCABULARY)(x))


def random_ids(batch: int, steps: int) -> np.ndarray:
    """A text for this many batches."""
    rng = np.random.default_rng(0)
    return rng.integers(0, VOCABULARY, batch * LENGTH * steps + 1)


def fit_trainer(
    name: str,
    model: keras.Model,
    batch: int,
    jit: bool | None = None,
    parts: int | None = None,
) -> Trainer:
    """Train a Keras model through `fit`, with Keras's own step if `jit` is given."""
    compile_for_training(model, TrainingConfig(batch, LENGTH, 100, 100))
    if parts:
        model.jit_compile = True
        model.train_step = TrainStep(model, parts)
    if jit is not None:
        del model.train_step
        model.jit_compile = jit
    ids = random_ids(batch, 50)
    batches = next_character_streams(ids, batch, LENGTH).repeat()

    def train(steps: int) -> float:
        start = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)
        return time.perf_counter() - start

    return Trainer(name, train(1), train)


def torch_trainer(config: CharRNNConfig, batch: int) -> Trainer:
    """The same model in torch.nn, with the loop of its tutorials."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "simple_rnn": torch.nn.RNN}
    embedding = torch.nn.Embedding(VOCABULARY, config.embedding_size)
    recurrent = kind[config.cell](
        config.embedding_size, config.units, config.num_layers, batch_first=True
    )
    dense = torch.nn.Linear(config.units, VOCABULARY)
    modules = torch.nn.ModuleList([embedding, recurrent, dense])
    training = TrainingConfig(batch, LENGTH, 100, 100)
    optimizer = torch.optim.Adam(
        modules.parameters(), training.learning_rate, (0.9, training.beta_2)
    )
    batches = [
        tuple(torch.from_numpy(ids).long() for ids in pair)
        for pair in next_character_streams(
            random_ids(batch, 50), batch, LENGTH
        ).as_numpy_iterator()
    ]
    carried: Any = None

    def train(steps: int) -> float:
        nonlocal carried
        start = time.perf_counter()
        for step in range(steps):
            inputs, targets = batches[step % len(batches)]
            outputs, carried = recurrent(embedding(inputs), carried)
            logits = dense(outputs)
            loss = torch.nn.functional.cross_entropy(
                logits.reshape(-1, VOCABULARY), targets.reshape(-1)
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(modules.parameters(), training.clip_norm)
            optimizer.step()
            carried = keras.tree.map_structure(lambda state: state.detach(), carried)
        return time.perf_counter() - start

    return Trainer("torch.nn", train(1), train)


def trainers(config: CharRNNConfig, batch: int) -> Iterator[Trainer]:
    """All ways of training that are available here."""
    ours = build_stateful_model(stacked_layers(config, batch), batch, LENGTH)
    yield fit_trainer("kerasseq", ours, batch)
    whole = build_stateful_model(stacked_layers(config, batch), batch, LENGTH)
    yield fit_trainer("kerasseq, one program", whole, batch, parts=1)
    for name, jit, unroll in (
        ("keras.layers, XLA", True, False),
        ("keras.layers", False, False),
        ("keras.layers, XLA, unrolled", True, True),
    ):
        if not unroll or config.units * config.num_layers <= MOST_UNROLLED:
            model = stacked_layers(config, batch, stateful=True, unroll=unroll)
            yield fit_trainer(name, model, batch, jit)
    if importlib.util.find_spec("torch"):
        yield torch_trainer(config, batch)


def product_rate() -> float:
    """Floating-point operations per second of a large matrix product, on all cores."""
    size = 2048
    one, other = (tf.random.normal((size, size)) for _ in range(2))
    best = np.inf
    for _ in range(4):
        start = time.perf_counter()
        tf.matmul(one, other).numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def operations_a_character(config: CharRNNConfig) -> int:
    """Floating-point operations of the matrix products, forward and twice backward."""
    kernels = [
        weights.shape
        for weights in build_char_rnn(config).trainable_variables
        if weights.path.endswith("kernel")
    ]
    return 3 * 2 * sum(map(math.prod, kernels))


def measure(config: CharRNNConfig, batch: int, turns: int) -> dict[str, Any]:
    """Alternate all ways of training with one model.

    Returns:
        `config`, `rates` in characters a second by name, `first steps` in seconds by
        name, and `limit` in characters a second.
    """
    found = list(trainers(config, batch))
    characters = batch * LENGTH
    # About a second each turn.
    steps = {}
    for each in found:
        each.train(2)
        steps[each.name] = max(2, round(2 / each.train(2)))
    rates: dict[str, list[float]] = {each.name: [] for each in found}
    highest = 0.0
    for _ in range(turns):
        highest = max(highest, product_rate())
        for each in found:
            count = steps[each.name]
            rates[each.name].append(characters * count / each.train(count))
    return {
        "config": config,
        "rates": {name: median(values) for name, values in rates.items()},
        "first steps": {each.name: each.first_step for each in found},
        "limit": highest / operations_a_character(config),
        "rate": highest,
    }


def title(config: CharRNNConfig) -> str:
    """Cell, units and layers as a heading."""
    layers = f" x {config.num_layers}" if config.num_layers > 1 else ""
    return f"{config.cell.upper()} {config.units:,}{layers}"


def row(result: dict[str, Any]) -> list[str]:
    """The row of one model."""
    rates = result["rates"]
    ours = rates["kerasseq"]
    stock = max(rate for name, rate in rates.items() if name.startswith("keras."))
    torch = rates.get("torch.nn")
    firsts = result["first steps"]
    return [
        title(result["config"]),
        f"{ours:,.0f}",
        *(f"{rates[name]:,.0f}" if name in rates else "" for name in NAMES[1:]),
        f"{result['limit']:,.0f}",
        f"{ours / rates['kerasseq, one program']:.2f}",
        f"{ours / stock:.2f}",
        f"{ours / torch:.2f}" if torch else "",
        f"{ours / result['limit']:.0%}",
        f"{firsts['kerasseq']:.1f}",
        f"{firsts['keras.layers, XLA']:.1f}",
    ]


COLORS = {
    "kerasseq": "#d9541e",
    "kerasseq, one program": "#efb395",
    "keras.layers, XLA": "#54657a",
    "keras.layers": "#8795a6",
    "keras.layers, XLA, unrolled": "#c3cad3",
    "torch.nn": "#1f9e89",
}
NAMES = tuple(COLORS)
HEADER = (
    "model",
    *NAMES,
    "limit",
    "ours / ours in one program",
    "ours / Keras's best",
    "ours / torch",
    "ours / limit",
    "first step, s",
    "Keras's first step, s",
)


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw each way's speed as a percentage of the limit."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(
        figsize=(8, 0.62 * len(results) + 1.2), layout="constrained"
    )
    for index, result in enumerate(results):
        present = [name for name in NAMES if name in result["rates"]]
        height = 0.8 / len(present)
        for place, name in enumerate(present):
            part = 100 * result["rates"][name] / result["limit"]
            axis.barh(index + place * height, part, height, color=COLORS[name])
    axis.set_yticks(
        [index + 0.3 for index in range(len(results))],
        [title(result["config"]) for result in results],
    )
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("percentage of the limit that matrix products set; more is faster")
    axis.spines[["top", "right"]].set_visible(False)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=COLORS[name]) for name in NAMES]
    figure.legend(
        handles, NAMES, loc="outside upper center", ncols=3, frameon=False, fontsize=9
    )
    figure.savefig(path, dpi=100)


def main() -> None:
    """Print a row for each cell and size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", default="gru,lstm")
    parser.add_argument("--units", default="128,256,512,1024")
    parser.add_argument("--layers", default="1,2")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; batch {options.batch}, length {LENGTH}")
    print(f"| {' | '.join(HEADER)} |\n| {' | '.join('---' for _ in HEADER)} |")
    results = []
    for cell, layers, units in product(
        options.cells.split(","),
        map(int, options.layers.split(",")),
        map(int, options.units.split(",")),
    ):
        keras.backend.clear_session()
        config = CharRNNConfig(VOCABULARY, cell, units, layers, EMBEDDING)
        results.append(measure(config, options.batch, options.turns))
        print(f"| {' | '.join(row(results[-1]))} |", flush=True)
    print(f"\nmatrix products: {max(r['rate'] for r in results) / 1e9:.0f} GFLOP/s")
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
