"""Measurements in separate processes: opening a model, and writing long texts.

`benchmarks/generation.py` starts these processes. It imports no runtime before, because
a new process counts its parent's memory until it runs its own program.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

PROMPT, TEMPERATURE, SEED = "!", 0.8, 1
# As many as generate.py writes per call.
FIRST_CHARACTERS = 8
MODULE = [sys.executable, "-m", "benchmarks.generation_processes"]
PROGRAM = Path(__file__).parent.parent / "kerasseq" / "on_device" / "generate.py"


class Run(NamedTuple):
    """What a process needed.

    Attributes:
        seconds: from its start to the first character on standard output.
        megabytes: its peak memory.
        output: what it wrote.
    """

    seconds: float
    megabytes: float
    output: str


def run(command: list[str]) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        assert process.stdout  # it is a pipe
        first = process.stdout.read(1)
        seconds = time.perf_counter() - start
        output = first + process.stdout.read()
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or not output:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read()[-2000:]}")
    # Kilobytes, but bytes on a Mac.
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(seconds, kilobytes / 1024, output.decode())


def measure_opening(
    cell: str, units: int, rounds: int, missing: list[str]
) -> Iterator[dict[str, Any]]:
    """Time to the first character of new processes, which alternate.

    Args:
        cell, units: of the model.
        rounds: processes of each kind.
        missing: packages that are not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        run([*MODULE, "prepare", str(directory), cell, str(units), *missing])
        commands = {}
        for weights in ("float32", "int8"):
            file = str(directory / f"char_rnn_{weights}.tflite")
            options = ["--prompt", PROMPT, "--length", "100", "--seed", str(SEED)]
            command = [sys.executable, str(PROGRAM), file, *options]
            commands[f"kerasseq generate.py, {weights}"] = command
        for name, kind, file in (
            ("kerasseq SavedModel, TensorFlow", "saved_model", "saved_model"),
            ("Keras stateful model in a tf.function", "keras", "char_rnn.keras"),
            ("torch.jit, float32", "torch", "torch_float32.pt"),
            ("torch.jit, int8", "torch", "torch_int8.pt"),
            ("ONNX Runtime Loop, float32", "onnxruntime", "onnx_float32.onnx"),
            ("ONNX Runtime Loop, int8", "onnxruntime", "onnx_int8.onnx"),
        ):
            if (directory / file).exists():
                commands[name] = [*MODULE, "open", kind, str(directory / file)]
        # The first round fills the file cache and does not count.
        runs: dict[str, list[Any]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                runs[name].append(run(command))
    for name, (_, *counted) in runs.items():
        yield {
            "runtime": name,
            "seconds": median(each.seconds for each in counted),
            "megabytes": median(each.megabytes for each in counted),
        }


def measure_long(cell: str, units: int, lengths: list[int]) -> Iterator[dict[str, Any]]:
    """Time per character and peak memory for writing this many characters."""
    with tempfile.TemporaryDirectory() as folder:
        run([*MODULE, "prepare", folder, cell, str(units), "torch", "onnxruntime"])
        for name, kind, file in (
            ("kerasseq int8, Interpreter", "tflite", "char_rnn_int8.tflite"),
            ("kerasseq SavedModel, TensorFlow", "saved_model", "saved_model"),
        ):
            for length in lengths:
                path = str(Path(folder) / file)
                done = run([*MODULE, "write", kind, path, str(length)])
                yield {
                    "runtime": name,
                    "characters": length,
                    "microseconds": 1e6 * float(done.output) / length,
                    "megabytes": done.megabytes,
                }


def prepare(directory: Path, cell: str, units: int, missing: list[str]) -> None:
    """Write one model in every form that is opened."""
    from benchmarks import generation_runtimes

    model = generation_runtimes.build_model(cell, units)
    generation_runtimes.write_files(model, directory)
    model.save(directory / "char_rnn.keras")
    if "torch" not in missing:
        from benchmarks.generation_peers import save_torch

        save_torch(model, cell, directory)
    if not {"onnx", "onnxruntime"} & set(missing):
        from benchmarks.generation_peers import save_onnx

        save_onnx(model, cell, directory)


def open_saved_model(path: Path) -> Callable[[int], str]:
    """The SavedModel as in the contract, with TensorFlow alone."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def write(count: int) -> str:
        text = loaded.generate(
            prompt=tf.constant([PROMPT]),
            length=tf.constant(count),
            temperature=tf.constant(TEMPERATURE),
            top_k=tf.constant(0),
            top_p=tf.constant(1.0),
            min_p=tf.constant(0.0),
            seed=tf.constant(SEED),
        )["text"]
        return text[0].numpy().decode()

    return write


def open_keras(path: Path) -> Callable[[int], str]:
    """The saved Keras model, made stateful and compiled with sampling."""
    import keras
    import tensorflow as tf

    from kerasseq.models.stateful import build_stateful_model

    model = build_stateful_model(keras.saving.load_model(path), batch_size=1, length=1)

    @tf.function
    def next_token(token: tf.Tensor) -> tf.Tensor:
        logits = model(token)[:, 0] / TEMPERATURE
        return tf.random.categorical(logits, 1, dtype=tf.int32)

    def write(count: int) -> str:
        token, tokens = tf.constant([[1]]), []
        for _ in range(count):
            token = next_token(token)
            tokens.append(token)
        return as_text(tf.concat(tokens, 0).numpy()[:, 0])

    return write


def open_torch(path: Path) -> Callable[[int], str]:
    """A scripted module."""
    import torch

    step = torch.jit.load(path)

    @torch.inference_mode()
    def write(count: int) -> str:
        tokens = step.write(torch.tensor([1]), torch.rand(count), TEMPERATURE)
        return as_text(tokens.tolist())

    return write


def open_onnxruntime(path: Path) -> Callable[[int], str]:
    """A session of the Loop."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    states = {
        x.name: np.zeros(x.shape, np.float32)
        for x in session.get_inputs()
        if "state" in x.name
    }

    def write(count: int) -> str:
        uniforms = np.random.default_rng(SEED).random(count, np.float32)
        inputs = {"uniforms": uniforms, "first": np.array([1]), **states}
        return as_text(session.run(None, inputs)[0][:, 0])

    return write


def open_tflite(path: Path) -> Callable[[int], str]:
    """What generate.py does, except printing."""
    from kerasseq.on_device.model_file import Model
    from kerasseq.on_device.tokens import write_tokens

    model = Model(path)
    loop, shapes = model.signatures()["generate"], model.state_shapes()

    def write(count: int) -> str:
        last = ""
        for tokens in write_tokens(
            loop, shapes, [1], count, SEED, temperature=TEMPERATURE
        ):
            last = as_text(tokens)
        return last

    return write


def as_text(ids: Any) -> str:
    """The characters of the benchmark's vocabulary."""
    return "".join(chr(ord(PROMPT) - 1 + int(index)) for index in ids)


OPEN = {
    "saved_model": open_saved_model,
    "keras": open_keras,
    "torch": open_torch,
    "onnxruntime": open_onnxruntime,
    "tflite": open_tflite,
}


def main(arguments: list[str]) -> None:
    """Run one of the processes: `prepare`, `open` or `write`."""
    match arguments:
        case ["prepare", directory, cell, units, *missing]:
            prepare(Path(directory), cell, int(units), missing)
            print("done")
        case ["open", kind, path]:
            print(OPEN[kind](Path(path))(FIRST_CHARACTERS), flush=True)
        case ["write", kind, path, length]:
            write = OPEN[kind](Path(path))
            write(FIRST_CHARACTERS)
            start = time.perf_counter()
            write(int(length))
            print(time.perf_counter() - start)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
