"""SavedModels, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasseq.files.writing import WriteError, plain_directory, replace_directory


def write_saved_model(
    module: tf.Module, path: str | os.PathLike, signatures: Mapping[str, Any]
) -> Path:
    """Write a SavedModel; the directory is replaced whole or stays as it was.

    Args:
        module: what tracks every variable that the signatures read.
        path: the directory.
        signatures: concrete functions by name.

    Raises:
        ValueError: it could not be loaded from there.
        WriteError: it cannot be written.
    """
    path = plain_directory(path)
    return replace_directory(path, lambda beside: save(module, beside, signatures))


def save(module: tf.Module, directory: Path, signatures: Mapping[str, Any]) -> None:
    """Write a SavedModel into an empty directory, possibly in part.

    Raises:
        WriteError: it cannot be written.
    """
    try:
        tf.saved_model.save(module, str(directory), dict(signatures))
    except tf.errors.OpError as error:
        # The message ends with that of the operating system.
        reason = error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise WriteError(directory, reason) from error
