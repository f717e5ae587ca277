"""What the configuration of a `.keras` file may make Keras build."""

import io
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import keras

from kerasseq.files.reading import check_expansion, shortened

OURS = ("keras", "kerasseq")
# What a configuration builds. Metrics of other kinds have variables of any size.
KINDS = (
    keras.Operation,  # layers and models too
    keras.DTypePolicy,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.losses.Loss,
    keras.metrics.Mean,
)
# Classes of Keras, with their subclasses, that run code or read files named in a
# configuration. All other classes only compute, as a test of all of them shows.
REFUSED = {
    **dict.fromkeys(("Lambda", "function", "__lambda__"), "is code"),
    **dict.fromkeys(("JaxLayer", "TorchModuleWrapper", "TFSMLayer"), "runs code"),
    **dict.fromkeys(("IndexLookup", "TextVectorization"), "reads other files"),
}
# Layers make arrays and lists of the sizes in a configuration. No memory is short of so
# many numbers, nor of so many in a shape; and these keys hold no sizes.
MOST_NUMBERS, MOST_IN_SHAPE = 2**18, 2**24
NO_SIZES = {"seed", "shared_object_id"}
# Values in a configuration that no class belongs to.
VALUES = {"__keras_tensor__", "__slice__", "__ellipsis__"}


def check_config(config: Any) -> None:
    """Check that a configuration makes Keras build only what is allowed.

    A configuration names classes by `class_name`, and what is registered with Keras by
    plain text too, so other packages' objects are looked for in all of its text.

    Args:
        config: the JSON value of a `config.json`.

    Raises:
        ValueError: it names code, files, or a class of another package.
    """
    for node in _dictionaries(config):
        for text in (*node, *_texts(node.values())):
            found = keras.saving.get_registered_object(text)
            if found is not None and _package(found) not in OURS:
                _refuse(text, _package(found))
        if "class_name" in node:
            _check_class(node)
        if node.get("unroll"):
            raise ValueError("it unrolls a loop, which can take any amount of memory")
        # An operation on constants alone would run while the model is built.
        for call in node.get("inbound_nodes") or ():
            read = {each.get("class_name") for each in _dictionaries(call)}
            if "__keras_tensor__" not in read:
                raise ValueError(f"{shortened(node.get('name'))} reads no other layer")


def _check_class(node: Mapping[str, Any]) -> None:
    """Check the class that Keras builds for a node, found by Keras's own rules.

    They are those of `deserialize_keras_object`: what is registered comes first, then
    what the module has.
    """
    name, module = node["class_name"], node.get("module")
    registered = node.get("registered_name") or name
    if not all(isinstance(text, str) for text in (name, module or "", registered)):
        _refuse(name, module)
    if name in VALUES:
        return
    found = keras.saving.get_registered_object(registered)
    if found is None and module and module.partition(".")[0] == "keras":
        found = getattr(sys.modules.get(module), name, None)
    for base in (name, *(each.__name__ for each in getattr(found, "__mro__", ()))):
        if base in REFUSED:
            raise ValueError(
                f"it holds a {shortened(name)}, which {REFUSED[base]}; models with "
                "code or files of their own are not loaded"
            )
    ours = isinstance(found, type) and _package(found) in OURS
    if not ours or not issubclass(found, KINDS):
        _refuse(name, module or registered)


def check_sizes(config: Mapping[str, Any], weights: bytes) -> None:
    """Check that weights are as large as their file, and the model as its weights.

    Args:
        config: of the model, checked by `check_config`.
        weights: the content of its HDF5 file.

    Raises:
        ValueError: an array claims to be larger than the file, or the model has many
            more weights than the file.
    """
    claimed = 0

    def add(_: str, item: Any) -> None:
        nonlocal claimed
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind not in "biuf":
                raise ValueError(f"an array of weights has the type {item.dtype}")
            claimed += item.nbytes

    with h5py.File(io.BytesIO(weights), "r") as file:
        file.visititems(add)
    check_expansion(claimed, len(weights))
    _check_numbers(_without_values(config), len(weights))
    check_expansion(count_bytes(config), len(weights))


def _check_numbers(value: Any, allowed: int) -> None:
    """Check all sizes and shapes in a JSON value.

    Args:
        value: of a configuration.
        allowed: a number that is never too large.
    """
    sizes = [value] if isinstance(value, int) else []
    most = max(MOST_NUMBERS, allowed)
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in NO_SIZES:
                _check_numbers(inner, allowed)
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(inner, allowed)
        sizes = [each for each in value if isinstance(each, int) and each]
        most = max(MOST_IN_SHAPE, allowed)
    if (size := math.prod(sizes)) > most:
        raise ValueError(f"it claims {size:,} numbers, of which its file holds fewer")


def count_bytes(config: Mapping[str, Any]) -> int:
    """The bytes of a model's weights and states in float32, of which none are made."""
    bare = _without_values(config)
    count = count_weights(lambda: keras.saving.deserialize_keras_object(bare))
    units = sum(
        each.get("units", 0)
        for node in _dictionaries(config)
        if node.get("stateful")
        for each in _dictionaries(node)
    )
    shapes = [
        node.get(key)
        for node in _dictionaries(config)
        for key in ("batch_shape", "build_config")
    ]
    # A recurrent layer has one state, or two, for each sequence of a batch.
    return 4 * (count + 2 * units * max(_numbers(shapes), default=1))


def count_weights(build: Callable[[], keras.Model]) -> int:
    """The number of a model's weights, of which none are made.

    Args:
        build: makes the model.
    """
    found: list[int] = []
    failure: list[BaseException] = []

    def count() -> None:
        try:
            # In this scope variables have shapes and no values.
            with keras.StatelessScope(initialize_variables=False):
                found.append(sum(math.prod(each.shape) for each in build().weights))
        except BaseException as error:
            failure.append(error)

    # Keras keeps a list of such variables for each thread, to make them later.
    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return found[0]


def _without_values(config: Any) -> Any:
    """A configuration without what holds values: optimizers and kept states."""
    if isinstance(config, list):
        return [_without_values(value) for value in config]
    if isinstance(config, dict):
        return {
            key: None
            if key in ("compile_config", "stateful")
            else _without_values(value)
            for key, value in config.items()
        }
    return config


def _numbers(value: Any) -> Iterator[int]:
    """All whole numbers in a JSON value."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries in a JSON value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _dictionaries(inner)


def _texts(values: Any) -> Iterator[str]:
    """The texts among values and in their lists, not in their dictionaries."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)


def _package(found: Any) -> str:
    return str(getattr(found, "__module__", "")).partition(".")[0]


def _refuse(name: Any, module: Any) -> None:
    raise ValueError(
        f"it asks for {shortened(name)} from {shortened(module)}; only layers of keras "
        "and kerasseq are loaded"
    )
