"""Copies of the programs for devices, for a machine without this package."""

from pathlib import Path

from kerasseq.files.writing import write_file

PROGRAMS = Path(__file__).resolve().parent / "on_device"
# The contract of the files: in the installed package, and in a checkout.
PAGES = (PROGRAMS / "README.md", PROGRAMS.parents[1] / "export" / "README.md")
# The server is of no use without the page.
LEFT_OUT = (
    *("__init__.py", "addresses.py", "page_files.py", "request.py", "serve.py"),
    "server.py",
)


def copy_runner(directory: Path) -> list[Path]:
    """Copy the programs for devices, and the contract of the files, into a folder.

    Args:
        directory: made if missing.

    Returns:
        The copies.

    Raises:
        ValueError: a file with the same name and another content exists.
        OSError: they cannot be written.
    """
    sources = {
        path.name: path
        for path in sorted(PROGRAMS.glob("*.py"))
        if path.name not in LEFT_OUT
    }
    sources["CONTRACT.md"] = next(path for path in PAGES if path.is_file())
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources.items()}
    for name, text in texts.items():
        there = directory / name
        if there.exists() and there.read_text("utf-8", "replace") != text:
            raise ValueError(
                f"{there} exists and differs from the program of this version; "
                "remove it first, or give another folder"
            )
    return [write_file(directory / name, text) for name, text in texts.items()]
