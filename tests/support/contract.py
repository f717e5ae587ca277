"""What export/README.md promises of a card."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "export" / "README.md"
BUILT_OF = {"cell": "recurrent layers", "context": "Transformer blocks"}


def promised(card: dict[str, Any]) -> set[str]:
    """The entries that the page's table has for a card of this kind."""
    kind = card["kind"]
    built_of = {f"{kind} of {BUILT_OF[name]}" for name in BUILT_OF if name in card}
    kinds = {"all", kind, *built_of}
    entries: set[str] = set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().split("|")[1:-1]]
        if len(cells) == 3 and kinds & set(re.split(", ", cells[1])):
            entries |= set(re.findall("`([a-z0-9_]+)`", cells[0]))
    return entries


def check_card(card: dict[str, Any]) -> None:
    """A card of a run has what the page promises, all of it known, and nothing else."""
    assert set(card) == promised(card)
    assert len(card) > 12, "the table was found"
    assert not [name for name, value in card.items() if value is None]
    assert re.fullmatch("[0-9a-f]{64}", card["corpus_sha256"])
