"""Pieces of words: the same in Python, in a graph, without packages and in a page."""

import functools
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.on_device.subwords import Pieces
from kerasseq.text.subwords import Subwords, whole_characters
from kerasseq.text.subwords_in_graph import SubwordTable
from tests.support.pages import WEB
from tests.text.test_subwords import CROWDED, CROWDED_TEXT, TEXT, VOCABULARY

# What begins pieces, what is no character, and what libraries treat differently.
CHARACTERS = "abcdab  ä𝄞ab\0\n\r\ufeff\ud800\udc00\ufffdé日の\u0301\u200dZwei.,1"
PAGE = f"""
import {{ Pieces }} from "{(WEB / "src/subwords.js").as_uri()}";
import {{ readFileSync }} from "node:fs";
const {{ texts, sequences, pieces }} = JSON.parse(readFileSync(0));
const vocabulary = new Pieces(pieces);
console.log(JSON.stringify({{
  ids: texts.map((text) => vocabulary.encode(text)),
  texts: sequences.map((ids) => vocabulary.decode(ids)),
}}));
"""


def random_texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 0x110000, 200).tolist()
    alphabet = np.array([*CHARACTERS * 10, *map(chr, points)])
    lengths = rng.integers(0, 30, count)
    return ["".join(rng.choice(alphabet, length)) for length in lengths]


def random_sequences(count: int, size: int) -> list[list[int]]:
    rng = np.random.default_rng(1)
    # Bytes often, so that whole characters arise from them by chance.
    highest = rng.choice([size, 259], count)
    return [rng.integers(0, high, rng.integers(0, 12)).tolist() for high in highest]


@functools.cache
def in_graph(vocabulary: Subwords) -> tuple:
    """Encoding and decoding as TensorFlow functions."""
    table = SubwordTable(vocabulary)
    texts = tf.TensorSpec([None], tf.string)
    ids = tf.TensorSpec([None, None], tf.int32)
    return (
        tf.function(table.encode, input_signature=[texts]),
        tf.function(table.decode, input_signature=[ids]),
    )


def check_all_four(node, vocabulary: Subwords, texts: list[str]) -> None:
    """Python, the graph, the plain program and the page agree on texts and ids."""
    ids = [vocabulary.encode(text).tolist() for text in texts]
    byte_order_mark = [3 + 0xEF, 3 + 0xBB, 3 + 0xBF]
    sequences = [byte_order_mark, *ids, *random_sequences(len(ids), len(vocabulary))]
    decoded = [vocabulary.decode(each) for each in sequences]
    assert [vocabulary.decode(each) for each in ids] == list(
        map(whole_characters, texts)
    )

    encode, decode = in_graph(vocabulary)
    utf8 = [whole_characters(text).encode() for text in texts]
    assert encode(tf.constant(utf8)).to_list() == ids
    padded = tf.ragged.constant(sequences, tf.int32).to_tensor()
    assert decode(padded).numpy().tolist() == [each.encode() for each in decoded]

    work = {"texts": texts, "sequences": sequences, "pieces": vocabulary.pieces}
    command = [node, "--input-type=module", "--eval", PAGE]
    done = subprocess.run(command, input=json.dumps(work).encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ids": ids, "texts": decoded}

    plain = Pieces(vocabulary.pieces)
    assert [plain.encode(text).tolist() for text in texts] == ids
    assert [plain.decode(each) for each in sequences] == decoded


def test_the_example_of_the_contract():
    contract = (WEB.parent / "README.md").read_text("utf-8")
    pieces = json.loads(re.search(r'`(\{"pieces": .*\})`', contract)[1])["pieces"]
    text, ids = re.search(r'^    "(.*😀)" = ([\d ]+)$', contract, re.MULTILINE).groups()
    found = Pieces(pieces).encode(text).tolist()
    assert found == Subwords(tuple(pieces)).encode(text).tolist()
    assert found == list(map(int, ids.split())) and len(Subwords(tuple(pieces))) == 263


def test_all_four_agree(node):
    check_all_four(node, CROWDED, random_texts(300))


@pytest.mark.slow
def test_all_four_agree_on_100_000_random_texts(node):
    check_all_four(node, CROWDED, random_texts(50_000))
    check_all_four(node, VOCABULARY, random_texts(50_000, seed=1))


@pytest.mark.slow
@pytest.mark.skipif(
    "KERASSEQ_DATA" not in os.environ,
    reason="KERASSEQ_DATA names no folder with translation_train.tsv",
)
def test_all_four_agree_on_pairs_of_sentences(node):
    path = Path(os.environ["KERASSEQ_DATA"]) / "translation_train.tsv"
    texts = path.read_text("utf-8").replace("\t", "\n").splitlines()
    check_all_four(node, Subwords.learn(texts), texts)


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXT, CROWDED_TEXT))
def test_the_plain_program_encodes_as_in_training(text):
    for vocabulary in (CROWDED, VOCABULARY):
        plain = Pieces(vocabulary.pieces)
        ids = plain.encode(text)
        assert ids.dtype == np.int32
        assert ids.tolist() == vocabulary.encode(text).tolist()
        assert plain.decode(ids) == text


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=4))
def test_bytes_that_are_not_utf8_become_replacement_characters_in_the_graph(rows):
    encode, decode = in_graph(CROWDED)
    found = encode(tf.constant(rows, tf.string, shape=[len(rows)]))
    texts = [row.decode("utf-8", "replace") for row in rows]
    assert found.to_list() == [CROWDED.encode(text).tolist() for text in texts]
    decoded = decode(found.to_tensor())
    assert decoded.numpy().tolist() == [text.encode() for text in texts]
