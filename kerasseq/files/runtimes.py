"""LiteRT's two runtimes, as functions on arrays."""

import atexit
import functools
import threading
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment, EnvironmentOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.options import CpuOptions, Options

from kerasseq.on_device.command import native_silence

Runtime: TypeAlias = Literal["interpreter", "compiled_model"]


Signature: TypeAlias = Callable[..., dict[str, np.ndarray]]


def open_signatures(
    flatbuffer: bytes, runtime: Runtime = "interpreter", num_threads: int = 1
) -> dict[str, Signature]:
    """The signatures of a flatbuffer as functions on arrays, by name.

    Args:
        flatbuffer: the model.
        runtime: one of LiteRT's two ways to run a model; one that works in the first
            can silently fail in the second.
        num_threads: for matrix products.

    Returns:
        Functions from arrays by name to arrays by name. Threads that call them take
        turns.
    """
    lock = threading.Lock()
    if runtime == "interpreter":
        interpreter = Interpreter(model_content=flatbuffer, num_threads=num_threads)
        return {
            name: _in_turn(interpreter.get_signature_runner(name), lock)
            for name in interpreter.get_signature_list()
        }
    options = Options(
        hardware_accelerators=HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=num_threads),
    )
    environment = _environment()
    with native_silence():
        model = CompiledModel.from_buffer(
            flatbuffer, environment=environment, options=options
        )
        return {
            name: _in_turn(_compiled(model, name), lock)
            for name in model.get_signature_list()
        }


def _in_turn(run: Signature, lock: threading.Lock) -> Signature:
    """A signature that shares its model's memory with others, as a safe function."""

    def call(**arrays: np.ndarray) -> dict[str, np.ndarray]:
        with lock:
            return run(**arrays)

    return call


@functools.cache
def _environment() -> Environment:
    """One for all models of the process, since making one takes time and prints."""
    with native_silence():
        environment = Environment.create(options=EnvironmentOptions())
    atexit.register(_close, environment)
    return environment


def _close(environment: Environment) -> None:
    _environment.cache_clear()
    with native_silence():
        environment.close()


def _compiled(model: CompiledModel, name: str) -> Signature:
    inputs = {}
    for key, detail in model.get_input_tensor_details(name).items():
        inputs[key] = model.create_input_buffer_by_name(name, key)
        # The first write makes the runtime look for hardware again.
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
