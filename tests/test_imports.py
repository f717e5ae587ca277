"""Imports point one way: one row per folder, checked against the sources."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Which folders of the package each folder may import, apart from itself.
ARROWS = {
    "files": {"on_device"},
    "layers": set(),
    "on_device": set(),
    "text": {"files", "on_device"},
    "data": {"files", "text"},
    "models": {"layers", "text"},
    "training": {"data", "files", "layers", "models", "on_device"},
    "signatures": {"data", "layers", "models", "text"},
    "scores": {"data", "layers", "models", "signatures", "text", "training"},
    "pictures": {
        *("data", "files", "layers", "models", "on_device", "scores", "signatures"),
        "text",
    },
    "recipes": {
        *("data", "files", "models", "on_device", "scores", "signatures", "text"),
    },
    "runs": {
        *("data", "files", "layers", "models", "on_device", "pictures", "scores"),
        *("signatures", "text", "training"),
    },
}
EVERYTHING = set(ARROWS)
ON_DEVICE = {"numpy", "ai_edge_litert"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path
    for path in (
        *sorted((ROOT / "kerasseq").rglob("*.py")),
        *sorted((ROOT / "export").glob("*.py")),
        ROOT / "train_all.py",
    )
}


def folder_of(name: str) -> str:
    """The folder of a module of the package; "" for the modules that join them."""
    parts = name.split(".")
    return parts[1] if parts[0] == "kerasseq" and len(parts) > 1 else ""


def imported_names(source: str, package: str = "") -> set[str]:
    """Every name that a source file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # Only the programs that are copied to a device use relative imports.
            copied = node.level == 1 and package == "kerasseq.on_device"
            assert not node.level or copied, (
                f"line {node.lineno}: write the module's full name"
            )
            origin = f"{package}.{node.module}" if node.level else node.module
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return found


def imports_of(name: str) -> set[str]:
    """What a module of the project imports, by full names."""
    source = SOURCES[name].read_text(encoding="utf-8")
    return imported_names(source, name.rpartition(".")[0])


def project_modules(names: set[str]) -> set[str]:
    """The project's modules among names: each name's longest prefix that is one."""
    found = set()
    for name in names:
        while name and name not in SOURCES:
            name = name.rpartition(".")[0]
        found |= {name} - {""}
    return found


def foreign_packages(names: set[str]) -> set[str]:
    packages = {name.partition(".")[0] for name in names}
    return packages - {"kerasseq", "export", "train_all"} - sys.stdlib_module_names


def test_imports_are_found_anywhere_in_a_file():
    source = (
        "import kerasseq, numpy as np\n"
        "from kerasseq.text import words\n"
        "from kerasseq.files.writing import write_file\n"
        "if True:\n    def f():\n        import train_all\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        "import json.decoder\n"
    )
    names = imported_names(source)
    assert project_modules(names) == {
        "kerasseq",
        "kerasseq.text.words",
        "kerasseq.files.writing",
        "train_all",
    }
    assert foreign_packages(names) == {"numpy", "ai_edge_litert"}
    with pytest.raises(AssertionError, match="full name"):
        imported_names("from . import text")
    copied = imported_names("from .generate import Model", "kerasseq.on_device")
    assert project_modules(copied) == {"kerasseq.on_device.generate"}


@pytest.mark.parametrize("name", [name for name in SOURCES if folder_of(name)])
def test_a_module_imports_only_what_its_folder_may(name):
    folder = folder_of(name)
    if name.count(".") == 1 and SOURCES[name].name != "__init__.py":
        pytest.skip("it joins the folders")
    assert folder in ARROWS, f"{folder} is a new folder: give it a row in ARROWS"
    wrong = sorted(
        other
        for other in project_modules(imports_of(name))
        if folder_of(other) not in {folder, *ARROWS[folder]} and other != "kerasseq"
    )
    assert not wrong, (
        f"{name} imports {', '.join(wrong)}; what is in {folder} may import "
        f"{', '.join(sorted(ARROWS[folder])) or 'nothing of the project'}. Move what "
        "it needs downward, or hand it over as an argument"
    )


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_declared_dependencies(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.match(r"[\w.-]+", line)[0].replace("-", "_").lower()
        for line in project["dependencies"]
    }
    allowed = declared
    if folder_of(name) == "on_device":
        # The other programs of the folder, which are copied too.
        allowed = ON_DEVICE | {path.stem for path in SOURCES[name].parent.glob("*.py")}
    found = foreign_packages(imports_of(name))
    assert found <= allowed, f"{name} imports {found - allowed}, which is not declared"


def test_nothing_imports_in_a_circle():
    left = {name: project_modules(imports_of(name)) - {name} for name in SOURCES}
    while free := [name for name in left if not left[name] & set(left)]:
        for name in free:
            del left[name]
    assert not left, f"{', '.join(left)} import one another, directly or indirectly"
