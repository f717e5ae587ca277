"""The reference documents every public name, and its links resolve."""

import importlib
import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import kerasseq

ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """The ids, link targets and code spans of an HTML page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.code, self._in_code = set(), set(), [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.add(attributes["id"])
        if tag == "a" and "href" in attributes:
            self.links.add(attributes["href"])
        if tag == "code":
            self._in_code = True
            self.code.append("")

    def handle_endtag(self, tag):
        self._in_code = self._in_code and tag != "code"

    def handle_data(self, data):
        if self._in_code:
            self.code[-1] += data


def own_methods(cls):
    """Public methods and properties that a class adds to those of its bases."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base)}
    for name, value in vars(cls).items():
        value = getattr(value, "__func__", value)  # class and static methods
        if inspect.isfunction(value) or isinstance(value, property):
            if not name.startswith("_") and name not in inherited:
                yield name, value


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    pytest.importorskip("pdoc", reason="the reference needs pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("reference")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "docs.reference", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    # pdoc warns of what it cannot resolve or render.
    assert "warn" not in result.stderr.lower().replace("warning: all log messages", "")
    return Page((folder / "kerasseq.html").read_text())


@pytest.mark.slow
def test_every_public_name_is_on_the_page(page):
    assert [name for name in kerasseq.__all__ if name not in page.ids] == []


@pytest.mark.slow
def test_links_resolve(page):
    """All links lead to an id of the page or to a web address."""
    links = {link for link in page.links if link.startswith("#")}
    assert len(links) > len(kerasseq.__all__)
    assert sorted(link for link in links if link[1:] not in page.ids) == []
    files = page.links - links - {link for link in page.links if "://" in link}
    assert files == set()


@pytest.mark.slow
def test_names_in_the_text_exist(page):
    """A dotted name of ours or of Keras in a docstring can be imported."""
    names = {
        name
        for code in page.code
        for name in re.findall(r"^(?:kerasseq|keras|tf)(?:\.\w+)+$", code)
    }
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


CLASSES = [
    name for name in kerasseq.__all__ if inspect.isclass(getattr(kerasseq, name))
]


@pytest.mark.parametrize("name", CLASSES)
def test_what_a_class_adds_to_its_bases_is_documented(name):
    methods = own_methods(getattr(kerasseq, name))
    assert [method for method, value in methods if not value.__doc__] == []
