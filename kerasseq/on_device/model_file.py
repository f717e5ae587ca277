"""An exported file: its card, its vocabulary and its signatures.

The programs beside this file open a `.tflite` with `Model`. It needs ai-edge-litert,
nothing else; README.md beside this file describes the format.
"""

import contextlib
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CONTRACT_VERSION = 2
CHARACTERS = "character model"
WORDS = "next-word model"
ENCODER = "encoder"
TAGGER = "tagger"
CLASSIFIER = "classifier"
# The signatures that a generating model of each kind must have.
SIGNATURES = {CHARACTERS: ("step", "generate"), WORDS: ("step",)}


class Model:
    """An exported model.

    Args:
        path: a `.tflite` of this project.

    Attributes:
        path: of the file.
        kind: of model, for example "character model".
        card: what the file says about the model.
        vocabulary: the JSON object of vocabulary.json.
        flatbuffer: the model itself.

    Raises:
        ValueError: the file is missing or damaged, or speaks another contract.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                start = min(info.header_offset for info in archive.infolist())
                self.card = json.loads(archive.read("card.json"))
                vocabulary = archive.read("vocabulary.json")
            kind, version = self.card["kind"], self.card["contract"]
            expected = self.card["sha256"]
            expected_vocabulary = self.card["attachments"]["vocabulary.json"]
        except Exception as error:  # zipfile has many for flipped bits
            raise ValueError(
                f"{path} is not a whole .tflite of this project ({error}); "
                "copy or export it again"
            ) from None
        if version != CONTRACT_VERSION:
            raise ValueError(
                f"{path} speaks contract {version}, this program {CONTRACT_VERSION}; "
                "take the program that came with the file"
            )
        self.path, self.kind, self.flatbuffer = path, kind, content[:start]
        for section, wanted in (
            (self.flatbuffer, expected),
            (vocabulary, expected_vocabulary),
        ):
            found = hashlib.sha256(section).hexdigest()
            if found != wanted:
                raise ValueError(
                    f"{path} is damaged: SHA-256 {found[:12]}... where its card says "
                    f"{str(wanted)[:12]}...; copy or export it again"
                )
        try:
            self.vocabulary = json.loads(vocabulary)
            ((name, entries),) = self.vocabulary.items()
            singles = "".join(entries) and {len(entry) for entry in entries} == {1}
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} has no list of texts in vocabulary.json ({error}); "
                "export it again"
            ) from None
        if kind == CHARACTERS and not (name == "characters" and singles):
            raise ValueError(
                f"{path} has no list of single characters in vocabulary.json; "
                "export it again"
            )
        if len(entries) != self.card.get("vocabulary_size"):
            raise ValueError(
                f"{path} has a vocabulary of {len(entries)}, its model one of "
                f"{self.card.get('vocabulary_size')}; export it again"
            )

    def require(self, kind: str) -> None:
        """Check the kind of model.

        Raises:
            ValueError: it is another one.
        """
        if self.kind != kind:
            raise ValueError(
                f"{self.path} holds a model of the kind {self.kind!r}, not {kind!r}; "
                "`kerasseq show` (show.py) describes it"
            )

    def signatures(self) -> dict[str, Any]:
        """The model's functions on arrays, by name, run by LiteRT's Interpreter.

        Raises:
            ValueError: LiteRT is missing or cannot open the model, or the model does
                not match its card.
        """
        # Imported here, so that a bad file is refused before a runtime is loaded.
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ValueError(
                f"LiteRT cannot be loaded ({error}); run `pip install ai-edge-litert`"
            ) from None

        try:
            with _quiet():
                interpreter = Interpreter(model_content=self.flatbuffer, num_threads=1)
                interpreter.allocate_tensors()  # what prints
                runners = {
                    name: interpreter.get_signature_runner(name)
                    for name in interpreter.get_signature_list()
                }
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"LiteRT cannot open the model: {error}") from None
        if self.kind in SIGNATURES:
            self._check_shapes(runners, SIGNATURES[self.kind])
        return runners

    def _check_shapes(self, runners: dict[str, Any], names: Sequence[str]) -> None:
        """Check that the model has what the contract and its card promise."""
        for name in names:
            if name not in runners:
                raise ValueError(f"the model has no signature {name}; export it again")
        logits = runners["step"].get_output_details().get("logits", {})
        inputs = runners[names[-1]].get_input_details()
        count = sum(name.startswith("state_") for name in inputs)
        states = [inputs.get(f"state_{index}", {}) for index in range(count)]
        shapes = [list(map(int, each.get("shape", ()))) for each in (logits, *states)]
        found = shapes[0], shapes[1:]
        promised = [1, self.card["vocabulary_size"]], self.card.get("state_shapes")
        if found != promised:
            raise ValueError(
                f"the model's logits and states have the shapes {found}, where its "
                f"card says {promised}; export it again"
            )

    def state_shapes(self) -> dict[str, list[int]]:
        """Shape of each state by its name."""
        return {
            f"state_{index}": shape
            for index, shape in enumerate(self.card["state_shapes"])
        }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what LiteRT prints when it opens a model; it has no log level."""
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
