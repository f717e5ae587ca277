"""Translate with an exported model: `python translate.py FILE.tflite "A cat sits"`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. Without a text, it reads lines from standard input, and writes a
line for each.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

if __package__:
    from .card import TRANSLATOR
    from .command import Command, json_line, read_lines, visible
    from .generate import out_of_range
    from .model_file import Model
    from .subwords import END, Pieces
    from .tokens import uniform_numbers
else:  # copied: beside one another
    from card import TRANSLATOR  # type: ignore[no-redef]
    from command import Command, json_line, read_lines, visible  # type: ignore[no-redef]
    from generate import out_of_range  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from subwords import END, Pieces  # type: ignore[no-redef]
    from tokens import uniform_numbers  # type: ignore[no-redef]

import numpy as np

BEAM_WIDTH, MOST_HYPOTHESES = 4, 8
LENGTH_PENALTY, MOST_PENALTY = 1.0, 10.0


class Translation(NamedTuple):
    """What a translator makes of a text: S source and T target pieces.

    Attributes:
        text: the translation.
        score: the logarithm of its probability, divided by the penalty of its length.
        source: the pieces that the model read; the last is "", the end.
        target: the pieces that it wrote; the last is "", the end, if it is finished.
        alignment: how much each piece that it wrote looked at each that it read,
            float32 (T, S); rows sum to 1.
        finished: whether the model ended the translation itself. If not, it was cut,
            usually because it repeats itself.
        left_out: how many pieces of the text it did not read, since there are too many.
    """

    text: str
    score: float
    source: list[str]
    target: list[str]
    alignment: np.ndarray
    finished: bool
    left_out: int


class Translator:
    """Translates texts.

    Args:
        model: an opened file.

    Attributes:
        length: the most pieces of a text that it reads, with the end.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(TRANSLATOR)
        self._pieces = Pieces(model.vocabulary["pieces"])
        self.length: int = model.card["length"]
        self._run = model.signatures()["translate"]

    def translate(
        self,
        text: str,
        beam_width: int = BEAM_WIDTH,
        length_penalty: float = LENGTH_PENALTY,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Translation:
        """Translate one text; pieces beyond `length` are left out.

        Args:
            text: any.
            beam_width: how many translations the search keeps at once, 1 to 8. More
                find better ones and take longer; 1 always takes the likeliest piece.
            length_penalty: alpha of Wu et al. 2016, section 7, 0 to 10. The larger, the
                longer the translations.
            temperature: 0 searches for the best translation. Above 0, one is sampled,
                whatever the width; 1 is the model's own distribution.
            seed: the same seed gives the same sample.

        Raises:
            ValueError: a number is out of its range.
        """
        if not 1 <= beam_width <= MOST_HYPOTHESES:
            raise ValueError(f"beam_width={beam_width}: give 1 to {MOST_HYPOTHESES}")
        if not 0 <= length_penalty <= MOST_PENALTY:
            raise ValueError(
                f"length_penalty={length_penalty}: give 0 to {MOST_PENALTY:.0f}"
            )
        for name, value in (("temperature", temperature), ("seed", seed)):
            if complaint := out_of_range(name, value):
                raise ValueError(f"{name}={value}: {complaint}")
        pieces = self._pieces.encode(text)
        read = [*pieces[: self.length - 1], END]
        source_ids = np.zeros((1, self.length), np.int32)
        source_ids[0, : len(read)] = read
        outputs = self._run(
            source_ids=source_ids,
            beam_width=np.array([beam_width], np.int32),
            length_penalty=np.array([length_penalty], np.float32),
            max_length=np.array([self.length], np.int32),
            # The model holds it within a million, but float32 must be able to hold it.
            temperature=np.array([min(temperature, 1e6)], np.float32),
            uniforms=uniform_numbers(seed, 0, self.length),
        )
        ids = outputs["ids"][0]
        ids = ids[ids > 0]
        return Translation(
            self._pieces.decode(ids),
            float(outputs["score"][0]),
            self._pieces.texts(read),
            self._pieces.texts(ids),
            outputs["alignment"][0, : len(ids), : len(read)],
            bool(outputs["finished"][0]),
            len(pieces) + 1 - len(read),
        )


def main(arguments: Sequence[str] | None = None, prog: str = "translate.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command = Command(
        prog=prog, description="Translate with a model that kerasseq exported."
    )
    command.add_argument("file", help="a .tflite file of a translator")
    command.add_argument(
        "text", nargs="?", help="to translate (default: each line of standard input)"
    )
    command.add_argument(
        "--beam",
        type=int,
        default=BEAM_WIDTH,
        help=f"how many translations the search keeps, 1 to {MOST_HYPOTHESES} "
        f"({BEAM_WIDTH})",
    )
    command.add_argument(
        "--length-penalty",
        type=float,
        default=LENGTH_PENALTY,
        help=f"the larger, the longer the translations ({LENGTH_PENALTY})",
    )
    command.add_argument(
        "--temperature",
        type=float,
        default=0.0,
        help="0 searches for the best translation (0); above, one is sampled, and 1 is "
        "the model's own distribution",
    )
    command.add_argument(
        "--seed", type=int, default=0, help="same seed, same sample (0)"
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON a text: translation, score, pieces and alignment",
    )
    options = command.parse_intermixed_args(arguments)

    def translations() -> Iterator[str]:
        translator = Translator(Model(options.file))
        for text in read_lines() if options.text is None else [options.text]:
            found = translator.translate(
                text,
                options.beam,
                options.length_penalty,
                options.temperature,
                options.seed,
            )
            if found.left_out:
                count = len(found.source) + found.left_out
                command.say(f"read the first {translator.length} of {count} pieces")
            if not found.finished:
                command.say("the translation has no end of its own and was cut")
            if options.json:
                alignment = found.alignment.tolist()
                yield json_line(found._replace(alignment=alignment)._asdict())
            else:
                yield f"{visible(found.text)}\n"

    return command.run(translations())


if __name__ == "__main__":
    sys.exit(main())
