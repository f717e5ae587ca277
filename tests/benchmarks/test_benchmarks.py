"""The names that benchmarks import exist, since nothing else runs them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    *(ROOT / "benchmarks").glob("*.py"),
    *(ROOT / "tests" / "fuzz").glob("*.py"),
]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_imports_resolve(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        if any(module.startswith("kerasseq") for module in modules):
            exec(ast.unparse(node), {})
