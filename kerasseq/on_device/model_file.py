"""An exported file: its card, its vocabulary and its signatures.

The programs beside this file open a `.tflite` with `Model`. It needs ai-edge-litert,
nothing else; README.md beside this file describes the format.
"""

import contextlib
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __package__:
    from .archive import open_regular, open_zip, read_entry
    from .card import (
        CONTRACT_VERSION,
        MOST_BYTES,
        RARE_WORDS,
        WORDS,
        check_card,
        check_vocabulary,
        read_object,
    )
    from .command import native_silence
    from .shapes import Ends, check_answer, check_signatures
    from .verify import verify
else:  # copied: beside one another
    from archive import (  # type: ignore[no-redef]
        open_regular,
        open_zip,
        read_entry,
    )
    from card import (  # type: ignore[no-redef]
        CONTRACT_VERSION,
        MOST_BYTES,
        RARE_WORDS,
        WORDS,
        check_card,
        check_vocabulary,
        read_object,
    )
    from command import native_silence  # type: ignore[no-redef]
    from shapes import Ends, check_answer, check_signatures  # type: ignore[no-redef]
    from verify import verify  # type: ignore[no-redef]

LARGEST_FILE = 2**31  # bytes, which the offsets in a flatbuffer can reach


class Model:
    """An exported model.

    Args:
        path: a `.tflite` of this project.

    Attributes:
        path: of the file.
        kind: of model, for example "character model".
        card: what the file says about the model, checked as `card.py` has it.
        vocabulary: the JSON object of vocabulary.json, checked too.
        flatbuffer: the model itself.

    Raises:
        ValueError: the file is missing or damaged, or speaks another contract.
    """

    def __init__(self, path: str | Path) -> None:
        content = _read_file(path)
        try:
            with open_zip(io.BytesIO(content)) as archive:
                start = min(info.header_offset for info in archive.infolist())
                card, hash_of_card, vocabulary = (
                    _read_attached(archive, name)
                    for name in ("card.json", "card.sha256", "vocabulary.json")
                )
            self.card = read_object("card.json", card)
            version = self.card["contract"]
        except Exception as error:  # zipfile has many for flipped bits
            raise ValueError(
                f"{path} is not a whole .tflite of this project ({error}); "
                "copy or export it again"
            ) from None
        if version != CONTRACT_VERSION:
            raise ValueError(
                f"{path} speaks contract {version!r}, this program {CONTRACT_VERSION}; "
                "take the program that came with the file"
            )
        self.path, self.flatbuffer = path, content[:start]
        try:
            _check_hash("card.json", card, hash_of_card.decode("ascii", "replace")[:64])
            check_card(self.card)
            hashes = self.card["attachments"]
            _check_hash("the model", self.flatbuffer, self.card["sha256"])
            _check_hash("vocabulary.json", vocabulary, hashes["vocabulary.json"])
            self.vocabulary = read_object("vocabulary.json", vocabulary)
            check_vocabulary(self.vocabulary, self.card)
        except ValueError as error:
            raise ValueError(f"{path}: {error}; copy or export it again") from None
        self.kind: str = self.card["kind"]

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

    def tensors(self) -> dict[str, Ends]:
        """Inputs and outputs of the model's functions, with their types and shapes.

        Raises:
            ValueError: the model is not as an export makes it, or not as its card says.
        """
        try:
            rare = self.vocabulary.get(RARE_WORDS, 0) if self.kind == WORDS else 0
            found = verify(self.flatbuffer, self.card["vocabulary_size"] - rare)
            check_signatures(found, self.card)
        except ValueError as error:
            raise ValueError(
                f"{self.path} holds no model of this project ({error}); export it again"
            ) from None
        return found

    def signatures(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """The model's functions on arrays, by name, run by LiteRT's Interpreter.

        They raise ValueError where the runtime cannot run them. Threads that call
        them take turns.

        Raises:
            ValueError: LiteRT is missing or cannot open the model, or the model does
                not match its card.
        """
        tensors = self.tensors()
        # Imported here, so that a bad file is refused before a runtime is loaded.
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ValueError(
                f"LiteRT cannot be loaded ({error}); run `pip install ai-edge-litert`"
            ) from None

        with native_silence(), _in_one_line("LiteRT cannot open the model"):
            interpreter = Interpreter(model_content=self.flatbuffer, num_threads=1)
            interpreter.allocate_tensors()  # what prints
            runners = {name: interpreter.get_signature_runner(name) for name in tensors}
        # All signatures of an interpreter share the memory of inputs and outputs.
        lock = threading.Lock()

        def in_turn(name: str) -> Callable[..., dict[str, Any]]:
            def call(**arrays: Any) -> dict[str, Any]:
                with lock, _in_one_line("LiteRT cannot run the model"):
                    outputs = runners[name](**arrays)
                    check_answer(outputs, tensors[name][1], self.card)
                    return outputs

            return call

        return {name: in_turn(name) for name in runners}

    def state_shapes(self) -> dict[str, list[int]]:
        """Shape of each state by its name."""
        return {
            f"state_{index}": shape
            for index, shape in enumerate(self.card["state_shapes"])
        }


@contextlib.contextmanager
def _in_one_line(complaint: str) -> Iterator[None]:
    """Make a ValueError of one line of whatever the runtime raises."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{complaint}: {reason[:300]}") from None


def _read_file(path: str | Path) -> bytes:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size >= LARGEST_FILE:
                raise ValueError(f"it has {size:,} bytes, {LARGEST_FILE:,} or more")
            return file.read(size)
    except (OSError, ValueError) as error:  # ValueError for NUL in a path
        reason = getattr(error, "strerror", error)
        raise ValueError(f"{path} cannot be read: {reason}") from None


def _read_attached(archive: zipfile.ZipFile, name: str) -> bytes:
    """One file of a ZIP, read only as far as it may be long."""
    if archive.namelist().count(name) > 1:
        raise ValueError(f"it has {name} twice")
    entry, most = archive.getinfo(name), MOST_BYTES[name]
    if entry.file_size > most:
        raise ValueError(
            f"{name} of {entry.file_size:,} bytes is out of proportion; "
            f"at most {most:,} are read"
        )
    return read_entry(archive, entry)


def _check_hash(what: str, content: bytes, wanted: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise ValueError(
            f"{what} is damaged: SHA-256 {found[:12]}... where the file says "
            f"{wanted[:12]}..."
        )
