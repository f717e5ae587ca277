"""Characters and streams, compared with plain Python."""

import doctest
import json
import re
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kerasseq.data.streams
import kerasseq.text.characters
from kerasseq.data.streams import (
    frequency_loss,
    next_character_streams,
    validation_shape,
)
from kerasseq.text.characters import Vocabulary
from kerasseq.text.held_out import split_text

TEXTS = st.text(min_size=1)  # any Unicode except surrogates


def test_the_examples_in_the_docstrings_are_true():
    results = doctest.testmod(kerasseq.text.characters)
    assert results.attempted >= 3
    assert results.failed == 0


@given(TEXTS)
def test_a_vocabulary_is_the_distinct_characters_in_code_point_order(text):
    vocabulary = Vocabulary.from_text(text)
    assert vocabulary.characters == tuple(sorted(set(text), key=ord))
    assert len(vocabulary) == len(set(text))
    assert vocabulary.code_points.tolist() == sorted({ord(c) for c in text})
    assert vocabulary.code_points.dtype == np.int32


@given(TEXTS)
def test_an_id_is_a_position_in_the_vocabulary(text):
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert ids.tolist() == [vocabulary.characters.index(c) for c in text]
    assert ids.dtype == np.int32


@given(TEXTS)
def test_decoding_gives_back_what_was_encoded(text):
    vocabulary = Vocabulary.from_text(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(st.lists(TEXTS, min_size=1))
def test_a_vocabulary_of_pieces_is_that_of_the_whole(pieces):
    vocabulary = Vocabulary.from_pieces(iter(pieces))
    assert vocabulary == Vocabulary.from_text("".join(pieces))


@pytest.mark.parametrize(
    ("size", "kind"),
    [(1, "uint8"), (256, "uint8"), (257, "uint16"), (65_537, "uint32")],
)
def test_the_smallest_type_of_an_id(size, kind):
    text = "".join(map(chr, range(0xE000, 0xE000 + size)))
    assert Vocabulary.from_text(text).id_type == kind


def test_nothing_is_encoded_as_nothing():
    vocabulary = Vocabulary.from_text("abc")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode(np.array([], np.int32)) == ""


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_ids_of_any_shape_and_integer_type_are_read_in_order(dtype):
    ids = np.array([[0, 1, 2], [3, 4, 0]], dtype)
    assert Vocabulary.from_text("aé€𝄞😀").decode(ids) == "aé€𝄞😀a"


@pytest.mark.parametrize(
    ("text", "character", "offset"),
    [("abz", "z", 2), ("\x00ab", "\\x00", 0), ("😀a", "😀", 0), ("a𝄞b😀", "😀", 3)],
)
def test_encode_names_the_first_unknown_character(text, character, offset):
    with pytest.raises(ValueError) as error:
        Vocabulary.from_text("abcy𝄞").encode(text)
    assert f"character '{character}' at offset {offset} is not" in str(error.value)


@given(TEXTS, st.text())
def test_unknown_lists_each_unknown_character_once_in_order(text, other):
    found = Vocabulary.from_text(text).unknown(other + other)
    assert found == sorted({c for c in other if c not in text})


@pytest.mark.parametrize(("half", "name"), [("\ud83d", "D83D"), ("\udfff", "DFFF")])
def test_half_a_character_is_refused_by_its_name(half, name):
    with pytest.raises(ValueError, match=f"lone surrogate U\\+{name}"):
        Vocabulary.from_text(f"a{half}\ue000")


def test_the_neighbours_of_half_characters_are_characters():
    assert Vocabulary.from_text("\ue000\ud7ff").characters == ("\ud7ff", "\ue000")


@pytest.mark.parametrize(
    ("characters", "complaint"),
    [
        ((), "0 characters must hold at least one"),
        (("b", "a"), "in code point order"),
        (("a", "a"), "each once"),
        (("a", "bc"), "'bc' is not one character"),
        (("a", ""), "'' is not one character"),
        ((7,), "7 is not one character"),
    ],
)
def test_what_is_no_vocabulary_is_refused(characters, complaint):
    with pytest.raises(ValueError, match=complaint):
        Vocabulary(characters)


def test_no_characters_make_no_vocabulary():
    with pytest.raises(ValueError, match="at least one"):
        Vocabulary.from_text("")


@given(TEXTS)
def test_the_json_is_what_the_contract_says(text):
    content = json.loads(Vocabulary.from_text(text).to_json())
    assert content == {"characters": sorted(set(text))}


def test_a_saved_vocabulary_is_loaded_again(tmp_path):
    vocabulary = Vocabulary.from_text('\n\r "\\\x7fé\u2028\ufeff𝄞\U0010ffff')
    path = vocabulary.save(tmp_path / "new" / "vocabulary.json")
    assert Vocabulary.load(path) == vocabulary
    assert path.read_bytes().isascii()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"7",
        b'{"letters": ["a"]}',
        b'{"characters": 7}',
        b'{"characters": [7]}',
        b'{"characters": [["a"]]}',
        b'{"characters": []}',
        b'{"characters": ["b", "a"]}',
        b'{"characters": ["a", "bc"]}',
    ],
)
def test_what_is_no_vocabulary_file_is_refused(tmp_path, content):
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"vocabulary\.json is not a vocabulary of"):
        Vocabulary.load(path)


def test_a_missing_vocabulary_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a vocabulary of"):
        Vocabulary.load(tmp_path / "vocabulary.json")


@given(st.integers(0, 997))
def test_the_last_tenth_is_held_out(size):
    training, held_out = split_text(np.arange(size))
    assert np.concatenate([training, held_out]).tolist() == list(range(size))
    assert len(held_out) == size // 10


@pytest.mark.parametrize(
    ("size", "held"),
    [(9_999_999, 999_999), (10_000_010, 1_000_000), (10**10, 1_000_000)],
)
def test_of_a_large_text_a_million_characters_are_held_out(size, held):
    training, held_out = split_text(range(size))
    assert training == range(size - held)
    assert held_out == range(size - held, size)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64])
def test_the_loss_by_frequencies_is_the_entropy_however_the_text_is_read(kind):
    ids = np.array([3, 3, 3, 3, 0, 0, 9, 3], kind)  # 5/8, 2/8, 1/8
    entropy = np.log(8) - (5 * np.log(5) + 2 * np.log(2)) / 8
    for block in (1, 3, 8, 100):
        with mock.patch.object(kerasseq.data.streams, "BLOCK", block):
            assert frequency_loss(ids) == pytest.approx(entropy, abs=1e-12)
    assert frequency_loss(np.array([3, 3], kind)) == 0


@settings(max_examples=300)
@given(st.integers(2, 10**8))
def test_validation_streams_are_few_and_leave_out_next_to_nothing(size):
    num_streams, length = validation_shape(size)
    assert 1 <= num_streams <= 16
    assert num_streams == 1 or size / num_streams >= 1000
    assert num_streams == 16 or size / num_streams < 2000
    assert 1 <= length <= 256
    num_batches = (size - 1) // num_streams // length
    assert num_batches >= 1
    left_out = size - 1 - num_batches * num_streams * length
    assert 0 <= left_out < num_streams + size / 256


@pytest.mark.parametrize(
    ("size", "shape"),
    [(2, (1, 1)), (257, (1, 256)), (258, (1, 128)), (1999, (1, 249)), (2001, (2, 250))],
)
def test_the_validation_shape_of_small_texts(size, shape):
    assert validation_shape(size) == shape


@pytest.mark.parametrize("size", [0, 1])
def test_too_little_to_validate_on_is_refused(size):
    with pytest.raises(ValueError, match=f"{size} characters, but it takes 2"):
        validation_shape(size)


SIZES = st.tuples(st.integers(1, 7), st.integers(1, 11), st.integers(0, 199))


@settings(max_examples=30)
@given(SIZES)
def test_streams_continue_where_they_stopped_and_leave_out_little(sizes):
    num_streams, length, more = sizes
    size = num_streams * length + 1 + more
    # Every id is its own position, so the batches show where they come from.
    batches = list(
        next_character_streams(np.arange(size), num_streams, length).as_numpy_iterator()
    )
    inputs = np.stack([inputs for inputs, _ in batches])  # batch, stream, step
    targets = np.stack([targets for _, targets in batches])
    assert inputs.shape == targets.shape == (len(batches), num_streams, length)
    np.testing.assert_array_equal(targets, inputs + 1)
    streams = inputs.transpose(1, 0, 2).reshape(num_streams, -1)
    np.testing.assert_array_equal(np.diff(streams, axis=1), 1)
    assert streams[0, 0] == 0
    assert np.all(streams[1:, 0] > streams[:-1, -1]), "no character is read twice"
    assert size - inputs.size <= num_streams * length


@settings(max_examples=30)
@given(SIZES, st.integers(1, 300), st.sampled_from(["uint8", "uint16", "int64"]))
def test_batches_are_cut_from_the_text_however_many_are_read_at_a_time(
    sizes, block, kind
):
    num_streams, length, more = sizes
    ids = np.random.default_rng(more).integers(0, 256, num_streams * length + 1 + more)
    with mock.patch.object(kerasseq.data.streams, "BLOCK", block):
        batches = list(
            next_character_streams(ids.astype(kind), num_streams, length)
            .repeat(2)
            .as_numpy_iterator()
        )
    apart = (len(ids) - 1) // num_streams
    count = apart // length
    assert len(batches) == 2 * count
    for index, (inputs, targets) in enumerate(batches):
        for stream in range(num_streams):
            start = stream * apart + index % count * length
            np.testing.assert_array_equal(inputs[stream], ids[start:][:length])
            np.testing.assert_array_equal(targets[stream], ids[start + 1 :][:length])


@pytest.mark.parametrize("position", [0, 1, 7, 8, 11, 12, 35, 40])
def test_reading_starts_where_it_is_told_to(position):
    with mock.patch.object(kerasseq.data.streams, "BLOCK", 8 * 2 * 5):
        batches = next_character_streams(np.arange(121), 2, 5)
        [(inputs, _)] = batches.repeat().skip(position).take(1)
    assert inputs[0].numpy().tolist() == [
        *range(position % 12 * 5, position % 12 * 5 + 5)
    ]


def test_starting_late_in_a_large_text_takes_no_time():
    ids = np.broadcast_to(np.uint8(7), 10**9)  # one byte, repeated a billion times
    start = time.perf_counter()
    batches = next_character_streams(ids, 32, 64)
    assert len(batches) == 488_281
    next(iter(batches.repeat().skip(200_000)))
    assert time.perf_counter() - start < 10, "half a second on an idle machine"


@pytest.fixture
def mapped(tmp_path) -> np.ndarray:
    """Four million ids in a file."""
    path = tmp_path / "mapped.ids"
    np.random.default_rng(0).integers(0, 200, 4_000_000, np.uint8).tofile(path)
    return np.asarray(np.memmap(path, np.uint8, "r"))


def kilobytes_in_memory(mapped: np.ndarray) -> int:
    """How much of mapped ids is resident, as the system reports it."""
    name = str(mapped.base.filename)
    for part in re.split(r"\n(?=\w+-\w+ )", Path("/proc/self/smaps").read_text()):
        if name in part.partition("\n")[0]:
            return int(re.search(r"Rss:\s+(\d+) kB", part)[1])
    raise AssertionError(f"{name} is not mapped")


def test_mapped_ids_are_read_like_others(mapped):
    ids, others = (split_text(ids)[0] for ids in (mapped, np.array(mapped)))
    pairs = zip(
        next_character_streams(ids, 32, 64).as_numpy_iterator(),
        next_character_streams(others, 32, 64).as_numpy_iterator(),
        strict=True,
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this is not Linux")
def test_mapped_ids_are_released_after_reading(mapped):
    assert mapped.sum() > 0
    assert kilobytes_in_memory(mapped) > 3000, "what was touched is resident"
    training, held_out = split_text(mapped)
    assert len(list(next_character_streams(training, 32, 64))) == 1757
    assert kilobytes_in_memory(mapped) == 0
    assert mapped.sum() > 0
    frequency_loss(held_out)
    assert kilobytes_in_memory(mapped) == 0


def test_changes_to_a_map_are_not_lost(tmp_path):
    path = tmp_path / "mapped.ids"
    np.zeros(10_000, np.uint8).tofile(path)
    ids = np.memmap(path, np.uint8, "c")  # changes stay in memory
    ids[:] = 7
    ids.flags.writeable = False
    for inputs, _ in next_character_streams(ids, 2, 9):
        assert (inputs.numpy() == 7).all()
    assert (ids == 7).all()


def test_streams_of_a_text_worked_out_by_hand():
    vocabulary = Vocabulary.from_text("abcdefghijklmnop")
    ids = vocabulary.encode("abcdefghijklmnop")
    batches = next_character_streams(ids, num_streams=2, length=3)
    assert [
        [[vocabulary.decode(row) for row in part] for part in pair]
        for pair in batches.as_numpy_iterator()
    ] == [
        [["abc", "hij"], ["bcd", "ijk"]],
        [["def", "klm"], ["efg", "lmn"]],
    ]


def test_streams_have_static_shapes_and_a_length():
    batches = next_character_streams(np.arange(100), num_streams=3, length=7)
    assert len(batches) == 4
    for spec in batches.element_spec:
        assert (spec.shape, spec.dtype.name) == ((3, 7), "int32")


def test_streams_are_the_same_in_every_pass():
    batches = next_character_streams(np.arange(1009), num_streams=3, length=7)
    once, again = list(batches), list(batches)
    for (inputs, _), (inputs_again, _) in zip(once, again, strict=True):
        np.testing.assert_array_equal(inputs, inputs_again)


def test_a_text_too_short_for_one_batch_is_refused_with_the_least_length():
    with pytest.raises(ValueError, match="21 characters are too few for 3 streams"):
        next_character_streams(np.arange(21), num_streams=3, length=7)
    with pytest.raises(ValueError, match="at least 22"):
        next_character_streams(np.arange(0), num_streams=3, length=7)
    assert len(next_character_streams(np.arange(22), num_streams=3, length=7)) == 1


def test_batches_are_not_autotuned_which_would_delay_the_end_of_training():
    batches = next_character_streams(np.arange(100), 2, 5)
    assert batches.repeat().options().autotune.enabled is False
