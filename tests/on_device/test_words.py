"""The division into words: the same in Python, in a graph and in a page."""

import json
import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.on_device import unicode_ranges
from kerasseq.on_device.words import SENTENCE_ENDS, Word, divide, split_words
from kerasseq.text.in_graph import divide_in_graph
from tests.support.make_test_vectors import TEXTS
from tests.support.make_test_vectors import divide as by_properties
from tests.support.make_unicode_ranges import make
from tests.support.pages import WEB

# Of each kind, and of those that rules name.
CROWDED = "abéд我'’-‐_·. \n\u00a0,\u00ad\u200b\ufeff\u200d\u0301\ufe0f👩💻🏽\0ß"
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(CROWDED))
PAGE = f"""
import {{ divide }} from "{(WEB / "src/words.js").as_uri()}";
import {{ readFileSync }} from "node:fs";
const {{ texts, kinds }} = JSON.parse(readFileSync(0));
const words = texts.map((text) =>
  divide(text).map(({{ text: word, start, end }}) => [word, text.slice(start, end)]),
);
const matches = kinds.map((kind) => new RegExp(kind, "u"));
const points = matches.map((match) =>
  Array.from({{ length: 0x110000 }}, (_, point) => point).filter((point) =>
    match.test(String.fromCodePoint(point)),
  ),
);
console.log(JSON.stringify({{ words, points }}));
"""
graph = tf.function(divide_in_graph, input_signature=[tf.TensorSpec([None], tf.string)])


def in_graph(texts: list[str]) -> list[list[Word]]:
    utf8 = [text.encode() for text in texts]
    words, offsets = graph(tf.constant(utf8, tf.string, shape=[len(utf8)]))
    return [
        [Word(word.decode(), *span) for word, span in zip(*row, strict=True)]
        for row in zip(words.to_list(), offsets.to_list(), strict=True)
    ]


def in_node(node, texts: list[str], kinds: list[str] = []) -> dict:  # noqa: B006
    command = [node, "--input-type=module", "--eval", PAGE]
    work = json.dumps({"texts": texts, "kinds": kinds}).encode()
    done = subprocess.run(command, input=work, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def random_texts(count: int) -> list[str]:
    """Of characters from all of Unicode, half of them of a few kinds."""
    numbers = np.random.default_rng(count)
    points = numbers.integers(0, 0x110000 - 0x800, (count, 12))
    points[points >= 0xD800] += 0x800
    crowded = numbers.choice([*map(ord, CROWDED)], (count, 12))
    # Most of Unicode is not assigned, and most of the rest are ideographs.
    assigned = numbers.integers(0, 0x3000, (count, 12))
    chosen = numbers.choice([0, 1, 2, 2], (count, 12))
    rows = np.choose(chosen, [points, assigned, crowded])
    lengths = numbers.integers(0, 13, count)
    return [
        "".join(map(chr, row[:length]))
        for row, length in zip(rows.tolist(), lengths, strict=True)
    ]


def check_all(node, texts: list[str]) -> None:
    expected = [by_properties(text) for text in texts]
    assert [divide(text) for text in texts] == expected
    assert in_graph(texts) == expected
    assert in_node(node, texts)["words"] == [
        [[word, text[start:end]] for word, start, end in words]
        for text, words in zip(texts, expected, strict=True)
    ]


# --- the rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n\v\f\r\x85\u00a0\u2003\u3000\u2028", []),
        ("Don't stop, please!", ["Don't", "stop", ",", "please", "!"]),
        ("'I do,' he said.", ["'", "I", "do", ",", "'", "he", "said", "."]),
        ("dogs' 'tis rock 'n' roll", "dogs ' ' tis rock ' n ' roll".split()),
        ("don\u2019t well\u2010known -v --", ["don't", "well-known", *"-v--"]),
        ("snake_case __init__", ["snake_case", "_", "_", "init", "_", "_"]),
        ("C++ 3.14 $5", ["C", "+", "+", "3", ".", "14", "$", "5"]),
        ("\ufeffstr\u00ading a\u200bb", ["string", "ab"]),
        (
            "rue\u00a0! rue\u202f; Ada\u00a0went",
            ["rue", "!", "rue", ";", "Ada", "went"],
        ),
        ("\u0301 \u200d \u200b", []),
        ("❤️ 👍🏽 👩\u200d💻👩", ["❤️", "👍🏽", "👩\u200d💻", "👩"]),
        # Ten scripts.
        ("Ναι· «Σας»", ["Ναι", "·", "«", "Σας", "»"]),
        ("Это — книга…", ["Это", "—", "книга", "…"]),
        ("वह है। हिन्दी क्\u200dष", ["वह", "है", "।", "हिन्दी", "क्\u200dष"]),
        ("من هنا؟ می\u200cخواهم،", ["من", "هنا", "؟", "می\u200cخواهم", "،"]),
        ('צה"ל צה״ל.', ["צה", '"', "ל", "צה״ל", "."]),
        ("你好，世界！", ["你好", "，", "世界", "！"]),
        ("「はい」。", ["「", "はい", "」", "。"]),
        ("안녕, 세계", ["안녕", ",", "세계"]),
        ("Այո։ ሰላም፡ዓለም።", ["Այո", "։", "ሰላም", "፡", "ዓለም", "።"]),
        ("col·lecció ça'", ["col·lecció", "ça", "'"]),
    ],
)
def test_divide_by_hand(text, words):
    found = divide(text)
    assert [word.text for word in found] == words
    assert in_graph([text]) == [found]


def test_offsets_are_of_what_was_typed():
    text = "\ufeff Don\u2019t str\u00ad\u00ading𝄞\u00ad. "
    assert [(word, text[start:end]) for word, start, end in divide(text)] == [
        ("Don't", "Don\u2019t"),
        ("string", "str\u00ad\u00ading"),
        ("𝄞", "𝄞\u00ad"),
        (".", "."),
    ]


@given(TEXT)
@settings(max_examples=200, deadline=None)
def test_dividing_again_changes_nothing(text):
    words = split_words(text)
    assert split_words(" ".join(words)) == words


def test_sentences_end_in_all_scripts():
    assert set(".!?…。।؟።։！？") <= SENTENCE_ENDS
    assert not set(",;:'-— a") & SENTENCE_ENDS


def test_the_vectors_of_the_contract():
    vectors = json.loads((WEB.parent / "test_vectors.json").read_text("utf-8"))
    for case in vectors["words"]:
        assert [list(word) for word in divide(case["text"])] == case["words"]


# --- in all runtimes


def test_python_graph_and_page_divide_as_the_oracle(node):
    check_all(node, [*TEXTS, *random_texts(2_000)])


@pytest.mark.slow
def test_python_graph_and_page_divide_100_000_random_texts_as_the_oracle(node):
    check_all(node, random_texts(100_000))


@pytest.mark.slow
def test_every_code_point_divides_as_the_oracle_says(node):
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    rows = [points[start : start + 4096] for start in range(0, len(points), 4096)]
    check_all(node, ["".join(f"x{chr(point)}y'" for point in row) for row in rows])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=12))
def test_bytes_that_are_not_utf8_become_replacement_characters(data):
    [words], [offsets] = (each.to_list() for each in graph([data]))
    expected = divide(data.decode("utf-8", "replace"))
    assert [word.decode() for word in words] == [word.text for word in expected]
    assert offsets == [[word.start, word.end] for word in expected]


# --- the tables


@pytest.mark.slow
def test_the_tables_are_what_their_program_makes():
    for path, text in make().items():
        assert path.read_text("utf-8") == text


@pytest.mark.slow
def test_the_tables_are_those_of_icu(node):
    kinds = {
        "SPACES": r"\p{White_Space}",
        "SIGNS": r"(?!\p{Emoji_Modifier})[\p{P}\p{S}]",
        "MARKS": r"[\p{M}\u200c\u200d\p{Emoji_Modifier}\u{e0020}-\u{e007f}]",
        "INVISIBLE": r"(?![\u200c\u200d\u{e0020}-\u{e007f}])(?=\p{Cf})"
        r"\p{Default_Ignorable_Code_Point}",
        "ENDS": r"[\p{Sentence_Terminal}\u2026]",
    }
    *points, unknown = in_node(node, [], [*kinds.values(), r"\p{Cn}"])["points"]
    assert len(unknown) < 850_000
    for name, found in zip(kinds, points, strict=True):
        # node may have an older version of Unicode.
        assert points_of(name) - set(unknown) == set(found), name


def points_of(name: str) -> set[int]:
    pairs = re.findall(r"(\w+)-(\w+)", getattr(unicode_ranges, name))
    return {i for a, b in pairs for i in range(int(a, 16), int(b, 16) + 1)}
