"""Keras models in `.keras` files, loaded without running code from them."""

import json
import os
import pkgutil
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path

import keras

from kerasseq.files.keras_configs import check_config, check_sizes
from kerasseq.files.reading import (
    check_expansion,
    parse_json,
    shortened,
)
from kerasseq.files.writing import replacing
from kerasseq.on_device.archive import open_regular, open_zip, read_entry
from kerasseq.on_device.command import visible

MOST_SHOWN = 300  # characters of Keras's messages
# All that Keras writes to the file of a model.
MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]


def save_model(model: keras.Model, path: str | os.PathLike) -> Path:
    """Write a Keras model to a `.keras` file, whole or not at all.

    Example:
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=7, units=5))
        >>> print(save_model(model, "small.keras"))
        small.keras
    """
    with replacing(path) as beside:
        model.save(beside)
    return Path(path)


def load_model(path: str | os.PathLike, compile: bool = False) -> keras.Model:
    """Read a model from a `.keras` file without running code from the file.

    Only classes of Keras and of this package are allowed, none that holds code or reads
    other files, and only as many weights as the file has. All this is checked before
    anything is built. `keras.models.load_model` reads the same files without these
    checks, if `keras` was imported before this package: then Keras knows the classes of
    this package.

    Args:
        path: of the file.
        compile: also restore the optimizer and the loss, so that `fit` continues.

    Raises:
        ValueError: the file is missing, damaged or not a `.keras` file, it names
            another class, or its sizes do not fit its weights.

    Example:
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=7, units=5))
        >>> loaded = load_model(save_model(model, "small.keras"))
        >>> ids = np.array([[3, 1, 4]])
        >>> np.array_equal(loaded(ids), model(ids))
        True
    """
    path = Path(path)
    register_classes()
    try:
        with open_regular(path) as file, open_zip(file) as archive:
            members = archive.infolist()
            names = sorted(member.filename for member in members)
            if names != MEMBERS:
                raise ValueError(f"it holds {shortened(names)}, not {MEMBERS}")
            claimed = sum(member.file_size for member in members)
            check_expansion(claimed, os.fstat(file.fileno()).st_size)
            content = {each.filename: read_entry(archive, each) for each in members}
        config = parse_json(content["config.json"])
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; train a model first") from None
    except Exception as error:  # zipfile raises many kinds for flipped bits
        raise ValueError(
            f"{path} is not a whole .keras file ({error}); write it again"
        ) from None
    try:
        if not compile:
            config["compile_config"] = None
        check_config(config)
        check_sizes(config, content["model.weights.h5"])
        # Keras gets what was checked: the file itself may be another by now.
        content["config.json"] = json.dumps(config).encode()
        with tempfile.TemporaryDirectory() as folder:
            checked = Path(folder) / "model.keras"
            with zipfile.ZipFile(checked, "w") as archive:
                for name, data in content.items():
                    archive.writestr(name, data)
            return keras.models.load_model(checked, compile=compile, safe_mode=True)
    except Exception as error:  # a manipulated file can raise anything
        # Keras says the cause last, after configurations of any length.
        cause = str(error).rpartition("Exception encountered: ")[2].strip()
        line = visible(cause.partition("\n")[0][:MOST_SHOWN])
        raise ValueError(f"{path} cannot be loaded: {line}") from error


def register_classes() -> None:
    """Import all layers, models and optimizers, which makes them known to Keras.

    A file names its classes; Keras imports none itself but its own.
    """
    for folder in ("kerasseq.layers", "kerasseq.models"):
        for module in pkgutil.iter_modules(import_module(folder).__path__):
            import_module(f"{folder}.{module.name}")
    import_module("kerasseq.training.optimizers")
