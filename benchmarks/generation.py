"""How fast does a character model write, in our files and in other runtimes?

    python -m benchmarks.generation [--cells gru,lstm] [--units 128,512,1024]
        [--plot FILE.png] [--json FILE.json]
    python -m benchmarks.generation --opening
    python -m benchmarks.generation --long

There is one Keras model with random weights for each cell and size. Every runtime has
the same weights, must first compute the same logits, uses one thread and samples at
temperature 0.8. All alternate in one process, so that other work on the machine affects
all equally. The figures are medians of the rounds, in microseconds per character.

The limit is the time in which one core reads the weights that each character needs,
from a buffer of their size, in the fastest of several ways.

--opening measures the time from the start of a process to the first character, and the
memory. --long measures whether either changes when a long text is written.

PyTorch and ONNX Runtime are needed only for their own rows:
`pip install -e '.[benchmark]'`.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
import time
import timeit
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

# Before numpy and TensorFlow are imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.generation_processes import measure_long, measure_opening

if TYPE_CHECKING:
    import keras

    from benchmarks.generation_runtimes import Writer

NUM_CHECKED = 50
# The largest difference of a logit from Keras's; logits range over about +-6.
ALLOWED = {"float32": 1e-4, "float16": 0.02, "int8": 0.75, "int4": 1.5}
# Bytes per weight.
COMPARED = {"float32": 4, "int8": 1}
DRAWN = (*COMPARED, "int4")
PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "torch", "onnxruntime")
# The picture's bars, for each way: a label, and the prefix of the runtimes of which it
# shows the fastest form.
BARS = {
    "loop": {
        "kerasseq": "kerasseq .tflite",
        "ONNX Runtime": "ONNX",
        "PyTorch": "torch",
    },
    "step": {
        "kerasseq": "kerasseq .tflite",
        "ONNX Runtime": "ONNX",
        "PyTorch": "torch",
        "Keras, tf.function": "Keras",
        "TensorFlow tutorial": "TensorFlow",
    },
}
OURS_COLOR, PEER_COLOR, LIMIT_COLOR = "#d9541e", "#a9adb3", "#1f4e79"


def progress(message: str) -> None:
    """Print progress on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def missing_peers() -> list[str]:
    """The peers' packages that are not installed."""
    names = ("torch", "onnx", "onnxruntime")
    return [name for name in names if importlib.util.find_spec(name) is None]


def machine() -> str:
    """The processor and the versions of the packages."""
    lines: list[str] = []
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    flags = found.get("flags\t", found.get("flags", "")).split()
    level = [flag for flag in ("avx2", "avx512f", "avx512_vnni") if flag in flags]
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"{os.cpu_count()} cores ({', '.join(level)}); {', '.join(versions)}"


def writers(model: "keras.Model", cell: str, directory: Path) -> Iterator["Writer"]:
    """All ways of writing that are available here."""
    from benchmarks import generation_peers, generation_runtimes

    paths = generation_runtimes.write_files(model, directory)
    yield from generation_runtimes.our_writers(model, paths)
    yield from generation_runtimes.keras_writers(model)
    yield from generation_runtimes.tutorial_writers(model)
    missing = missing_peers()
    if "torch" not in missing:
        yield from generation_peers.torch_writers(model, cell)
    if not {"onnx", "onnxruntime"} & set(missing):
        yield from generation_peers.onnxruntime_writers(model, cell, directory)


class Reference(NamedTuple):
    """What Keras itself computes.

    Attributes:
        text: the ids that the uniform numbers choose from the logits.
        logits: the logits after each id of the text, (N, V).
    """

    text: list[int]
    logits: np.ndarray


def reference(model: "keras.Model") -> Reference:
    """Let Keras write the text on which the others are compared."""
    from benchmarks.generation_runtimes import keras_writers

    called = next(w for w in keras_writers(model) if w.runtime.endswith("called"))
    text = list(called.write(NUM_CHECKED))
    return Reference(text, model.predict(np.array([text], np.int32), verbose=0)[0])


def check(writer: "Writer", expected: Reference) -> float:
    """Compare a way of writing with Keras.

    Returns:
        The largest difference of a logit.

    Raises:
        RuntimeError: the logits or the text differ.
    """
    logits = writer.logits(np.array(expected.text, np.int32))
    difference = float(np.abs(logits - expected.logits).max())
    if not difference <= ALLOWED[writer.weights]:
        raise RuntimeError(f"{writer.name}: logits differ from Keras's by {difference}")
    # All loops invert the distribution at the same uniform numbers.
    if (writer.way, writer.weights) == ("loop", "float32"):
        written = writer.write(len(expected.text))
        if isinstance(written, str):
            written = [ord(character) - ord(" ") for character in written]
        if list(written) != expected.text:
            raise RuntimeError(f"{writer.name} writes another text than Keras")
    return difference


def characters_in(writer: "Writer", seconds: float) -> int:
    """How many characters are written in this many seconds."""
    writer.write(2)  # compiles
    count, taken = 1, 0.0
    while taken < seconds / 4 and count < 2**24:
        count *= 2
        start = time.perf_counter()
        writer.write(count)
        taken = time.perf_counter() - start
    return max(1, round(count * seconds / taken))


def bytes_a_character(model: "keras.Model", weights: str) -> int:
    """Bytes to read per character: all weights but other characters' vectors.

    A row of the table that embedding and kernel can be folded into counts for both.
    """
    _, recurrent_kernel, _ = model.layers[2].get_weights()
    kernel, _ = model.get_layer("logits").get_weights()
    num_gates = recurrent_kernel.shape[1]
    count = recurrent_kernel.size + kernel.size
    return count * COMPARED[weights] + 4 * (2 * num_gates + kernel.shape[1])


def readers(num_bytes: int) -> Iterator[tuple[str, Callable[[], Any], int]]:
    """Ways to read a buffer with one thread: name, function, number of reads."""
    # Filled, because untouched memory is one shared page of zeros.
    text = b"\x02" * num_bytes
    array = np.full(num_bytes // 4, 0.5, np.float32)
    times = max(1, 2**24 // num_bytes)
    half = len(array) // 2
    width = 2 ** int(np.log2(len(array)) / 2)
    matrix = array[: len(array) // width * width].reshape(-1, width)
    vectors = np.ones(width, np.float32), np.ones(len(matrix), np.float32)
    one = np.broadcast_to(array[:half], (times, half))
    other = np.broadcast_to(array[half : 2 * half], (times, half))
    matrices = np.broadcast_to(matrix, (times, *matrix.shape))
    yield "search for a byte", lambda: text.find(b"\x01"), 1
    yield "maximum", array.max, 1
    yield "dot product", lambda: np.vecdot(one, other), times
    yield "matrix times vector", lambda: np.matmul(matrices, vectors[0]), times
    yield "vector times matrix", lambda: np.matmul(vectors[1], matrices), times


def read_bandwidth(num_bytes: int) -> tuple[float, str]:
    """Bytes per second that one core reads from a buffer, and by which way."""
    best = 0.0, ""
    for name, read, times in readers(num_bytes):
        number = max(1, round(0.02 / timeit.timeit(read, number=1)))
        seconds = min(timeit.repeat(read, number=number, repeat=5)) / number / times
        best = max(best, (num_bytes / seconds, name))
    return best


def measure(cell: str, units: int, options: argparse.Namespace) -> dict[str, Any]:
    """Alternate all ways of writing with one model.

    Returns:
        `cell`, `units`, `writers`, a list of one record each, and `limits` by weights.
    """
    from benchmarks.generation_runtimes import build_model

    model = build_model(cell, units)
    expected = reference(model)
    records, turns = [], []
    with tempfile.TemporaryDirectory() as directory:
        for writer in writers(model, cell, Path(directory)):
            if options.only and not any(part in writer.name for part in options.only):
                continue
            record: dict[str, Any] = {
                "runtime": writer.runtime,
                "form": writer.form,
                "weights": writer.weights,
                "way": writer.way,
                "ours": writer.ours,
                "largest difference of a logit": check(writer, expected),
                "characters": characters_in(writer, options.seconds),
                "microseconds": [],
            }
            records.append(record)
            turns.append((writer, record))
            progress(f"{cell} {units}: {writer.name}, {record['characters']} a turn")
        needed = {weights: bytes_a_character(model, weights) for weights in COMPARED}
        bandwidths = {weights: (0.0, "") for weights in needed}
        for index in range(options.rounds):
            progress(f"{cell} {units}: round {index + 1} of {options.rounds}")
            for writer, record in turns:
                start = time.perf_counter()
                writer.write(record["characters"])
                seconds = time.perf_counter() - start
                record["microseconds"].append(1e6 * seconds / record["characters"])
            for weights, count in needed.items():
                # The best, not the median: a limit is what cannot be passed.
                found = read_bandwidth(count)
                bandwidths[weights] = max(bandwidths[weights], found)
    for record in records:
        record["median"] = median(record["microseconds"])
    limits = {
        weights: {
            "bytes": needed[weights],
            "bytes a second": bandwidth,
            "read by": way,
            "microseconds": 1e6 * needed[weights] / bandwidth,
        }
        for weights, (bandwidth, way) in bandwidths.items()
    }
    return {"cell": cell, "units": units, "writers": records, "limits": limits}


def fastest(result: dict[str, Any], **wanted: Any) -> dict[str, Any] | None:
    """The record with the least median among those with the wanted values."""
    found = [
        record
        for record in result["writers"]
        if all(record[key] == value for key, value in wanted.items())
    ]
    return min(found, key=lambda record: record["median"], default=None)


def name_of(result: dict[str, Any]) -> str:
    """The cell and size as a heading."""
    return f"{result['cell'].upper()} {result['units']:,}"


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table with right-aligned numbers."""
    print(f"\n| {' | '.join(header)} |")
    print(f"| {' | '.join('---' for _ in header)} |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def number(value: float) -> str:
    """A number with its significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def print_writers(results: list[dict[str, Any]]) -> None:
    """Each runtime's fastest form, a column for each model."""
    keys = ("runtime", "weights", "way")
    order = dict.fromkeys(
        tuple(record[key] for key in keys)
        for result in results
        for record in result["writers"]
    )
    rows = []
    for values in order:
        cells: list[str] = []
        forms: Counter[str] = Counter()
        for result in results:
            record = fastest(result, **dict(zip(keys, values, strict=True)))
            cells.append(number(record["median"]) if record else "")
            if record and record["form"]:
                forms[record["form"]] += 1
        names = ", ".join(form for form, _ in forms.most_common())
        rows.append([values[0] + (f" ({names})" if names else ""), *values[1:], *cells])
    print_table(
        ["microseconds a character", "weights", "way", *map(name_of, results)], rows
    )


def print_ratios(results: list[dict[str, Any]]) -> None:
    """Our files compared with the fastest peer and the limit."""
    rows = []
    for result, weights, way in product(results, COMPARED, ("step", "loop")):
        ours = fastest(result, ours=True, weights=weights, way=way)
        # Instead of a small file, a user could also take a peer's fastest form.
        wanted = {"weights": weights} if weights == "float32" else {}
        peer = fastest(result, ours=False, way=way, **wanted)
        if not ours or not peer:
            continue
        limit = result["limits"][weights]["microseconds"]
        form = f", {peer['form']}" if peer["form"] else ""
        rows.append(
            [
                name_of(result),
                weights,
                way,
                number(ours["median"]),
                number(peer["median"]),
                f"{peer['runtime']}{form}, {peer['weights']}",
                f"{peer['median'] / ours['median']:.2f}",
                f"{ours['median'] / limit:.2f}",
            ]
        )
        if ours["median"] < limit:
            progress(f"the limit of {name_of(result)}, {weights}, is none")
    header = "model, weights, way, ours, fastest peer, which, peer / ours, ours / limit"
    print_table(header.split(", "), rows)


def print_limits(results: list[dict[str, Any]]) -> None:
    """Print how fast the weights can be read."""
    rows = [
        [
            name_of(result),
            weights,
            f"{limit['bytes']:,}",
            f"{limit['bytes a second'] / 1e9:.0f}",
            limit["read by"],
            number(limit["microseconds"]),
        ]
        for result in results
        for weights, limit in result["limits"].items()
    ]
    header = "model, weights, bytes a character, GB a second, read by, limit"
    print_table(header.split(", "), rows)


def bars(result: dict[str, Any]) -> list[tuple[str, bool, float]]:
    """Label, whether it is ours, and microseconds of each bar of one model."""
    found = []
    for way, runtimes in BARS.items():
        for (label, start), weights in product(runtimes.items(), DRAWN):
            records = [r for r in result["writers"] if r["runtime"].startswith(start)]
            record = fastest({"writers": records}, way=way, weights=weights)
            if record:
                label = f"{label}, {weights}, {way}"
                found.append((label, record["ours"], record["median"]))
    return found


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw each runtime's fastest: a column for each cell, a block for each size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    cells = list(dict.fromkeys(result["cell"] for result in results))
    blocks = [[r for r in results if r["cell"] == cell] for cell in cells]
    highest = max(sum(len(bars(r)) + 2 for r in block) for block in blocks)
    figure, axes = pyplot.subplots(
        1,
        len(cells),
        figsize=(9, 0.165 * highest + 1),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, block in zip(axes[0], blocks, strict=True):
        place, ticks = 0.0, {}
        for result in block:
            axis.annotate(
                name_of(result),
                (0, -place),
                xycoords=axis.get_yaxis_transform(),
                fontsize=9,
                fontweight="bold",
                va="center",
            )
            top = place = place + 1
            for label, ours, value in bars(result):
                color = OURS_COLOR if ours else PEER_COLOR
                axis.barh(-place, value, 0.8, color=color)
                axis.text(
                    value * 1.08,
                    -place,
                    number(value),
                    fontsize=7,
                    va="center_baseline",
                )
                ticks[-place] = label
                place += 1
            for weights, style in (("float32", "-"), ("int8", ":")):
                limit = result["limits"][weights]["microseconds"]
                axis.plot(
                    [limit, limit], [0.5 - top, 0.5 - place], style, color=LIMIT_COLOR
                )
            place += 1
        axis.set_yticks(list(ticks), list(ticks.values()), fontsize=8)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:,g}")
        axis.tick_params(length=0, which="both", labelsize=8)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.set_xlabel("microseconds a character", fontsize=9)
    axes[0][0].margins(y=0.01)
    low, high = axes[0][0].get_xlim()
    axes[0][0].set_xlim(low, high * 1.5)
    handles = [
        Line2D([], [], color=OURS_COLOR, linewidth=6, label="kerasseq's .tflite"),
        Line2D([], [], color=PEER_COLOR, linewidth=6, label="others, fastest form"),
        Line2D([], [], color=LIMIT_COLOR, label="reading float32 weights once"),
        Line2D([], [], color=LIMIT_COLOR, linestyle=":", label="reading int8 weights"),
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=4, fontsize=8, frameon=False
    )
    figure.savefig(path, dpi=100)


def print_records(records: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print records with the same keys as a table, and return them."""
    rows = []
    for record in records:
        rows.append(record)
        progress(", ".join(str(value) for value in record.values()))
    table = [
        [
            number(value) if isinstance(value, float) else f"{value}"
            for value in row.values()
        ]
        for row in rows
    ]
    print_table(list(rows[0]), table)
    return rows


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", help="gru,lstm (--opening and --long: gru)")
    parser.add_argument("--units", help="128,512,1024 (--opening and --long: 512)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.25, help="of one turn")
    parser.add_argument(
        "--only", help="runtimes with one of these in their names, comma-separated"
    )
    parser.add_argument("--opening", action="store_true", help="time to open instead")
    parser.add_argument("--long", action="store_true", help="write for long instead")
    parser.add_argument("--lengths", default="1000,10000,100000,1000000")
    parser.add_argument("--plot", type=Path, help="a picture of the comparison")
    parser.add_argument("--json", type=Path, help="all figures")
    options = parser.parse_args()
    apart = options.opening or options.long
    options.cells = (options.cells or ("gru" if apart else "gru,lstm")).split(",")
    sizes = options.units or ("512" if apart else "128,512,1024")
    options.units = [int(units) for units in sizes.split(",")]
    options.only = options.only.split(",") if options.only else []
    options.lengths = [int(length) for length in options.lengths.split(",")]
    return options


def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure all models, print and draw."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    results = [
        measure(cell, units, options)
        for cell, units in product(options.cells, options.units)
    ]
    print_writers(results)
    print_ratios(results)
    print_limits(results)
    if options.plot:
        plot(results, options.plot)
    return results


def main() -> None:
    """Measure what the command line asks for."""
    options = parse_arguments()
    print(machine())
    if missing := missing_peers():
        print(
            f"\n{', '.join(missing)} not installed, so what needs it is left out: "
            "pip install -e '.[benchmark]'"
        )
    figures: dict[str, Any] = {"machine": machine()}
    models = product(options.cells, options.units)
    if options.opening:
        figures["opening"] = [
            row
            for cell, units in models
            for row in print_records(
                measure_opening(cell, units, options.rounds, missing)
            )
        ]
    elif options.long:
        figures["long"] = [
            row
            for cell, units in models
            for row in print_records(measure_long(cell, units, options.lengths))
        ]
    else:
        figures["comparison"] = compare(options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
