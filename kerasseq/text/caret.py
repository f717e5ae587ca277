"""The end of a text that is being written, and the capitals that suit it."""

from typing import NamedTuple

from kerasseq.on_device.words import SENTENCE_ENDS, divide, lower_case


class Caret(NamedTuple):
    """The end of a text that is being written.

    Attributes:
        words: the complete words before the caret, in lower case.
        unfinished: the typed beginning of a word; empty after a space or punctuation.
    """

    words: list[str]
    unfinished: str

    @classmethod
    def after(cls, text: str) -> "Caret":
        """Where a text ends.

        Example:
            >>> Caret.after("Well, I ne")
            Caret(words=['well', ',', 'i'], unfinished='ne')
        """
        # With a letter added, the text always ends in an unfinished word.
        *words, last = divide(text + "x")
        return cls([lower_case(word.text) for word in words], last.text[:-1])

    def writes(self, word: str) -> str:
        """A suggested word with the capitals that fit its position.

        The first letter is a capital at the start of a sentence, or if the unfinished
        word begins with one; all are if it consists of at least two capitals.
        """
        changed = [letter != letter.lower() for letter in self.unfinished]
        if len(changed) > 1 and all(changed):
            return word.upper()
        starts = not self.words or self.words[-1] in SENTENCE_ENDS
        if changed[0] if changed else starts:
            return capitalized(word)
        return word


def capitalized(word: str) -> str:
    """The word with its first letter a capital and the others as they are."""
    return word[:1].upper() + word[1:]
