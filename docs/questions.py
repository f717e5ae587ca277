"""The page of questions: each with the pictures of the lessons that answer it.

A lesson's docstring says which they are: "Answers questions 4 and 5 of a first course's
homework: the second picture."
"""

import ast
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

QUESTIONS = (
    "Why does each of next-word prediction, sentiment analysis, named entity "
    "recognition and translation map to its input/output pattern?",
    "How does unrolling enable backpropagation through time and weight sharing?",
    "What does weight sharing across time gain, and what can it not learn?",
    "What is the vanishing gradient problem, and why does it hurt long-range learning?",
    "How do LSTM and GRU improve the flow of gradients?",
    "What does gradient clipping do for it, and what does it not?",
    "What do the forget, input and output gates do?",
    "Why is the cell state of an LSTM a nearly linear path for gradients?",
    'What is "what to remember" against "what to expose" in an LSTM?',
    "What are query, key and value?",
    "What is the formula of scaled dot-product attention, and what does each part do?",
    "Why divide by the root of the key size?",
    "Why several heads?",
    "What are residual connections and layer normalisation for?",
    "Which relations do different heads capture?",
    "Why is the decoder's self-attention masked?",
    "How does cross-attention differ from self-attention?",
    "How does a model write step by step, without teacher forcing?",
)
ANSWERS = re.compile(r"Answers questions? (.*?) of a first course's homework(.*)", re.S)
ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
PICTURES = re.compile(rf"the ({'|'.join(ORDINALS)})\b|({'|'.join(ORDINALS)}) picture")


def answers(lesson: Path) -> tuple[list[int], list[int]]:
    """The numbers of the questions that a lesson answers, and of its pictures for it.

    Pictures count from 0, and from the end below 0.
    """
    text = ast.get_docstring(ast.parse(lesson.read_text(encoding="utf-8"))) or ""
    for paragraph in text.split("\n\n"):
        if found := ANSWERS.match(paragraph.replace("\n", " ")):
            numbers = [int(number) for number in re.findall(r"\d+", found[1])]
            words = [word or other for word, other in PICTURES.findall(found[2])]
            return numbers, [ORDINALS[word] for word in words]
    return [], []


class Questions(SphinxDirective):
    """All questions as sections, with links to lessons and their pictures."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # when a lesson changes
        source = Path(self.env.srcdir)
        sections: dict[int, list[str]] = {n + 1: [] for n in range(len(QUESTIONS))}
        order = self.config.lesson_order
        for name in order:
            lesson = source / "lessons" / f"{name}.py"
            if not lesson.exists():
                continue
            numbers, chosen = answers(lesson)
            folder = source / "docs" / "lessons" / "images"
            pictures = sorted(folder.glob(f"sphx_glr_{name}_[0-9]*.png"))
            for number in numbers:
                sections[number] += [
                    "",
                    f"Lesson: :ref:`sphx_glr_docs_lessons_{name}.py`",
                    "",
                ]
                for index in dict.fromkeys(chosen):
                    if -len(pictures) <= index < len(pictures):
                        picture = pictures[index].relative_to(source).as_posix()
                        sections[number] += [
                            f".. image:: /{picture}",
                            "   :width: 480px",
                            f"   :alt: From the lesson {name.replace('_', ' ')}",
                            "",
                        ]
        lines = []
        for number, section in sections.items():
            title = f"{number}. {QUESTIONS[number - 1]}"
            lines += ["", title, "-" * len(title), *section]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Any) -> dict[str, bool]:
    app.add_config_value("lesson_order", [], "env", list)
    app.add_directive("questions", Questions)
    return {"parallel_read_safe": True}
