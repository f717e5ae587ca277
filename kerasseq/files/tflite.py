"""TFLite files: conversion, and writing with a card and attachments."""

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from kerasseq.files.formats import FORMATS
from kerasseq.files.saved_model import save
from kerasseq.files.slim import slim
from kerasseq.files.writing import write_file

# ZIP needs a date; with a fixed one, equal models give equal files.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@runtime_checkable
class HasExactSignatures(Protocol):
    """A module with other signatures for formats that store matrices as integers."""

    def exact_signatures(self) -> Mapping[str, Any] | None:
        """They are alike on all processors; None if there are none."""
        ...


def convert(
    module: tf.Module, signatures: Mapping[str, Any], number_format: str = "float32"
) -> bytes:
    """Convert signatures to one flatbuffer; see `convert_all`."""
    ((_, flatbuffer),) = convert_all(module, signatures, [number_format])
    return flatbuffer


def convert_all(
    module: tf.Module, signatures: Mapping[str, Any], number_formats: Iterable[str]
) -> Iterator[tuple[str, bytes]]:
    """Convert signatures to TFLite flatbuffers of built-in operations only.

    Most of a conversion's time is spent on saving and loading, which is done once here.

    Args:
        module: what tracks every variable that the signatures read.
        signatures: concrete functions by name, of static shapes. The first one is what
            a runtime runs when it is asked for no signature. Formats of integers take
            the module's `exact_signatures` instead, if it has any.
        number_formats: how weights are stored, keys of `FORMATS`.

    Yields:
        Each format with its flatbuffer.

    Raises:
        ValueError: an operation has no built-in form; the message names it.
        WriteError: there is no room for temporary files.
    """
    for integers, group in groupby(number_formats, lambda each: FORMATS[each].integers):
        chosen = signatures
        if integers and isinstance(module, HasExactSignatures):
            chosen = module.exact_signatures() or signatures
        yield from _convert_all(module, chosen, group)


def _convert_all(
    module: tf.Module, signatures: Mapping[str, Any], number_formats: Iterable[str]
) -> Iterator[tuple[str, bytes]]:
    names = list(signatures)
    converted: dict[tuple, bytes] = {}
    with tempfile.TemporaryDirectory() as directory:
        save(module, Path(directory), signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=names
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        for number_format in number_formats:
            row = FORMATS[number_format]
            settings = row.quantize, row.types
            if settings not in converted:
                converted[settings] = slim(_convert(converter, names, *settings), names)
            flatbuffer = converted[settings]
            for step in row.steps:
                flatbuffer = step(flatbuffer)
            yield number_format, flatbuffer


def _convert(
    converter: Any, names: list[str], quantize: bool, types: tuple[tf.DType, ...]
) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if quantize else []
    converter.target_spec.supported_types = list(types)
    try:
        return converter.convert()
    except ConverterError as error:
        found = re.search("Select ops: (.*)", str(error))
        raise ValueError(
            f"{', '.join(names)} cannot be converted with TFLite's built-in operations "
            f"alone; in the way: {found[1] if found else error}"
        ) from error


def write_tflite(
    path: str | os.PathLike,
    flatbuffer: bytes,
    card: Mapping[str, Any],
    attachments: Mapping[str, str],
) -> Path:
    """Write a `.tflite` that carries its card and files, whole or not at all.

    Readers of a flatbuffer ignore what follows it, so the files follow it as a ZIP:
    the convention of TFLite metadata. The SHA-256 of the flatbuffer and of each
    attached file are added to the card, and the card's own is beside it.
    `on_device/model_file.py` reads such a file.

    Args:
        path: of the file.
        flatbuffer: the model.
        card: what a person should know about the model, as JSON values.
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
    text = json.dumps(card, indent=1) + "\n"
    line = f"{hashlib.sha256(text.encode()).hexdigest()}  card.json\n"
    texts = {"card.json": text, "card.sha256": line, **attachments}
    content = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return write_file(path, content.getvalue())
