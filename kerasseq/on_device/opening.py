"""Open any exported file; it needs numpy, ai-edge-litert and the programs beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

if __package__:
    from .card import CHARACTERS, CLASSIFIER, ENCODER, TAGGER, TRANSLATOR, WORDS
    from .classify import Classifier
    from .encode import Encoder
    from .generate import Writer
    from .model_file import Model
    from .suggest import Keyboard
    from .tag import Tagger
    from .translate import Translator
else:  # copied: beside one another
    from card import (  # type: ignore[no-redef]
        CHARACTERS,
        CLASSIFIER,
        ENCODER,
        TAGGER,
        TRANSLATOR,
        WORDS,
    )
    from classify import Classifier  # type: ignore[no-redef]
    from encode import Encoder  # type: ignore[no-redef]
    from generate import Writer  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from suggest import Keyboard  # type: ignore[no-redef]
    from tag import Tagger  # type: ignore[no-redef]
    from translate import Translator  # type: ignore[no-redef]

Opened: TypeAlias = Writer | Keyboard | Classifier | Tagger | Encoder | Translator


def open_tflite(path: str | Path) -> Opened:
    """Open an exported file, without TensorFlow and Keras.

    The file is checked before it is run, but a runtime can still be misled: open a file
    from somebody else as you would run their program.

    Args:
        path: a `.tflite` of this project.

    Returns:
        What the model is for: a character model has
        `write(prompt, length, temperature=..., seed=...)`, a next-word model
        `suggest(text)`, a classifier `classify(text)`, a tagger `tag(text)`, a
        translator `translate(text)` and an encoder `encode(text)`. Several threads may
        use it; its calls take turns.

    Raises:
        ValueError: the file is missing or damaged, or holds another kind of model.

    Example:
        >>> writer = open_tflite("char_rnn_int8.tflite")
        >>> text = writer.write("Once upon", 40, temperature=0.7, seed=1)
        >>> len(text)
        40
    """
    model = Model(path)
    programs: dict[str, Callable[[Model], Opened]] = {
        CHARACTERS: Writer,
        WORDS: Keyboard,
        CLASSIFIER: Classifier,
        TAGGER: Tagger,
        TRANSLATOR: Translator,
        ENCODER: Encoder,
    }
    return programs[model.kind](model)
