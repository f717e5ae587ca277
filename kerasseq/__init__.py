"""Small sequence models in Keras 3, from a text to one tested file for devices.

Names are loaded when they are first used, so that `import kerasseq` takes no time and
`kerasseq write` needs neither TensorFlow nor Keras. The stub `__init__.pyi` lists them,
for this module as for editors and type checkers (SPEC 1 of Scientific Python).
"""

# Some lines, and not the package lazy_loader, which is not on every device. Nothing is
# imported until a name is used: a command must prepare for Ctrl-C first.
import sys
from importlib import import_module

__version__ = "0.1.0"

_modules: dict[str, str | None] = {}


def __getattr__(name: str) -> object:
    if name == "__all__":
        return sorted(_read_stub())
    if name not in _read_stub():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(str(_modules[name])), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted(_read_stub())


def _read_stub() -> dict[str, str | None]:
    """The modules of the names that the stub lists."""
    if not _modules:
        import ast
        from pathlib import Path

        stub = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
        for node in ast.parse(stub).body:
            if isinstance(node, ast.ImportFrom):
                _modules.update({alias.name: node.module for alias in node.names})
    return _modules


if "keras" in sys.modules:
    # So that keras.models.load_model finds the classes that a file names.
    import_module("kerasseq.files.keras_models").register_classes()
