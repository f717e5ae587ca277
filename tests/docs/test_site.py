"""The site holds all lessons and names, its links resolve, and all examples run."""

import doctest
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasseq
from docs.conf import LESSONS

ROOT = Path(__file__).parents[2]
PUBLIC = {name: getattr(kerasseq, name) for name in kerasseq.__all__}
CLASSES = [name for name, value in PUBLIC.items() if inspect.isclass(value)]


class Page(HTMLParser):
    """The ids of an HTML page, its links, and what a browser fetches to show it."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.fetched = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[name] for name in ("id", "name") if name in attributes}
        if tag == "a":
            self.links.add(attributes.get("href", ""))
        elif tag == "link" and "stylesheet" not in attributes["rel"]:
            pass  # a browser does not follow it
        else:
            sources = attributes.get("srcset", "").split()[::2]
            sources += [attributes.get(name) for name in ("src", "href", "data")]
            self.fetched |= {source for source in sources if source}


def broken_links(folder):
    """Links of the pages in a folder to files or ids that are not there."""
    pages = {path: Page(path) for path in folder.rglob("*.html")}
    broken = set()
    for path, page in pages.items():
        for link in page.links | page.fetched:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            target = path if not parts.path else path.parent / unquote(parts.path)
            target = target.resolve()
            ids = pages[target].ids if target in pages else set()
            if not target.exists() or unquote(parts.fragment) not in ids | {""}:
                broken.add((path.name, link))
    return broken


def fetched_from_elsewhere(folder):
    """Pages and style sheets in a folder that load something from another machine."""
    pages = {
        (path.name, source)
        for path in folder.rglob("*.html")
        for source in Page(path).fetched
        if urlsplit(source).netloc
    }
    return pages | {
        (path.name, match)
        for path in folder.rglob("*.css")
        for match in re.findall(
            r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^)\"']+)",
            path.read_text(encoding="utf-8"),
        )
    }


def test_what_is_broken_or_fetched_is_found(tmp_path):
    page = '<a href="b.html"></a><a href="#no"></a><img src="//x.org/i"><p id="yes">'
    (tmp_path / "a.html").write_text(page + '<a href="#yes"></a><a href="https://x">')
    (tmp_path / "a.css").write_text('@import "https://x.org/a.css"; p {a: url(i.png)}')
    assert broken_links(tmp_path) == {("a.html", "b.html"), ("a.html", "#no")} | {
        ("a.html", "//x.org/i")
    }
    assert fetched_from_elsewhere(tmp_path) == {
        ("a.html", "//x.org/i"),
        ("a.css", "https://x.org/a.css"),
    }


# One test for one build: each of several would build it in its own process.
@pytest.mark.slow
def test_the_site(tmp_path):
    """The build has no warning, and its pages hold what they should."""
    pytest.importorskip("sphinx", reason="the site needs pip install -e '.[docs]'")
    from sphinx.util.inventory import InventoryFile

    source, folder = tmp_path / "source", tmp_path / "site"
    # Built lessons, also of other versions, may lie in the checkout.
    left_out = "node_modules", "dist", "lessons"
    source.mkdir()
    for name in ("docs", "export", "kerasseq"):
        ignored = shutil.ignore_patterns(*left_out, "__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    shutil.copytree(ROOT / "lessons", source / "lessons")
    for path in (*ROOT.glob("*.md"), ROOT / "train_all.py"):
        shutil.copy(path, source)
    command = "-m", "sphinx", "-W", "--keep-going", "-c", "docs", ".", str(folder)
    result = subprocess.run(
        [sys.executable, *command],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-10000:]

    with (folder / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda *parts: "/".join(parts))
    names = {
        name for kind in inventory if kind[:3] == "py:" for name in inventory[kind]
    }
    assert [name for name in PUBLIC if f"kerasseq.{name}" not in names] == []

    assert broken_links(folder) == set()
    assert fetched_from_elsewhere(folder) == set()

    assert sorted(LESSONS) == sorted(
        path.stem for path in (ROOT / "lessons").glob("*.py")
    )
    for lesson in LESSONS:
        page = (folder / "docs" / "lessons" / f"{lesson}.html").read_text()
        assert f"{lesson}.ipynb" in page and f"sphx_glr_{lesson}_001.png" in page
    index = (folder / "docs" / "lessons" / "index.html").read_text()
    assert list(dict.fromkeys(re.findall(r'href="(\w+)\.html"', index))) == LESSONS
    sections = (folder / "docs" / "questions.html").read_text().split("<h2")[1:]
    assert len(sections) == 18
    unanswered = [
        number
        for number, section in enumerate(sections, 1)
        if "lessons/" not in section or "<img" not in section
    ]
    assert unanswered == []

    # The search needs no server: its index is a script.
    index = (folder / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(") and "softmax" in index


def examples(name):
    """The examples of a public name and of its methods."""
    names = {**PUBLIC, "keras": keras, "np": np, "tf": tf}
    found = doctest.DocTestFinder().find(PUBLIC[name], name, globs=names)
    return [test for test in found if test.examples]


class Checker(doctest.OutputChecker):
    """Lets an example print where the docstring shows no output."""

    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)


def test_every_public_name_has_an_example():
    named = {test.name for name in PUBLIC for test in examples(name)}
    assert sorted(set(PUBLIC) - named) == []


# That of `export` runs in the tests of the recipes, and that of `open_tflite`, which
# needs a file, in those of the programs.
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(PUBLIC) - {"export", "open_tflite"}))
def test_the_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = []
    for test in examples(name):
        doctest.DocTestRunner(Checker()).run(test, out=output.append)
    assert "".join(output) == ""


def test_names_in_docstrings_exist():
    """A dotted name of ours or of Keras between backticks can be imported."""
    texts = [value.__doc__ for value in PUBLIC.values()]
    texts += [value.__doc__ or "" for name in CLASSES for _, value in methods(name)]
    pattern = r"`((?:kerasseq|keras|tf)(?:\.\w+)+)`"
    names = {name for text in texts for name in re.findall(pattern, text)}
    assert "keras.layers.MultiHeadAttention" in names
    assert [name for name in sorted(names) if not exists(name)] == []


def exists(name):
    module, *attributes = name.replace("tf.", "tensorflow.").split(".")
    found = importlib.import_module(module)
    for attribute in attributes:
        module += f".{attribute}"
        try:
            found = getattr(found, attribute)
        except AttributeError:
            try:
                found = importlib.import_module(module)
            except ImportError:
                return False
    return True


def methods(name):
    """Public methods and properties that a class adds to those of its bases."""
    cls = PUBLIC[name]
    inherited = {name for base in cls.__mro__[1:] for name in vars(base)}
    for name, value in vars(cls).items():
        value = getattr(value, "__func__", value)  # class and static methods
        if inspect.isfunction(value) or isinstance(value, property):
            if not name.startswith("_") and name not in inherited:
                yield name, value


@pytest.mark.parametrize("name", CLASSES)
def test_what_a_class_adds_to_its_bases_is_documented(name):
    assert [method for method, value in methods(name) if not value.__doc__] == []
