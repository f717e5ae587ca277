"""What a training will take, said before it begins, or refused."""

import os
from collections.abc import Callable

import keras

from kerasseq.files.keras_configs import count_weights

# Float32 each: a weight, its gradient, and an optimizer's two moments.
BYTES_A_PARAMETER = 16
# A flatbuffer's offsets have 31 bits, and its weights at most four bytes each.
MOST_PARAMETERS = 2**29 - 2**20


def foresee(
    name: str, build: Callable[[], keras.Model], tables: int, smaller: str
) -> None:
    """Print what a training will take; refuse it if the machine has less.

    Args:
        name: of the model.
        build: makes the model; here it is called where no weights are made.
        tables: bytes of the largest arrays beside the weights.
        smaller: what to do about a training that takes too much.

    Raises:
        ValueError: the machine has less memory, or no `.tflite` file is large enough.
    """
    parameters = count_weights(build)
    needed = BYTES_A_PARAMETER * parameters + tables
    line = f"{name}: {parameters:,} parameters, training takes about {_size(needed)}"
    memory = physical_memory()
    if needed > memory:
        raise ValueError(f"{line}, and this machine has {_size(memory)}; {smaller}")
    if parameters > MOST_PARAMETERS:
        raise ValueError(
            f"{line}; a .tflite file has room for {MOST_PARAMETERS:,}; {smaller}"
        )
    print(f"{line} of memory")


def _size(count: float) -> str:
    if count < 2**30:
        return f"{count / 2**20:,.0f} MiB"
    return f"{count / 2**30:,.1f} GiB"


def physical_memory() -> float:
    """The machine's memory in bytes; infinite where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")
