"""Fine-tuning: a saved model's weights and vocabulary, and the words a text adds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasseq.data.streams import BLOCK
from kerasseq.files.hashes import unchanged
from kerasseq.files.keras_models import load_model
from kerasseq.models.forms import check_form
from kerasseq.on_device.command import visible
from kerasseq.runs.options import Options
from kerasseq.text.characters import Vocabulary
from kerasseq.text.corpus import Corpus
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.words import UNKNOWN

MOST_NAMED = 10


class Start(NamedTuple):
    """A saved model that training starts from.

    Attributes:
        path: of its `.keras` file.
        sha256: of that file, in hexadecimal.
        model: read from the file.
        vocabulary: read from the `vocabulary.json` in the same folder.
    """

    path: Path
    sha256: str
    model: keras.Model
    vocabulary: Any

    def describe(self) -> dict[str, str]:
        """The report's rows on the model."""
        return {
            "starting model": visible(str(self.path)),
            "SHA-256 of the starting model": self.sha256,
        }


def load_start(
    options: Options, kinds: Sequence[str], vocabulary: type[Any]
) -> Start | None:
    """The model that `--from` names, or None without the option.

    Args:
        options: of the run.
        kinds: names of the models that this run can start from.
        vocabulary: the class of their vocabulary.

    Raises:
        ValueError: the file or its vocabulary cannot be used, the model is of another
            kind, or the run would overwrite it.
    """
    if not options.from_model:
        return None
    path = Path(options.from_model)
    with unchanged(path) as hashes:
        model = load_model(path)
    if model.name not in kinds:
        raise ValueError(
            f"--from {path} holds the model {model.name!r}, not one of "
            f"{', '.join(kinds)}"
        )
    check_form(model, model.name)
    if path.resolve() == (options.out / model.name / f"{model.name}.keras").resolve():
        raise ValueError(
            f"--from {path} would be overwritten by this run; give another --out"
        )
    words = vocabulary.load(path.parent / "vocabulary.json")
    entries = len(words) - getattr(words, "num_rare", 0)
    if entries != model.output_shape[-1]:
        raise ValueError(
            f"{path.parent / 'vocabulary.json'} has {entries} entries but the model "
            f"{model.output_shape[-1]}; use the vocabulary.json written with it"
        )
    return Start(path, hashes[path], model, words)


def known_characters(corpus: Corpus, vocabulary: Vocabulary, strict: bool) -> Corpus:
    """A corpus in the ids of a model's vocabulary, without the characters it lacks.

    The missing characters are printed with their counts and their fraction of the text.

    Args:
        corpus: the new text; its new ids are held in memory.
        vocabulary: of the model.
        strict: refuse a text with a character that the model lacks.

    Raises:
        ValueError: `strict` is set and a character is missing, or all are.
    """
    known = {character: index for index, character in enumerate(vocabulary.characters)}
    characters = corpus.vocabulary.characters
    table = np.array([known.get(character, -1) for character in characters])
    counts = np.zeros(len(table), np.int64)
    pieces = []
    for start in range(0, len(corpus.ids), BLOCK):
        piece = corpus.ids[start : start + BLOCK]
        counts += np.bincount(piece, minlength=len(table))
        ids = table[piece]
        pieces.append(ids[ids >= 0].astype(vocabulary.id_type))
    lacking = {
        character: int(counts[index])
        for index, character in enumerate(characters)
        if table[index] < 0
    }
    if lacking:
        left_out = sum(lacking.values())
        _name_lacking(corpus.name, "characters", lacking, len(corpus.ids), strict)
        if left_out == len(corpus.ids):
            raise ValueError(f"the model knows no character of {corpus.name}")
        print(f"{left_out:,} characters of {corpus.name} are left out")
        corpus = replace(
            corpus,
            entropy=None,
            notes={**corpus.notes, "characters left out": left_out},
        )
    return replace(corpus, vocabulary=vocabulary, ids=np.concatenate(pieces))


def name_unknown_words(
    name: str, text: TypedText, vocabulary: TypedVocabulary, strict: bool
) -> None:
    """Name the words of a text that a model lacks; it reads them as unknown.

    Raises:
        ValueError: `strict` is set and the model lacks a word.
    """
    unknown = text.ids[vocabulary.encode_typed(text) == UNKNOWN]
    counts = np.bincount(unknown, minlength=len(text.forms))
    lacking = {
        text.forms[index]: int(counts[index]) for index in np.flatnonzero(counts)
    }
    if lacking:
        _name_lacking(name, "words", lacking, len(text.ids), strict)


def _name_lacking(
    name: str, what: str, lacking: dict[str, int], total: int, strict: bool
) -> None:
    """Print what the model lacks, the most frequent first, or refuse it."""
    frequent = sorted(lacking, key=lambda each: (-lacking[each], each))
    listed = ", ".join(
        f"{each!r} {lacking[each]:,} times" for each in frequent[:MOST_NAMED]
    )
    more = f" and {len(frequent) - MOST_NAMED:,} more" * (len(frequent) > MOST_NAMED)
    fraction = sum(lacking.values()) / total
    line = (
        f"the model lacks {len(lacking):,} {what} of {name}, {fraction:.2%} of the "
        f"text: {listed}{more}"
    )
    if strict:
        raise ValueError(f"{line}; leave out --strict to train without them")
    print(line)
