"""Imports point one way: the table below is the shape, held against the sources."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Whom each module may import, of the project. A new module gets a line here, as short
# as it can be; `files` is the lowest leaf.
PACKAGE = {
    "files": set(),
    "text": {"files"},
    "progress": set(),
    "text_files": {"progress"},
    "text_cache": {"progress", "text"},
    "corpora": {"text", "text_cache", "text_files"},
    "attention": {"files"},
    "sampling": {"files"},
    "flatbuffer": set(),
    "convert": {"files", "flatbuffer"},
    "drawing": {"files"},
    "plots": {"drawing"},
    "text_plots": {"drawing"},
    "recurrent": set(),
    "checkpoint": {"files"},
    "words": {"files", "text_files"},
    "typed_words": {"files", "text", "words"},
    "kneser_ney": set(),
    "keystrokes": {"typed_words", "words"},
    "divergence": set(),
    "masked_words": {"words"},
    "attention_demo": {"attention", "files", "plots"},
    "transformer": {"attention", "files"},
    "generation": {"sampling"},
    "inference": {"generation", "recurrent"},
    "char_rnn": set(),
    "char_transformer": {"attention"},
    "decoder_inference": {"attention", "char_transformer", "generation"},
    "character_model": {
        "char_rnn",
        "char_transformer",
        "decoder_inference",
        "generation",
        "inference",
        "recurrent",
        "sampling",
        "text",
    },
    "next_word": {
        "character_model",
        "generation",
        "inference",
        "recurrent",
        "typed_words",
        "words",
    },
    "muon": set(),
    "training": {"checkpoint", "divergence", "files", "muon"},
    "streams": {
        "character_model",
        "checkpoint",
        "divergence",
        "text",
        "training",
    },
    "encoding": {"transformer", "words"},
    "labelled_sentences": {"text_files", "words"},
    "pooling": {"attention"},
    "classifier": {"attention", "files", "pooling", "transformer", "words"},
    "classifying": {"classifier", "words"},
    "scores": set(),
    "encoder_demo": {"files", "plots", "words"},
    "tagged_sentences": {"files", "text_files"},
    "tag_sequences": {"tagged_sentences"},
    "entity_scores": {"tagged_sentences"},
    "entity_page": {"entity_scores", "files", "tagged_sentences"},
    "tagger": {"attention", "files", "recurrent", "tagged_sentences", "words"},
    "tagging": {"tag_sequences", "tagger", "words"},
    "presets": set(),
    "command_line": {"char_rnn", "presets"},
}
EXPORT = {
    "report": set(),
    "device_command": set(),
    "variants": {"report", "on_device.generate"},
    "stepping": set(),
    "gate": {
        "device_command",
        "report",
        "stepping",
        "variants",
        "on_device.generate",
        "on_device.sampling",
    },
    "character_model": {"gate", "report", "variants"},
    "char_rnn": {"character_model", "report"},
    "char_transformer": {"character_model", "report"},
    "encoder": {"report", "variants", "on_device.generate", "on_device.show"},
    "next_word": {
        "report",
        "stepping",
        "variants",
        "on_device.generate",
        "on_device.suggest",
    },
    "tagger": {"report", "variants", "on_device.generate"},
    "classifier": {"report", "variants", "on_device.generate"},
    "on_device.generate": set(),
    "on_device.sampling": set(),
    "on_device.show": {"on_device.generate"},
    "on_device.suggest": {"on_device.generate"},
    "on_device.tag": {"on_device.generate"},
    "on_device.words": set(),
    "on_device.classify": {"on_device.generate", "on_device.words"},
    "on_device.web.serve": set(),
}
# Stories of train_all.py, each with the recipe that ends it.
TRAIN = {
    "attention": set(),
    "encoder": {"encoder"},
    "character_model": {"character_model"},
    "next_word": {"next_word"},
    "tagger": {"tagger"},
    "classifier": {"classifier"},
}
ON_DEVICE = {"numpy", "ai_edge_litert"}

PARTS = {f"kerasseq.{name}" for name in PACKAGE}
ALLOWED = (
    {"kerasseq": PARTS, "export": set(), "export.on_device": set(), "train": set()}
    | {
        f"kerasseq.{name}": {f"kerasseq.{other}" for other in others}
        for name, others in PACKAGE.items()
    }
    | {
        f"export.{name}": {f"export.{other}" for other in others}
        | (set() if name.startswith("on_device") else PARTS | {"kerasseq"})
        for name, others in EXPORT.items()
    }
    | {
        f"train.{name}": {f"export.{other}" for other in (*recipes, "report")}
        | PARTS
        | {"kerasseq"}
        for name, recipes in TRAIN.items()
    }
    | {
        "train_all": {"export.report"}
        | {f"kerasseq.{name}" for name in ("command_line", "files", "training")}
        | {f"train.{name}" for name in TRAIN}
    }
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path
    for path in (
        *sorted((ROOT / "kerasseq").rglob("*.py")),
        *sorted((ROOT / "export").rglob("*.py")),
        *sorted((ROOT / "train").rglob("*.py")),
        ROOT / "train_all.py",
    )
    if "node_modules" not in path.parts
}


def imported_names(source: str) -> set[str]:
    """Every name that a source imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the module's whole name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imports_of(name: str) -> set[str]:
    """What a module of the project imports, by whole names."""
    names = imported_names(SOURCES[name].read_text(encoding="utf-8"))
    if not name.startswith("export.on_device"):
        return names
    # Programs in one folder find one another by their bare names.
    return {
        f"export.on_device.{other}"
        if f"export.on_device.{other.partition('.')[0]}" in ALLOWED
        else other
        for other in names
    }


def project_modules(names: set[str]) -> set[str]:
    """The project's modules among names, each with the longest name that is one."""
    found = set()
    for name in names:
        while name and name not in ALLOWED:
            name = name.rpartition(".")[0]
        found |= {name} - {""}
    return found


def foreign_packages(names: set[str]) -> set[str]:
    packages = {name.partition(".")[0] for name in names}
    return (
        packages
        - {"kerasseq", "export", "train", "train_all"}
        - sys.stdlib_module_names
    )


def test_imports_are_found_wherever_they_stand():
    source = (
        "import kerasseq, numpy as np\n"
        "from kerasseq import text\n"
        "from kerasseq.files import write_file\n"
        "import export.on_device.generate\n"
        "if True:\n    def f():\n        import train_all\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        "import json.decoder\n"
    )
    names = imported_names(source)
    assert project_modules(names) == {
        "kerasseq",
        "kerasseq.text",
        "kerasseq.files",
        "export.on_device.generate",
        "train_all",
    }
    assert foreign_packages(names) == {"numpy", "ai_edge_litert"}
    with pytest.raises(AssertionError, match="whole name"):
        imported_names("from . import text")


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_what_the_table_allows(name):
    assert name in ALLOWED, (
        f"{name} is new: give it a line in the table of {Path(__file__).name}, with "
        "the modules that it may import"
    )
    wrong = sorted(project_modules(imports_of(name)) - ALLOWED[name])
    assert not wrong, (
        f"{name} imports {', '.join(wrong)}; it may import "
        f"{', '.join(sorted(ALLOWED[name])) or 'nothing of the project'}. Move what it "
        "needs downward, or hand it over as an argument"
    )


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_declared_dependencies(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.match(r"[\w.-]+", line)[0].replace("-", "_").lower()
        for line in project["dependencies"]
    }
    allowed = ON_DEVICE if name.startswith("export.on_device") else declared
    if name.startswith("export.on_device."):
        allowed = allowed | {"generate"}  # the file beside them
    found = foreign_packages(imports_of(name))
    assert found <= allowed, f"{name} imports {found - allowed}, which is not declared"


def test_the_table_has_no_circles():
    left = dict(ALLOWED)
    while free := [name for name in left if not left[name] & set(left)]:
        for name in free:
            del left[name]
    assert not left, f"{', '.join(left)} import one another, directly or not"


def test_the_package_re_exports_without_logic():
    tree = ast.parse(SOURCES["kerasseq"].read_text(encoding="utf-8"))
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    assert all(isinstance(node, kinds) for node in tree.body)


def test_only_the_package_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["setuptools"]["packages"] == ["kerasseq"]
