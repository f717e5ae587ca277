"""The names that benchmarks import exist, since nothing else runs them."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    *(ROOT / "benchmarks").glob("*.py"),
    *(ROOT / "tests" / "fuzz").glob("*.py"),
]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_imports_resolve(path):
    missing = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("kerasseq"):
            module = importlib.import_module(node.module)
            missing += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if not hasattr(module, alias.name)
            ]
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("kerasseq"):
                    importlib.import_module(alias.name)
    assert missing == []
