"""Keras models in `.keras` files, loaded without running code from them."""

import json
import os
import pkgutil
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import keras

from kerasseq.files.writing import replacing


def save_model(model: keras.Model, path: str | os.PathLike) -> Path:
    """Write a Keras model to a `.keras` file, whole or not at all."""
    with replacing(path) as beside:
        model.save(beside)
    return Path(path)


def load_model(path: str | os.PathLike, compile: bool = False) -> keras.Model:
    """Read a model from a `.keras` file without running code from the file.

    Only classes of Keras and of this package are allowed, and no Lambda layers, whose
    code would be in the file. This is checked before anything is built.
    `keras.models.load_model` reads the same files without these checks, if `keras` was
    imported before this package: then Keras knows the classes of this package.

    Args:
        path: of the file.
        compile: also restore the optimizer and the loss, so that `fit` continues.

    Raises:
        ValueError: the file is missing, damaged or not a `.keras` file, or it names
            another class.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            config = json.loads(archive.read("config.json"))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; train a model first") from None
    except Exception as error:  # zipfile raises many kinds for flipped bits
        raise ValueError(
            f"{path} is not a whole .keras file ({error}); write it again"
        ) from None
    if damaged:
        raise ValueError(f"{path}: {damaged} is damaged; write the file again")
    _refuse_foreign_classes(config, path)
    register_classes()
    try:
        return keras.models.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:  # a manipulated file can raise anything
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def register_classes() -> None:
    """Import all layers, models and optimizers, which makes them known to Keras.

    A file names its classes; Keras imports none itself but its own.
    """
    for folder in ("kerasseq.layers", "kerasseq.models"):
        for module in pkgutil.iter_modules(import_module(folder).__path__):
            import_module(f"{folder}.{module.name}")
    import_module("kerasseq.training.optimizers")


def _refuse_foreign_classes(config: Any, path: Path) -> None:
    """Raise ValueError if a model's configuration names a class that is not allowed."""
    if isinstance(config, list):
        for value in config:
            _refuse_foreign_classes(value, path)
    elif isinstance(config, dict):
        for value in config.values():
            _refuse_foreign_classes(value, path)
        if "class_name" not in config:
            return
        module = str(config.get("module") or config.get("registered_name") or "keras")
        package = module.replace(">", ".").partition(".")[0]
        if package not in ("keras", "kerasseq", "builtins"):
            raise ValueError(
                f"{path} asks for {config['class_name']!r} from {module!r}; only "
                "layers of keras and kerasseq are loaded"
            )
        if config["class_name"] in ("Lambda", "function", "__lambda__"):
            raise ValueError(
                f"{path} holds a {config['class_name']!r}, which is code; models with "
                "code of their own are not loaded"
            )
