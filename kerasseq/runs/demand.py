"""What a training will take, said before it begins, or refused."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from kerasseq.files.keras_configs import count_weights

# Float32 each: a weight, its gradient, and an optimizer's two moments.
BYTES_A_PARAMETER = 16
# A flatbuffer's offsets have 31 bits, and its weights at most four bytes each.
MOST_PARAMETERS = 2**29 - 2**20


def foresee(
    name: str, build: Callable[[], keras.Model], tables: int, smaller: str
) -> None:
    """Print what a training will take; refuse it if it may not have as much.

    Counted are weights, their gradients and the optimizer's moments, and the largest
    arrays beside them. Left out are TensorFlow itself, and what layers keep for the
    backward pass, which only XLA decides.

    Args:
        name: of the model.
        build: makes the model; here it is called where no weights are made.
        tables: bytes of the largest arrays beside the weights.
        smaller: what to do about a training that takes too much.

    Raises:
        ValueError: there is less memory, or no `.tflite` file is large enough.
    """
    parameters = count_weights(build)
    needed = BYTES_A_PARAMETER * parameters + tables
    line = f"{name}: {parameters:,} parameters, training takes at least {_size(needed)}"
    memory = usable_memory()
    if needed > memory:
        raise ValueError(f"{line}, and it may use {_size(memory)} here; {smaller}")
    if parameters > MOST_PARAMETERS:
        raise ValueError(
            f"{line}; a .tflite file has room for {MOST_PARAMETERS:,}; {smaller}"
        )
    print(f"{line} of memory")


def _size(count: float) -> str:
    if count < 2**30:
        return f"{count / 2**20:,.0f} MiB"
    return f"{count / 2**30:,.1f} GiB"


def usable_memory(root: Path = Path("/")) -> float:
    """The memory in bytes that this process may use; infinite where nothing says.

    It is the machine's, or what a container may use of it: the least limit of the
    control groups that the process is in, which are folders in each other.

    Args:
        root: of the file system, which a test can make.

    References:
        https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max;
        https://docs.kernel.org/admin-guide/cgroup-v1/memory.html,
        memory.limit_in_bytes.
    """
    limits = [float("inf"), *_limits(root)]
    with contextlib.suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits)


def _limits(root: Path) -> Iterator[int]:
    """The limits of the groups that the process is in, in both versions of groups."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # another system than Linux
        return
    for line in lines:  # such as 4:memory:/docker/1f or 0::/user.slice
        _, controllers, path = line.split(":", 2)
        files = []
        if not controllers:
            files = ["memory.max", "unified/memory.max"]
        elif "memory" in controllers.split(","):
            files = ["memory/memory.limit_in_bytes"]
        for file in files:
            mount, _, name = file.rpartition("/")
            group = Path(path.strip("/"))
            for folder in (group, *group.parents):
                # "max", or a group that is not visible in a container.
                with contextlib.suppress(OSError, ValueError):
                    yield int(
                        (root / "sys/fs/cgroup" / mount / folder / name).read_text()
                    )
