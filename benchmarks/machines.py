"""How much faster do two machines train than one?

    python -m benchmarks.machines [--lines 1,10] [--models gru,lstm] [--rows 16,32]
        [--plot FILE.png]

Two network namespaces stand for two machines, each with one core, and a pair of virtual
cards with a limited rate for the line between them; this takes Linux and root. In each
worker, steps with the sum over both and steps without it alternate, while the other
worker does the same. Other work on the machine only adds time, so the fastest step of
each kind counts; the medians stand beside it. A worker has `rows` rows of 64 characters
in either case: with the sum, the batch is twice as large.

For more machines, the table holds what the formula gives: the time of the own step
without the sum, plus 2 (W - 1) / W times the bytes of the gradients, which a ring sends
over each line, at the rate that was measured.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ADDRESSES = "10.77.0.1", "10.77.0.2"
SPACES = f"kerasseq_{os.getpid()}_0", f"kerasseq_{os.getpid()}_1"
PORT, LENGTH, VOCABULARY, STEPS, TURNS = 2222, 64, 65, 5, 4
MACHINES = 4, 16, 64
LAYERS = {"gru": 1, "lstm": 2}  # as the presets default and best


@contextlib.contextmanager
def two_machines(gigabits: float) -> Iterator[None]:
    """Two namespaces with a line between them, until the block ends."""

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    try:
        for space in SPACES:
            ip("netns", "add", space)
        ip("link", "add", "ks0", "type", "veth", "peer", "name", "ks1")
        for number, space in enumerate(SPACES):
            card, inside = f"ks{number}", ("-n", space)
            ip("link", "set", card, "netns", space)
            ip(*inside, "addr", "add", f"{ADDRESSES[number]}/24", "dev", card)
            ip(*inside, "link", "set", card, "up")
            ip(*inside, "link", "set", "lo", "up")
            # What passes at once is little beside the gradients: half a millisecond's.
            burst = max(128_000, int(gigabits * 1e9 / 8 / 2000))
            rate = f"rate {gigabits}gbit burst {burst} latency 50ms".split()
            limit = ["tc", *inside, "qdisc", "add", "dev", card, "root", "tbf", *rate]
            subprocess.run(limit, check=True)
        yield
    finally:
        for space in SPACES:
            subprocess.run(["ip", "netns", "del", space], check=False)


def measure(cells: list[str], rows: list[int], out: Path) -> None:
    """What one worker does; the chief writes the figures."""
    from kerasseq.training.workers import Workers, join

    team = join()  # before anything else uses TensorFlow
    import keras
    import numpy as np

    from kerasseq.data.streams import next_character_streams
    from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
    from kerasseq.models.stateful import build_stateful_model
    from kerasseq.training.compiling import compile_for_training
    from kerasseq.training.configuration import TrainingConfig
    from kerasseq.training.step import ON_THE_LINE

    class Clock(keras.callbacks.Callback):
        """When the batches ended."""

        def on_train_begin(self, logs: Any = None) -> None:
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.ends.append(time.perf_counter())

    found = []
    for cell in cells:
        for count in rows:
            config = TrainingConfig(count, LENGTH, 1000, 1)
            model_config = CharRNNConfig(VOCABULARY, cell, 512, LAYERS[cell])
            ids = np.random.default_rng(0).integers(
                0, VOCABULARY, count * LENGTH * (STEPS + 1) + 1
            )
            learners = []
            for is_alone in (True, False):
                model = build_char_rnn(model_config)
                learner = build_stateful_model(model, count, LENGTH)
                compile_for_training(learner, config)
                if is_alone:
                    learner.train_step._workers = Workers()
                learners.append(learner)
            seconds: tuple[list[float], list[float]] = [], []
            clock = Clock()
            for turn in range(TURNS + 1):
                for learner, steps in zip(learners, seconds, strict=True):
                    batches = next_character_streams(ids, count, LENGTH)
                    options = {"shuffle": False, "verbose": 0}
                    learner.fit(batches, callbacks=[clock], **options)
                    if turn:  # the first one compiles
                        steps += np.diff(clock.ends).tolist()
            size = ON_THE_LINE.size * learners[0].count_params()
            found.append([cell, count, size, *map(min, seconds), *map(median, seconds)])
    if team.is_chief:
        out.write_text(json.dumps(found))


def run_both(cells: str, rows: str, out: Path) -> list[Any]:
    """Run `measure` in both namespaces, each on one core."""
    addresses = [f"{each}:{PORT}" for each in ADDRESSES]
    processes = []
    for rank, space in enumerate(SPACES):
        task = {"type": "worker", "index": rank}
        config = {"cluster": {"worker": addresses}, "task": task}
        command = [
            *("ip", "netns", "exec", space, "taskset", "-c", str(rank)),
            *(sys.executable, "-m", "benchmarks.machines", "--worker", str(out)),
            *("--models", cells, "--rows", rows),
        ]
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        processes.append(subprocess.Popen(command, env=environment))
    if any([process.wait() for process in processes]):
        raise SystemExit("a worker failed")
    return json.loads(out.read_text())


def plot(rows: list[list[Any]], path: Path) -> None:
    """Draw the speed-up at two workers, by model, rows and line."""
    import matplotlib.pyplot as plt

    lines = sorted({row[0] for row in rows})
    groups = list(dict.fromkeys((row[1], row[2]) for row in rows))
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    width = 0.8 / len(lines)
    for number, line in enumerate(lines):
        values = [
            next(row[-1] for row in rows if (row[0], row[1], row[2]) == (line, *group))
            for group in groups
        ]
        places = [
            index + (number - (len(lines) - 1) / 2) * width
            for index in range(len(groups))
        ]
        bars = axes.bar(places, values, width, label=f"{line:g} Gbit/s")
        axes.bar_label(bars, fmt="%.2f", label_type="center", color="white")
    axes.axhline(2, color="gray", linestyle=":")
    names = [
        f"{LAYERS[cell]} x {cell.upper()} 512\n{count} rows each"
        for cell, count in groups
    ]
    axes.set_xticks(range(len(groups)), names)
    axes.set_ylabel("speed-up of two workers")
    axes.set_ylim(0, 2.4)
    axes.legend(loc="upper left", ncols=len(lines))
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", default="1,10", help="Gbit/s (1,10)")
    parser.add_argument("--models", default="gru,lstm")
    parser.add_argument("--rows", default="16,32", help="of each worker (16,32)")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        rows = [int(each) for each in options.rows.split(",")]
        return measure(options.models.split(","), rows, options.worker)
    out = Path(f"machines_{os.getpid()}.json").absolute()
    table = []
    names = ", ".join(f"{count} on paper" for count in MACHINES)
    print("Gbit/s, model, rows each, MB, ms alone, ms together, medians of both,")
    print(f"speed-up, {names}", flush=True)
    for line in map(float, options.lines.split(",")):
        with two_machines(line):
            found = run_both(options.models, options.rows, out)
        out.unlink()
        for cell, count, size, alone, together, *medians in found:
            # A ring of two sends each byte once over each line.
            a_byte = max(0.0, together - alone) / size
            paper = [
                w * alone / (alone + 2 * (w - 1) / w * size * a_byte) for w in MACHINES
            ]
            speed_up = 2 * alone / together
            table.append([line, cell, count, speed_up])
            milliseconds = [1e3 * each for each in (alone, together, *medians)]
            times = ", ".join(f"{each:.0f}" for each in milliseconds)
            rest = ", ".join(f"{each:.1f}" for each in paper)
            print(f"{line:g}, {cell}, {count}, {size / 1e6:.1f}, {times},", end=" ")
            print(f"{speed_up:.2f}, {rest}", flush=True)
    if options.plot:
        plot(table, options.plot)
    return None


if __name__ == "__main__":
    main()
