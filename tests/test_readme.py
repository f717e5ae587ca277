"""The README's example runs as it stands, and what it links to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/measurements.md",
    "export/README.md",
)


def test_the_example_runs(capsys):
    (example,) = re.findall(
        "```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 12
    exec(compile(example, "README.md", "exec"), {})
    words = capsys.readouterr().out.split("\n")[-2].split()
    known = {"arc", "bee", "calm", "dune", "ember", "fig", "glow", "hush"}
    assert len(known & set(words)) >= 3


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    text = re.sub("```.*?```", "", text, flags=re.DOTALL)
    for link, place in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", text):
        if link.startswith("http"):
            continue
        path = (ROOT / page).parent / link
        assert path.exists(), link
        if place:
            titles = re.findall("^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert place in {title.lower().replace(" ", "-") for title in titles}
