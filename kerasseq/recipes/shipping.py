"""A model's `.tflite` files, one for each kind of weights, checked where written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import kerasseq
from kerasseq.files.operators import list_operators
from kerasseq.files.report import Check, record, require
from kerasseq.files.tflite import Quantization, convert, write_tflite
from kerasseq.on_device.generate import CONTRACT_VERSION, Model

VARIANTS: tuple[Quantization, ...] = ("float32", "float16", "int8")
# Four bits are too few for some models; the others are the product.
MAY_FAIL: Quantization = "int4"


def write_variants(
    stem: Path,
    module: tf.Module,
    signatures: Mapping[str, Any],
    card: Mapping[str, Any],
    vocabulary: str,
    check: Callable[[Path, Quantization], tuple[dict[str, Any], list[Check]]],
    variants: Sequence[Quantization] = VARIANTS,
) -> tuple[dict[str, Any], list[Check]]:
    """Convert a model with each kind of weights, write and check the files.

    A file of int4 that does not keep its promises is removed again.

    Args:
        stem: path of the files, to which the kind of weights is added.
        module: owns the weights.
        signatures: of the files.
        card: what they say of themselves.
        vocabulary: JSON that they carry.
        check: gives what it measured of a file, and the checks.
        variants: the kinds of weights.

    Returns:
        What was measured, for the report, and the checks of the files that are kept.
    """
    files, operations, checks, dropped = {}, {}, [], {}
    for quantization in variants:
        path = write_tflite(
            stem.with_name(f"{stem.name}_{quantization}.tflite"),
            convert(module, signatures, quantization),
            {**card, "weights": quantization},
            {"vocabulary.json": vocabulary},
        )
        figures, more = check(path, quantization)
        failed = {check.promise: check.value for check in more if not check.passed}
        if failed and quantization == MAY_FAIL:
            path.unlink()
            dropped = {f"why there is no {quantization} file": failed}
            continue
        operations[path.name] = figures.pop("operations")
        files[path.name] = figures
        checks += more
    return {"files": files, "operations": operations, **dropped}, checks


def conclude(
    directory: str | Path, key: str, figures: dict[str, Any], checks: Sequence[Check]
) -> dict[str, Any]:
    """Record what was measured and checked.

    Returns:
        The section of the report.

    Raises:
        ChecksFailed: a file does not keep its promises; the message says which.
    """
    section = {**figures, "checks": [check.row() for check in checks]}
    record(directory, key, section)
    require(checks)
    return section


def file_figures(
    path: Path, device: Model, parameters: int
) -> tuple[dict[str, Any], list[Check]]:
    """What holds of any file: its size, its operations, and that all are built in."""
    operators = list_operators(device.flatbuffer)
    custom = [name for name in operators if name.startswith("CUSTOM")]
    figures = {
        "bytes": path.stat().st_size,
        "bytes a parameter": len(device.flatbuffer) / parameters,
        "operations": ", ".join(operators),
    }
    return figures, [Check(path.name, "operations not built in", custom, expected=[])]


def about(kind: str, model: keras.Model) -> dict[str, Any]:
    """What the card of any model says."""
    return {
        "contract": CONTRACT_VERSION,
        "kind": kind,
        "parameters": model.count_params(),
        "versions": {
            "kerasseq": kerasseq.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
        "licence": "the model is its maker's; check the rights to the text it learned",
    }
