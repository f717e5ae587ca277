"""The parts of a training run by name, and the options that are for some of them."""

from collections.abc import Iterable

from kerasseq.runs.fields import one_of

PARTS = ("attention", "encoder", "char_rnn")
# Parts that run if their file is given, each with the option that names it.
PARTS_OF_FILES = {
    "next_word": "words",
    "tagger": "tags",
    "classifier": "labels",
    "translation": "pairs",
}
COLUMNS = {"tags_columns": "tags", "label_column": "labels", "text_column": "labels"}
# Parts that can start from a saved model.
FINE_TUNED = {"char_rnn", "next_word"}
ALL_PARTS = (*PARTS, *PARTS_OF_FILES)


def parts(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names of parts in running order, from names or comma-separated lists of them."""
    given = [names] if isinstance(names, str) else names
    split = [name.strip() for each in given for name in each.split(",")]
    for name in split:
        one_of(*ALL_PARTS)(name)
    return tuple(part for part in ALL_PARTS if part in split)
