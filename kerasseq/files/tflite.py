"""The verbs of exporting: write a SavedModel or a `.tflite`, look inside, run it."""

import atexit
import contextlib
import functools
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import tensorflow as tf
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment, EnvironmentOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.options import CpuOptions, Options
from tensorflow.lite.python.convert import ConverterError

from kerasseq.files.flatbuffer import (
    quantize_recurrent_kernels,
    share_gathered_weights,
    slim,
)
from kerasseq.files.writing import WriteError, replace_directory, write_file

Quantization: TypeAlias = Literal["float32", "float16", "int8", "int4"]
Runtime: TypeAlias = Literal["interpreter", "compiled_model"]
Signature: TypeAlias = Callable[..., dict[str, np.ndarray]]

# ZIP wants a date; a fixed one keeps equal models equal files.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write_saved_model(
    module: tf.Module, path: str | os.PathLike, signatures: Mapping[str, Any]
) -> Path:
    """Write a SavedModel; the directory is replaced whole or stays as it was.

    Args:
        module: what tracks every variable that the signatures read.
        path: the directory.
        signatures: concrete functions by name.

    Raises:
        WriteError: it cannot be written.
    """
    return replace_directory(path, lambda beside: _save(module, beside, signatures))


def _save(module: tf.Module, directory: Path, signatures: Mapping[str, Any]) -> None:
    try:
        tf.saved_model.save(module, str(directory), dict(signatures))
    except tf.errors.OpError as error:
        # The last part is what the operating system said.
        said = error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise WriteError(directory, said) from error


def convert(
    module: tf.Module,
    signatures: Mapping[str, Any],
    quantization: Quantization = "float32",
) -> bytes:
    """Convert signatures to a TFLite flatbuffer of built-in operations alone.

    Args:
        module: what tracks every variable that the signatures read.
        signatures: concrete functions by name, of static shapes. The first is also
            what runs where a runtime is asked for no signature.
        quantization: how weights are stored: as they are, in half precision, in eight
            bits with a scale (dynamic range: what is computed stays float32), or the
            same with four bits for the matrices that multiply a state.

    Raises:
        ValueError: an operation has no built-in form; the message names it.
        WriteError: there is no room for temporary files.
    """
    with tempfile.TemporaryDirectory() as directory:
        _save(module, Path(directory), signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=list(signatures)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantization != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            flatbuffer = slim(converter.convert(), list(signatures))
        except ConverterError as error:
            found = re.search("Select ops: (.*)", str(error))
            raise ValueError(
                f"{', '.join(signatures)} cannot be converted with TFLite's built-in "
                f"operations alone; in the way: {found[1] if found else error}"
            ) from error
    if quantization in ("int8", "int4"):
        flatbuffer = share_gathered_weights(flatbuffer)
    if quantization == "int4":
        flatbuffer = quantize_recurrent_kernels(flatbuffer)
    return flatbuffer


def write_tflite(
    path: str | os.PathLike,
    flatbuffer: bytes,
    card: Mapping[str, Any],
    attachments: Mapping[str, str],
) -> Path:
    """Write a `.tflite` that carries its card and files, whole or not at all.

    A flatbuffer ignores what follows it, so the files follow it as a ZIP: the
    convention of TFLite metadata. The SHA-256 of the flatbuffer and of each further
    file are added to the card.

    Args:
        path: where the file is to be.
        flatbuffer: the model.
        card: what a person should know of the model, as JSON values.
        attachments: further files, as text by name.
    """
    card = {
        **card,
        "sha256": hashlib.sha256(flatbuffer).hexdigest(),
        "attachments": {
            name: hashlib.sha256(text.encode()).hexdigest()
            for name, text in attachments.items()
        },
    }
    texts = {"card.json": json.dumps(card, indent=1) + "\n", **attachments}
    content = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return write_file(path, content.getvalue())


def read_tflite(path: str | os.PathLike) -> tuple[bytes, dict[str, str]]:
    """Read a `.tflite` and what it carries, and check that no bit was flipped.

    Returns:
        The flatbuffer, and the attached files as text by name.

    Raises:
        ValueError: the file is missing, cut short, damaged or carries no card.
    """
    try:
        content = Path(path).read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            start = min(info.header_offset for info in archive.infolist())
            names = archive.namelist()
            attachments = {name: archive.read(name).decode() for name in names}
        card = json.loads(attachments["card.json"])
        expected, others = card["sha256"], card["attachments"]
        for name, wanted in others.items():
            if hashlib.sha256(attachments[name].encode()).hexdigest() != wanted:
                raise ValueError(f"{name} is not what the card says")
    except Exception as error:  # zipfile has many for flipped bits
        raise ValueError(
            f"{path} is not a whole .tflite of this project ({error}); export it again"
        ) from None
    flatbuffer = content[:start]
    found = hashlib.sha256(flatbuffer).hexdigest()
    if found != expected:
        raise ValueError(
            f"{path} is damaged: its model has SHA-256 {found}, its card says "
            f"{expected}; export or copy it again"
        )
    return flatbuffer, attachments


def open_signatures(
    flatbuffer: bytes, runtime: Runtime = "interpreter", num_threads: int = 1
) -> dict[str, Signature]:
    """The signatures of a flatbuffer as functions on arrays, by name.

    Args:
        flatbuffer: the model.
        runtime: LiteRT has two ways to run a model, and what works in the one can
            fail in silence in the other.
        num_threads: for matrix products.

    Returns:
        Functions from arrays by name to arrays by name.
    """
    if runtime == "interpreter":
        interpreter = Interpreter(model_content=flatbuffer, num_threads=num_threads)
        return {
            name: interpreter.get_signature_runner(name)
            for name in interpreter.get_signature_list()
        }
    options = Options(
        hardware_accelerators=HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=num_threads),
    )
    environment = _environment()
    with _quiet():
        model = CompiledModel.from_buffer(
            flatbuffer, environment=environment, options=options
        )
        return {name: _compiled(model, name) for name in model.get_signature_list()}


@functools.cache
def _environment() -> Environment:
    """One for all models of the process, since to make one takes time and lines."""
    with _quiet():
        environment = Environment.create(options=EnvironmentOptions())
    atexit.register(_close, environment)
    return environment


def _close(environment: Environment) -> None:
    _environment.cache_clear()
    with _quiet():
        environment.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what LiteRT prints while it looks for hardware; it has no log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _compiled(model: CompiledModel, name: str) -> Signature:
    inputs = {}
    for key, detail in model.get_input_tensor_details(name).items():
        inputs[key] = model.create_input_buffer_by_name(name, key)
        # The first thing written makes the runtime look for hardware once more.
        inputs[key].write(np.zeros(detail["shape"], detail["dtype"]))
    details = model.get_output_tensor_details(name)
    outputs = {key: model.create_output_buffer_by_name(name, key) for key in details}

    def run(**arrays: np.ndarray) -> dict[str, np.ndarray]:
        for key, buffer in inputs.items():
            buffer.write(np.ascontiguousarray(arrays[key]))
        model.run_by_name(name, inputs, outputs)
        return {
            key: buffer.read(
                int(np.prod(details[key]["shape"])), np.dtype(details[key]["dtype"])
            ).reshape(details[key]["shape"])
            for key, buffer in outputs.items()
        }

    return run
