"""The options of a training run, for the command line and for Python."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kerasseq.files.writing import plain_directory
from kerasseq.runs.fields import (
    about_data,
    about_samples,
    about_training,
    cell,
    ip,
    number,
    numbers,
    one_of,
    option_name,
    two_columns,
)
from kerasseq.runs.part_names import (
    ALL_PARTS,
    COLUMNS,
    FINE_TUNED,
    PARTS,
    PARTS_OF_FILES,
    parts,
)
from kerasseq.text.encodings import text_encoding
from kerasseq.training.presets import PRESETS


@dataclass(frozen=True)
class Options:
    """The options of a training run; `kerasseq train --help` explains each.

    Raises:
        ValueError: a value cannot be used; the message names the option.
    """

    corpus: str = about_data(
        "pydoc",
        "FILE|toy|pydoc",
        "Text of the character model, the same as TEXT: a file; toy, random "
        "words of known entropy; pydoc, the manual that every Python carries.",
    )
    sentences: str = about_data(
        "",
        "FILE",
        "Sentences of the encoder, one a line.",
        default_text="a grammar makes them up",
    )
    words: str = about_data("", "FILE", "Text of the next-word model. Adds next_word.")
    tags: str = about_data(
        "",
        "FILE",
        "Sentences of the tagger: a token first and its tag last on each line (BIO, "
        "IOB1, BIOES, BILOU, BMES), blank lines between sentences. Adds tagger.",
    )
    tags_columns: tuple[int, int] | None = about_data(
        None,
        "TOKEN,TAG",
        "Columns of the token and of its tag in --tags, counted from 1.",
        two_columns,
        default_text="the first and the last",
    )
    labels: str = about_data(
        "",
        "FILE",
        "Sentences of the classifier, one a line after its label and a tab; or CSV, or "
        "fastText's __label__x. Adds classifier.",
    )
    label_column: str = about_data("", "NAME|N", "Column of the label in --labels.")
    text_column: str = about_data("", "NAME|N", "Column of the sentence in --labels.")
    pairs: str = about_data(
        "",
        "FILE|dates|numbers|spellings",
        "Texts of the translator, each before a tab and its translation, one pair a "
        "line; dates, numbers and spellings are made up. Adds translation.",
    )
    encoding: str = about_data(
        "utf-8", "NAME", "Encoding of the given texts, such as cp1252.", text_encoding
    )
    out: Path = about_data("out", "DIR", "Folder for the files.", check=plain_directory)
    only: tuple[str, ...] = about_data(
        None,
        "PART,...",
        f"Some of {', '.join(ALL_PARTS)}.",
        parts,
        default_text=f"{', '.join(PARTS)}, and those whose file is given",
        choices=ALL_PARTS,
        repeatable=True,
    )
    preset: str = about_training(
        "default",
        "|".join(PRESETS),
        "fast is small; best takes a few minutes longer.",
        one_of(*PRESETS),
        choices=tuple(PRESETS),
    )
    quick: bool = about_training(
        False, "", "The same as --preset fast: everything in about a minute."
    )
    from_model: str = about_data(
        "",
        "MODEL.keras",
        "Start from a saved model of characters or words, with its sizes and the "
        "vocabulary.json in its folder.",
        name="--from",
    )
    strict: bool = about_data(
        False,
        "",
        "With --from, refuse a text with characters or words that the model lacks.",
    )
    resume: bool = about_training(False, "", "Continue the run in --out.")
    epochs: int | None = about_training(
        None,
        "N",
        "Passes over the text.",
        number(int, 1),
        default_text="follows from preset and text",
    )
    model: str | None = about_training(
        None,
        "rnn|transformer",
        "Kind of the character model.",
        one_of("rnn", "transformer"),
        choices=("rnn", "transformer"),
        default_text="rnn",
    )
    cell: Any = about_training(
        None,
        "NAME",
        "Cell of the recurrent character model, such as gru, lstm or simple_rnn.",
        cell,
        default_text="lstm for best, else gru",
    )
    units: int | None = about_training(
        None,
        "N",
        "Size of a recurrent layer or of a block.",
        number(int, 1),
        default_text="the preset's",
    )
    layers: int | None = about_training(
        None,
        "N",
        "Number of recurrent layers or blocks.",
        number(int, 1, 100),
        default_text="the preset's",
    )
    batch: int | None = about_training(
        None,
        "N",
        "Rows of a batch of the character model, on all machines together.",
        number(int, 1),
        default_text="32, or fewer for a short text",
    )
    dropout: float | None = about_training(
        None,
        "X",
        "Fraction of values dropped in training.",
        number(float, 0, 0.95),
        default_text="more for more passes over the text",
    )
    learning_rate: float | None = about_training(
        None,
        "X",
        "The highest learning rate, after the warm-up.",
        number(float, 0, 1),
        default_text="the preset's",
    )
    seed: int = about_training(
        0, "N", "Seed of weights, dropout and samples.", number(int, 0, 2**31 - 1)
    )
    page: bool = about_training(
        False, "", "Show the run in a page of the browser, and hold it from there."
    )
    host: str = about_training(
        "127.0.0.1",
        "ADDRESS",
        "Address of this machine where --page listens, 0.0.0.0 for all: others in the "
        "network, like your phone, can then see the run, stop it and read its models.",
        ip,
    )
    tensorboard: str = about_training(
        "", "DIR", "Write TensorBoard's logs to this folder."
    )
    prompt: str = about_samples(
        "\n", "TEXT", "Text to continue.", default_text="a newline"
    )
    length: int = about_samples(
        500, "N", "Number of characters.", number(int, 0, 10_000_000)
    )
    temperature: tuple[float, ...] | None = about_samples(
        None,
        "X",
        "0 gives the likeliest text, 1 the model's own distribution; repeatable.",
        numbers(number(float, 0)),
        default_text="0.5, 0.8 and 1.0",
        repeatable=True,
    )
    top_p: float = about_samples(
        1.0,
        "X",
        "Keep the likeliest characters up to this total probability; 1 keeps all.",
        number(float, 0, 1),
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None:
                continue
            try:
                self._set(each.name, each.metadata["check"](value))
            except ValueError as error:
                raise ValueError(f"{option_name(each)}: {error}") from None
        if self.quick:
            self._set("preset", "fast")
        given = {part: getattr(self, file) for part, file in PARTS_OF_FILES.items()}
        if self.only is None:
            self._set("only", (*PARTS, *(part for part in given if given[part])))
        for part, file in PARTS_OF_FILES.items():
            if part in self.only and not given[part]:
                raise ValueError(
                    f"the part {part} learns from a file: give --{file} FILE"
                )
            if given[part] and part not in self.only:
                raise ValueError(
                    f"--{file} is for the part {part}, which --only leaves out"
                )

        for option, file in COLUMNS.items():
            if getattr(self, option) and not getattr(self, file):
                raise ValueError(f"--{option.replace('_', '-')} is for --{file}")
        if self.from_model:
            for name in ("model", "cell", "units", "layers"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"--{name} cannot be given with --from: sizes are the model's"
                    )
            if len(FINE_TUNED.intersection(self.only)) != 1:
                raise ValueError(
                    "--from is the start of one model: give --only char_rnn or "
                    "--only next_word"
                )
        elif self.strict:
            raise ValueError("--strict is for --from")
        if self.host != "127.0.0.1" and not self.page:
            raise ValueError("--host is for --page")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the class is frozen for its users
