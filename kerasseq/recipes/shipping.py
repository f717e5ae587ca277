"""The skeleton of every recipe: a model's files, each checked where it is written."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import keras
import tensorflow as tf

import kerasseq
from kerasseq.files.formats import FORMATS
from kerasseq.files.report import Check, record, require
from kerasseq.files.runtimes import Runtime, Signature, open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import convert_all, write_tflite
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.operators import list_operators
from kerasseq.text.progress import Bar

LARGE = (
    "it answers as it should, but takes more room than its weights need: use it where "
    "there is room, or make a smaller model, and report it with report.json"
)
NOT_BUILT_IN = (
    "only a runtime with TensorFlow's own operations opens it: build the model of "
    "layers that kerasseq uses, or report it with report.json"
)


class OpenFile(NamedTuple):
    """A `.tflite` file, opened once in each of LiteRT's two runtimes.

    Attributes:
        name: of the file.
        path: of the file.
        number_format: how its weights are stored, a key of `FORMATS`.
        model: its card, its vocabulary and its flatbuffer.
        runtimes: for each runtime the file's signatures by name.
    """

    name: str
    path: Path
    number_format: str
    model: Model
    runtimes: dict[Runtime, dict[str, Signature]]


# Measurements by name, and checks.
Measured = tuple[dict[str, Any], list[Check]]


def ship(
    stem: Path,
    model: keras.Model,
    vocabulary: str,
    card: Mapping[str, Any],
    figures: Mapping[str, Any],
    *,
    on_text: tf.Module,
    text_signatures: Mapping[str, Any],
    on_ids: tf.Module,
    device_signatures: Mapping[str, Any],
    formats: Iterable[str],
    check_saved_model: Callable[[Any], list[Check]],
    check_file: Callable[[OpenFile], Measured],
) -> Measured:
    """Write a model's SavedModel and `.tflite` files, and check each of them.

    Args:
        stem: path of the `.tflite` files without format and suffix; the folder
            saved_model is beside them.
        model: the Keras model.
        vocabulary: JSON that the files carry.
        card: the files' description of the model.
        figures: measurements of the Keras model, for the report.
        on_text: owns the weights of the SavedModel.
        text_signatures: of the SavedModel.
        on_ids: owns the weights of the `.tflite` files.
        device_signatures: of the `.tflite` files.
        formats: of the weights, keys of `FORMATS`; one file each.
        check_saved_model: returns the checks of the SavedModel, loaded again.
        check_file: returns measurements by name and the checks of a file.

    Returns:
        Measurements for the report, and the checks of the files that are kept.
    """
    formats = list(formats)
    files, operations, dropped = {}, {}, {}
    with Bar(total=2 + 2 * len(formats), title=f"exporting {stem.name}") as bar:
        saved = write_saved_model(on_text, stem.parent / "saved_model", text_signatures)
        bar.update()
        checks = check_saved_model(tf.saved_model.load(str(saved)))
        bar.update()
        converted = convert_all(on_ids, device_signatures, formats)
        for number_format, flatbuffer in converted:
            bar.update()
            path = write_tflite(
                stem.with_name(f"{stem.name}_{number_format}.tflite"),
                flatbuffer,
                {**card, "weights": number_format},
                {"vocabulary.json": vocabulary},
            )
            file = open_file(path, number_format)
            measured, more = check_file(file)
            bar.update()
            operators = list_operators(file.model.flatbuffer)
            custom = [name for name in operators if name.startswith("CUSTOM")]
            more.append(
                Check(
                    path.name,
                    "operations not built in",
                    custom,
                    expected=[],
                    if_failed=NOT_BUILT_IN,
                )
            )
            failed = {check.promise: check.value for check in more if not check.passed}
            if failed and FORMATS[number_format].optional:
                path.unlink()
                dropped[f"why there is no {number_format} file"] = failed
                continue
            files[path.name] = {
                "bytes": path.stat().st_size,
                "bytes a parameter": (
                    len(file.model.flatbuffer) / model.count_params()
                ),
                **measured,
            }
            operations[path.name] = ", ".join(operators)
            checks += more
    figures = {"parameters": model.count_params(), **figures}
    return {**figures, "files": files, "operations": operations, **dropped}, checks


def open_file(path: Path, number_format: str) -> OpenFile:
    """Open a `.tflite` file in both runtimes."""
    model = Model(path)
    model.tensors()  # refuses what the programs would refuse
    runtimes = {
        runtime: open_signatures(model.flatbuffer, runtime)
        for runtime in get_args(Runtime)
    }
    return OpenFile(path.name, path, number_format, model, runtimes)


def check_size(file: OpenFile, model: keras.Model, graph_bytes: int) -> Check:
    """A file is no larger than its weights and its graph need."""
    row = FORMATS[file.number_format]
    # Of a matrix or its transpose, whichever has more rows.
    rows = sum(max(each.shape) for each in model.weights if len(each.shape) > 1)
    weights = row.bytes_per_parameter * model.count_params() + row.bytes_per_row * rows
    limit = weights + graph_bytes
    size = len(file.model.flatbuffer)
    return Check(file.name, "bytes of the model", size, limit, if_failed=LARGE)


def conclude(
    directory: str | os.PathLike,
    key: str,
    figures: dict[str, Any],
    checks: Sequence[Check],
) -> dict[str, Any]:
    """Record measurements and checks, and return the section of the report.

    Raises:
        ChecksFailed: a file fails its checks; the message says which.
    """
    section = {**figures, "checks": [check.row() for check in checks]}
    record(directory, key, section)
    require(checks)
    return section


def about(kind: str, model: keras.Model, training: Mapping[str, Any]) -> dict[str, Any]:
    """The common entries of all models' cards.

    Args:
        kind: of model, one of `card.KINDS`.
        model: the Keras model.
        training: the report's section on its training.
    """
    return {
        "contract": CONTRACT_VERSION,
        "kind": kind,
        "corpus": training.get("corpus"),
        "corpus_sha256": training.get("corpus SHA-256"),
        "parameters": model.count_params(),
        "versions": {
            "kerasseq": kerasseq.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
        "licence": "the model is its maker's; check the rights to the text it learned",
    }
