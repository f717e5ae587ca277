"""From a model, or a run's folder, to checked files: the same recipes for both."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

from kerasseq.data.tagged import read_tagged_sentences
from kerasseq.files.hashes import reading_same
from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels
from kerasseq.files.lock import locked
from kerasseq.files.report import read_report
from kerasseq.models.forms import check_form
from kerasseq.models.precision import as_float32, check_keras
from kerasseq.recipes.characters import ship_character_model
from kerasseq.recipes.classifier import read_labelled_lines, ship_classifier
from kerasseq.recipes.encoder import ship_encoder
from kerasseq.recipes.next_word import ship_next_word
from kerasseq.recipes.shipping import Measured, conclude
from kerasseq.recipes.tagger import ship_tagger
from kerasseq.recipes.translation import read_translated_pairs, ship_translation
from kerasseq.text.characters import Vocabulary
from kerasseq.text.keyboard import TypedVocabulary
from kerasseq.text.reading import read_text
from kerasseq.text.subwords import Subwords
from kerasseq.text.words import WordVocabulary, read_sentences

# Characters; names of files have at most 255 bytes.
LONGEST_REMARK = 1000


class Recipe(NamedTuple):
    """How the models of one kind become files.

    Attributes:
        vocabulary: the class of its vocabulary.
        ship: writes and checks the files. Its arguments are the path of the files
            without format and suffix, the model, its vocabulary, the report's section
            on its training, held-out data or None, and its `names`. It returns what
            `shipping.ship` does, and raises ValueError if an argument does not fit.
        held_out: the name of the file, in a run's folder, that files are checked on.
        read: reads it.
        names: the argument with the names of the model's outputs, "labels" or "tags";
            a run keeps them in a JSON file of that name.
    """

    vocabulary: Any
    ship: Callable[..., Measured]
    held_out: str
    read: Callable[[Path], Any]
    names: str | None = None


CHARACTERS = Recipe(Vocabulary, ship_character_model, "held_out.txt", read_text)
# By the name that the builder gives a model.
RECIPES = {
    "encoder": Recipe(WordVocabulary, ship_encoder, "sentences.txt", read_sentences),
    "char_rnn": CHARACTERS,
    "char_transformer": CHARACTERS,
    "next_word": Recipe(TypedVocabulary, ship_next_word, "held_out.txt", read_text),
    "tagger": Recipe(
        WordVocabulary, ship_tagger, "held_out.conll", read_tagged_sentences, "tags"
    ),
    "classifier": Recipe(
        WordVocabulary, ship_classifier, "held_out.tsv", read_labelled_lines, "labels"
    ),
    "translation": Recipe(
        Subwords, ship_translation, "held_out.tsv", read_translated_pairs
    ),
}


def export(
    model: keras.Model,
    vocabulary: Any,
    directory: str | os.PathLike,
    *,
    held_out: Any = None,
    labels: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Write a model's SavedModel and `.tflite` files, each checked against the model.

    The files are NAME_float32.tflite and so on, NAME being the model's, and the folder
    saved_model. `report.json` and `REPORT.md` hold the measurements and the checks. A
    model with a mixed dtype policy is exported, and compared, as a float32 model.

    Args:
        model: from one of `build_char_rnn`, `build_char_transformer`,
            `build_next_word_model`, `build_encoder`, `build_classifier`,
            `build_tagger` and `build_translation`.
        vocabulary: the one that it was trained with: a `Vocabulary` of characters, a
            `TypedVocabulary` for the next word, `Subwords` for a translator, otherwise
            a `WordVocabulary`.
        directory: for the files; made if missing.
        held_out: data that the model was not trained on, to check the files with: a
            text for characters and the next word, sentences for an encoder,
            `LabelledSentences` for a classifier, a list of `TaggedSentence` for a
            tagger, of `Pair` for a translator. None for a text that the model writes,
            or for random words or pieces of the vocabulary; the report says so.
        labels: the names of a classifier's classes, in the order of its logits.
        tags: the names of a tagger's tags, in the order of its logits.

    Returns:
        The report's section with the measurements and the checks.

    Raises:
        ValueError: the model is of another kind, an argument does not fit it, or a run
            uses the directory.
        ChecksFailed: a file fails its checks; the message says which.

    Example:
        >>> import kerasseq
        >>> vocabulary = kerasseq.Vocabulary.from_text("hello world")
        >>> config = kerasseq.CharRNNConfig(len(vocabulary), units=8)
        >>> model = kerasseq.build_char_rnn(config)
        >>> report = kerasseq.export(model, vocabulary, "exported")
        >>> list(report["files"])[:2]
        ['char_rnn_float32.tflite', 'char_rnn_float16.tflite']
        >>> all(check["passed"] for check in report["checks"])
        True
        >>> report["checked on"].partition(",")[0]
        'text written by the model itself'
    """
    check_keras()
    recipe = RECIPES.get(model.name)
    if recipe is None:
        raise ValueError(
            f"the model's name is {model.name!r}, and files are made of "
            f"{', '.join(RECIPES)}; build it with the function of that kind"
        )
    if type(vocabulary) is not recipe.vocabulary:
        raise ValueError(
            f"the vocabulary is a {type(vocabulary).__name__}; the model {model.name} "
            f"needs a {recipe.vocabulary.__name__}"
        )
    given = {"labels": labels, "tags": tags}
    names = {name: value for name, value in given.items() if value is not None}
    if list(names) != [recipe.names] * bool(recipe.names):
        raise ValueError(
            f"the model {model.name} is exported with "
            f"{f'{recipe.names}=' if recipe.names else 'neither labels nor tags'}, not "
            f"with {', '.join(f'{name}=' for name in names) or 'nothing'}"
        )
    if held_out is not None and not any(map(len, held_out)):
        raise ValueError("held_out is empty; leave it out, or give some data")
    stem, model = Path(directory) / model.name, as_float32(model)
    check_form(model, model.name)
    with locked(directory):
        measured = recipe.ship(stem, model, vocabulary, {}, held_out, **names)
        return conclude(directory, f"{model.name}_export", *measured)


def export_run(name: str, directory: str | os.PathLike) -> dict[str, Any]:
    """Write and check the SavedModel and the `.tflite` files of a run.

    Args:
        name: of the model, a key of `RECIPES`.
        directory: of the run; its folder of that name holds NAME.keras,
            vocabulary.json, labels.json or tags.json, and held-out data.

    Returns:
        The section of the run's report with the measurements and the checks.

    Raises:
        ValueError: a file of the run is missing, does not fit, or is not the one that
            the training wrote.
        ChecksFailed: a file fails its checks; the message says which.
    """
    folder, recipe = Path(directory) / name, RECIPES[name]
    training = read_report(directory).get(name, {})
    needed = [f"{name}.keras", "vocabulary.json", recipe.held_out]
    needed += [f"{recipe.names}.json"] * bool(recipe.names)
    names = {}
    with reading_same(folder, needed, training):
        model = as_float32(load_model(folder / f"{name}.keras"))
        check_form(model, name)
        vocabulary = recipe.vocabulary.load(folder / "vocabulary.json")
        if recipe.names:
            names[recipe.names] = read_labels(folder / f"{recipe.names}.json")
        held_out = recipe.read(folder / recipe.held_out)
    measured = recipe.ship(
        folder / name, model, vocabulary, remarks(training), held_out, **names
    )
    return conclude(directory, f"{name}_export", *measured)


def remarks(section: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers and short texts of a report's section, which a card can repeat."""
    return {
        name: value
        for name, value in section.items()
        if (isinstance(value, str) and len(value) <= LONGEST_REMARK)
        or (isinstance(value, int | float) and abs(value) < math.inf)
    }
