"""A small file for each program, and what it is made from."""

from pathlib import Path

import keras
import pytest

from tests.support.device_files import build_models, build_modules, write_files


@pytest.fixture(scope="session")
def models() -> dict[str, keras.Model]:
    """A small model for each program, by its name."""
    return build_models()


@pytest.fixture(scope="session")
def modules(models) -> dict:
    """What each file is made from."""
    return build_modules(models)


@pytest.fixture(scope="session")
def files(models, modules, tmp_path_factory) -> dict[str, Path]:
    """A file for each program."""
    return write_files(models, modules, tmp_path_factory.mktemp("files"))
