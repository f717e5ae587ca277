"""What does a text of a gigabyte cost: encoding time, memory, time per training step?

    python -m benchmarks.large_text [--megabytes 1000] [--folder DIR] [--turns 5]

Texts of random words are generated, the same in every run, and removed at the end
unless a folder is given; they need space for five times the megabytes. Each figure on
encoding and memory comes from a new process.

"encoding" is all work before training: hashing, finding the vocabulary, turning
characters into ids, writing them. "again" is the next run, which hashes the text, finds
its ids in the cache and checks them. The texts were just written, so they are read from
memory and not from a disk.

Memory is that of `train_all.py --quick --only char_rnn` on a text that is not cached
yet, which then reads all batches of the text once: the peak that was resident, of which
the process's own (RssAnon) and that of mapped files (RssFile), which the system
reclaims when it needs memory. "more" is the difference from one megabyte of text with
the same characters, and so the same model. "imported" is what the process held once
TensorFlow was imported. Requires Linux.

Steps are those of the default model through `fit`, on texts that alternate in one
process, so that other work on the machine affects all equally.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import train_all
from kerasseq.data.streams import next_character_streams
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from kerasseq.text.corpus import load_corpus
from kerasseq.text.held_out import split_text
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig

BATCH, LENGTH = 32, 64
ALPHABETS = {
    "ASCII": range(ord("a"), ord("z") + 1),
    "Chinese": range(0x4E00, 0x4E00 + 3000),  # of three bytes each
}


def make_text(path: Path, megabytes: int, alphabet: range) -> Path:
    """Write random words; a shorter text is the beginning of a longer one."""
    rng = np.random.default_rng(0)
    letters = np.array([chr(point) for point in alphabet])
    words = np.array(
        [
            "".join(rng.choice(letters, length)).encode()
            for length in rng.integers(2, 10, 5000)
        ],
        object,
    )
    left = megabytes * 1_000_000
    with path.open("wb") as file:
        while left:
            line = b" ".join(rng.choice(words, 500_000)) + b"\n"
            if len(line) > left:  # spaces, since a character may not be cut
                line = line[:left].decode(errors="ignore").encode().ljust(left)
            file.write(line)
            left -= len(line)
    return path


def in_fresh_process(measure: Callable[..., Any], *arguments: Any) -> Any:
    """What `measure` returns in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *arguments).result()


def measure_encoding(path: Path, cache: Path) -> dict[str, Any]:
    """Load a text twice, the first time without a cache."""
    os.environ["KERASSEQ_CACHE"] = str(cache)
    load_corpus("toy")
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        corpus = load_corpus(path)
        seconds.append(time.perf_counter() - start)
    first, again = (path.stat().st_size / 1e6 / each for each in seconds)
    return {
        "first": first,
        "again": again,
        "vocabulary": len(corpus.vocabulary),
        "kind": corpus.ids.dtype.name,
    }


def resident(kind: str) -> float:
    """Megabytes of the process's memory, of a kind that /proc/self/status names."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")


@contextlib.contextmanager
def watched(peaks: dict[str, float]) -> Iterator[None]:
    """Record the peak of each kind of memory, sampled twenty times per second."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for kind in ("RssAnon", "RssFile"):
                peaks[kind] = max(peaks.get(kind, 0.0), resident(kind))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        peaks["VmHWM"] = resident("VmHWM")  # the system's own mark of the total


def measure_memory(path: Path, cache: Path, out: Path) -> dict[str, float]:
    """Train on a text that is not cached, then read all of its batches."""
    os.environ["KERASSEQ_CACHE"] = str(cache)
    peaks: dict[str, float] = {"imported": resident("VmRSS")}
    arguments = ["--quick", "--only", "char_rnn", "--corpus", str(path)]
    with watched(peaks), contextlib.redirect_stdout(io.StringIO()):
        if train_all.main([*arguments, "--out", str(out)]):
            raise RuntimeError(f"the training on {path} failed")
        ids, _ = split_text(load_corpus(path).ids)
        for _ in next_character_streams(ids, BATCH, LENGTH):
            pass
    return peaks


def measure_steps(paths: list[Path], cache: Path, turns: int) -> list[float]:
    """Train one model on alternating texts; steps per second on each."""
    os.environ["KERASSEQ_CACHE"] = str(cache)
    corpora = [load_corpus(path) for path in paths]
    config = CharRNNConfig(len(corpora[0].vocabulary), dropout=0.2)
    model = build_stateful_model(build_char_rnn(config), BATCH, LENGTH)
    compile_for_training(model, TrainingConfig(BATCH, LENGTH, 100, 100))
    texts = [
        next_character_streams(split_text(corpus.ids)[0], BATCH, LENGTH).repeat()
        for corpus in corpora
    ]

    def train(batches: Any, steps: int) -> float:
        start = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)
        return steps / (time.perf_counter() - start)

    for batches in texts:
        train(batches, 3)
    rates = [[train(batches, 100) for batches in texts] for _ in range(turns)]
    return [median(of_one) for of_one in zip(*rates, strict=True)]


def print_table(header: list[str], rows: list[list[Any]]) -> None:
    """Print a table in Markdown."""
    print(f"\n| {' | '.join(header)} |\n| {' | '.join('---' for _ in header)} |")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(end="", flush=True)


def run(folder: Path, cache: Path, megabytes: int, turns: int) -> None:
    """Make the texts, measure, and print three tables."""
    sizes = sorted({1, max(1, megabytes // 10), megabytes})
    texts = {
        (name, size): make_text(folder / f"{name}_{size}.txt", size, alphabet)
        for name, alphabet in ALPHABETS.items()
        for size in sizes
    }
    print(f"{os.cpu_count()} cores; texts of {', '.join(map(str, sizes))} MB")

    rows = []
    for name in ALPHABETS:
        path = texts[name, megabytes]
        found = in_fresh_process(measure_encoding, path, cache)
        rates = [f"{found[key]:,.0f}" for key in ("first", "again")]
        rows.append([name, found["vocabulary"], found["kind"], *rates])
    header = ["characters", "vocabulary", "ids", "encoding, MB/s", "again, MB/s"]
    print_table(header, rows)

    rows = []
    for name in ALPHABETS:
        least = 0.0
        for size in (1, megabytes):
            # Each text's cache and run are removed before the next, to save space.
            with tempfile.TemporaryDirectory(dir=folder) as directory:
                folders = Path(directory) / "cache", Path(directory) / "out"
                peaks = in_fresh_process(measure_memory, texts[name, size], *folders)
            least = least or peaks["VmHWM"]
            kinds = ("imported", "VmHWM", "RssAnon", "RssFile")
            figures = [f"{peaks[kind]:,.0f}" for kind in kinds]
            rows.append([name, size, *figures, f"{peaks['VmHWM'] - least:+,.0f}"])
    header = ["characters", "MB", "imported, MB", "peak", "its own", "of files", "more"]
    print_table(header, rows)

    paths = [texts["ASCII", size] for size in sizes]
    rates = in_fresh_process(measure_steps, paths, cache, turns)
    print_table(
        ["text", *(f"{size} MB" for size in sizes)],
        [["steps a second", *(f"{rate:.1f}" for rate in rates)]],
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="for the texts, which stay there")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if options.folder:
            options.folder.mkdir(parents=True, exist_ok=True)
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory())
        # A new, empty cache.
        cache = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
        run(Path(folder), Path(cache), options.megabytes, options.turns)


if __name__ == "__main__":
    main()
