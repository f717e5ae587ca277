"""Make the tables of characters: `python -m tests.support.make_unicode_ranges`.

It writes kerasseq/on_device/unicode_ranges.py and export/web/src/unicode_ranges.js, by
which a text is divided into words. The `regex` package knows the properties; Python's
own `unicodedata` has another version of Unicode in each version of Python.
"""

import textwrap
from pathlib import Path

import regex

UNICODE = "18.0"
ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "kerasseq/on_device/unicode_ranges.py"
JAVASCRIPT = ROOT / "export/web/src/unicode_ranges.js"
# What each table holds, and what a comment says of it.
MARKS = r"\p{M}\u200c\u200d\p{Emoji_Modifier}\U000e0020-\U000e007f"
PROPERTIES = {
    "SPACES": (r"\p{White_Space}", "White_Space."),
    "SIGNS": (
        rf"[\p{{P}}\p{{S}}--[{MARKS}]]",
        "Punctuation and symbols: the categories P and S, without MARKS.",
    ),
    "MARKS": (
        MARKS,
        "The category M, U+200C, U+200D, skin tones, and the tags of flags.",
    ),
    "INVISIBLE": (
        rf"[[\p{{Cf}}&&\p{{Default_Ignorable_Code_Point}}]--[{MARKS}]]",
        "The soft hyphen, U+200B, U+FEFF and others: Default_Ignorable_Code_Point of "
        "the category Cf, without MARKS.",
    ),
    "ENDS": (
        r"\p{Sentence_Terminal}\u2026",
        "Ends of sentences: Sentence_Terminal, and U+2026.",
    ),
}


def ranges(members: str) -> str:
    """The code points that a class matches, as "9-d 20-20 85-85" in hexadecimal."""
    matches = regex.compile(f"[{members}]", regex.V1).match
    found: list[list[int]] = []
    for point in range(0x110000):
        if matches(chr(point)):
            if found and found[-1][1] == point - 1:
                found[-1][1] = point
            else:
                found.append([point, point])
    return " ".join(f"{first:x}-{last:x}" for first, last in found)


def make() -> dict[Path, str]:
    """The texts of both files."""
    tables = {name: ranges(members) for name, (members, _) in PROPERTIES.items()}
    python = [
        f'"""Characters of Unicode {UNICODE} by their properties, made by a program.\n',
        "Each table lists the first and the last code point of ranges, in hexadecimal.",
        '"""',
    ]
    script = [
        f"// Characters of Unicode {UNICODE} by their properties, made by a program.",
        "// A table lists the first and the last code point of ranges, in hexadecimal.",
    ]
    for name, table in tables.items():
        about = PROPERTIES[name][1]
        python += [
            "",
            *textwrap.wrap(about, 86, initial_indent="# ", subsequent_indent="# "),
        ]
        script += [
            "",
            *textwrap.wrap(about, 86, initial_indent="// ", subsequent_indent="// "),
        ]
        lines = textwrap.wrap(table, 81, break_on_hyphens=False)
        spaced = [line + " " for line in lines[:-1]] + lines[-1:]
        python += [f"{name} = (", *(f'    "{line}"' for line in spaced), ")"]
        script += [f"export const {name} =", *(f'  "{line}" +' for line in spaced[:-1])]
        script.append(f'  "{spaced[-1]}";')
    return {PYTHON: "\n".join(python) + "\n", JAVASCRIPT: "\n".join(script) + "\n"}


if __name__ == "__main__":
    for path, text in make().items():
        path.write_text(text, encoding="utf-8")
