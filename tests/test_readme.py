"""The pages of the documentation: the example runs, and the links resolve."""

import re
import subprocess
from pathlib import Path

import pytest

from kerasseq.files.formats import FORMATS
from kerasseq.recipes import classifier, encoder, next_word, tagger, translation

pytestmark = pytest.mark.usefixtures("without_xla")

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (ROOT, ROOT / "docs", ROOT / "export", ROOT / "export" / "web")
    for path in folder.glob("*.md")
)
LINK = re.compile(r"(?:\]\(|src=\")([^)#\"]*)(?:#([^)\"]+))?[)\"]")


def without_code(text):
    return re.sub("^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """The anchors that GitHub gives the titles of a page."""
    titles = re.findall("^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


@pytest.mark.slow
def test_the_example_runs(capsys, tmp_path, monkeypatch):
    (example,) = re.findall("```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 12
    monkeypatch.chdir(tmp_path)
    # Other tests write all formats; the example reads this one.
    for name in set(FORMATS) - {"int8"}:
        monkeypatch.delitem(FORMATS, name)
    exec(compile(example, "README.md", "exec"), {})
    words = capsys.readouterr().out.split("\n")[-2].split()
    known = {"arc", "bee", "calm", "dune", "ember", "fig", "glow", "hush"}
    assert len(known & set(words)) >= 3


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page):
    links = LINK.findall(without_code((ROOT / page).read_text()))
    for link, anchor in links:
        if link.startswith("http"):
            continue
        path = (ROOT / page).parent / link if link else ROOT / page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path), f"{link}#{anchor}"


def test_the_readme_is_short_and_leads_to_every_page_of_docs():
    assert len(README.splitlines()) <= 135
    linked = {link for link, _ in LINK.findall(README)}
    pictures_and_pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pictures_and_pages <= linked


def test_every_picture_is_shown_and_small():
    text = "".join((ROOT / page).read_text() for page in PAGES)
    for path in (ROOT / "docs").glob("*.png"):
        assert path.name in text, path
        assert path.stat().st_size < 200_000, path
    assert (ROOT / "docs" / "page.png").stat().st_size < 150_000


def test_what_the_pages_run_exists():
    """Each `python -m NAME` and `python FILE` of the pages."""
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    modules = set(re.findall(r"python -m ((?:benchmarks|docs|export)\.\w+)", text))
    files = set(re.findall(r"python ((?:\w+/)*\w+\.py)", text))
    assert len(modules) >= 10
    names = {module.replace(".", "/") for module in modules}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names - {"export/MODEL"}:
        assert {f"{name}.py", f"{name}/__main__.py"} & set(tracked), name
    file_names = {path.rsplit("/", 1)[-1] for path in tracked}
    for file in files:
        assert file in (tracked if "/" in file else file_names), file


def test_the_limits_of_the_checks_are_those_of_the_code():
    page = (ROOT / "docs" / "measurements.md").read_text()
    table = page.split("## What each export checks")[1].split("\n\n")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    written = {name: [float(limit) for limit in limits] for name, *limits in rows}
    three = "float32", "float16", "int8"
    limits = {
        "held-out loss above": {name: FORMATS[name].loss for name in three},
        "bytes per parameter": {
            name: FORMATS[name].bytes_per_parameter for name in three
        },
        "bytes per row": {name: FORMATS[name].bytes_per_row for name in three},
        "hit rate": next_word.ALLOWED_HITS,
        "encoder": encoder.ALLOWED_DIFFERENCE,
        "classifier": classifier.ALLOWED_DIFFERENCE,
        "tagger": tagger.ALLOWED_FRACTION,
        "translator: root": translation.ALLOWED_DIFFERENCE,
        "translator: mean": translation.ALLOWED_LOSS,
    }
    for words, expected in limits.items():
        (found,) = [row for name, row in written.items() if words in name]
        assert found == [expected[name] for name in three], words
    int4, int8 = FORMATS["int4"], FORMATS["int8"]
    assert int4[:3] == int8[:3], "the page gives one column for both"
