"""Small sequence models in Keras 3, from a text to one tested file for devices.

Names are loaded when they are first used, so that `import kerasseq` takes no time and
`kerasseq write` needs neither TensorFlow nor Keras. The stub `__init__.pyi` lists them,
for this module as for editors and type checkers (SPEC 1 of Scientific Python).
"""

# A dozen lines, and not the package lazy_loader, which is not on every device.
import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_STUB = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
_MODULES = {
    alias.name: node.module
    for node in _STUB.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return __all__


if "keras" in sys.modules:
    # So that keras.models.load_model finds the classes that a file names.
    import_module("kerasseq.files.keras_models").register_classes()
