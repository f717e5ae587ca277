"""Files with right hashes and wrong insides are refused in one line when opened."""

import copy
import hashlib
import io
import json
import tracemalloc
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.on_device.card import CARD, CONTRACT_VERSION, KINDS, OF_KIND
from kerasseq.on_device.model_file import Model
from tests.support.contract import promised

FLATBUFFER = b"FLATBUFFER" * 7
OF_WORDS = {"length": 7, "vocabulary_size": 3}
STATES = [[1, 5], [1]]
SETTINGS = {"length": 9, "temperature": 0.5, "top_k": 0, "top_p": 1, "min_p": 0.25}
CARDS = {
    "character model": {
        "vocabulary_size": 3,
        "state_shapes": STATES,
        "sampling_defaults": SETTINGS,
    },
    "next-word model": {"vocabulary_size": 3, "state_shapes": STATES, "first_word": 2},
    "encoder": OF_WORDS,
    "tagger": OF_WORDS | {"num_letters": 5, "tags": ["O", "B-x", "I-x"]},
    "classifier": OF_WORDS | {"num_letters": 5, "labels": ["docstring", "code"]},
    "translator": {
        "vocabulary_size": 262,
        "length": 7,
        "memory_shapes": STATES,
        "state_shapes": STATES,
    },
}
CHARACTERS = {"characters": ["a", "\n", "𝄞"]}
WORDS = {"words": ["<PAD>", "<UNK>", "é"]}
PIECES = {"pieces": [" th", "é", "er"]}


def vocabulary_of(kind):
    return {"character model": CHARACTERS, "translator": PIECES}.get(kind, WORDS)


def card_of(kind, vocabulary=None):
    """A card without a fault."""
    text = json.dumps(vocabulary or vocabulary_of(kind))
    return {
        "contract": CONTRACT_VERSION,
        "kind": kind,
        "sha256": hashlib.sha256(FLATBUFFER).hexdigest(),
        "attachments": {"vocabulary.json": hashlib.sha256(text.encode()).hexdigest()},
        **copy.deepcopy(CARDS[kind]),
    }


def attached(card, vocabulary):
    """The attached files, with the card's right hash."""
    card = card if isinstance(card, bytes) else json.dumps(card).encode()
    if not isinstance(vocabulary, bytes):
        vocabulary = json.dumps(vocabulary).encode()
    line = f"{hashlib.sha256(card).hexdigest()}  card.json\n"
    return {"card.json": card, "card.sha256": line, "vocabulary.json": vocabulary}


def write(path, files):
    content = io.BytesIO(FLATBUFFER)
    with (
        zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive,
        warnings.catch_warnings(action="ignore"),  # of a name twice
    ):
        for name, text in files:
            archive.writestr(name, text)
    path.write_bytes(content.getvalue())
    return path


def refused(path) -> str:
    """The message of the one error that opening may end in."""
    with pytest.raises(ValueError) as caught:
        Model(path)
    assert type(caught.value) is ValueError and caught.value.__cause__ is None
    message = str(caught.value)
    assert message.startswith(str(path)) and len(message.splitlines()) == 1
    assert message.isascii() and len(message) < len(str(path)) + 400
    return message


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "m.tflite"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_a_fault_is_opened(kind, path):
    files = attached(card_of(kind), vocabulary_of(kind))
    model = Model(write(path, files.items()))
    assert (model.kind, model.card) == (kind, card_of(kind))
    assert model.vocabulary == vocabulary_of(kind)
    assert model.flatbuffer == FLATBUFFER


REQUIRED = [
    (kind, name)
    for kind in KINDS
    for name in (*OF_KIND[kind], "kind", "sha256", "attachments", "vocabulary_size")
]


@pytest.mark.parametrize(("kind", "name"), REQUIRED)
def test_each_entry_is_needed_and_of_its_type(kind, name, path):
    whole = card_of(kind)
    for wrong in (None, True, [], {}, -1, 128.0, 1e300, "O", [1], ["a", "a"], [[]]):
        changed = whole | {name: wrong}
        message = refused(write(path, attached(changed, vocabulary_of(kind)).items()))
        assert f"card.json: {name}" in message
    del whole[name]
    message = refused(write(path, attached(whole, vocabulary_of(kind)).items()))
    assert f"card.json has no {name}" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", 7.0),
        ("length", -1),
        ("length", 2**31),
        ("temperature", -0.1),
        ("temperature", "1"),
        ("top_k", 0.5),
        ("top_p", 1.1),
        ("min_p", False),
        ("min_p", None),
    ],
)
def test_each_default_is_in_its_range(name, value, path):
    card = card_of("character model")
    card["sampling_defaults"][name] = value
    message = refused(write(path, attached(card, CHARACTERS).items()))
    assert f"sampling_defaults: {name} is {value!r}, not a" in message


KIND = "classifier"
HALF = b'"\\ud834"'


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: b"[" * 100_000, "nested too deep"),
        (lambda text: text[:-1] + b', "x": ' + b"[" * 9 + b"]" * 9 + b"}", "deep"),
        (lambda text: b"[]", "it is no object"),
        (lambda text: b"null", "it is no object"),
        (lambda text: text.replace(b"7", b"NaN"), "NaN is no finite number"),
        (lambda text: text.replace(b"7", b"Infinity"), "Infinity is no finite"),
        (lambda text: text.replace(b"7", b"1e999"), "1e999 is no finite number"),
        (lambda text: text.replace(b"7", b"9" * 5000), "integer string conversion"),
        (lambda text: text.replace(b'"code"', HALF), "surrogates not allowed"),
        (lambda text: text.replace(b'"code"', b'"\xed\xa0\x80"'), "can't decode"),
        (lambda text: text[:-1] + b', "labels": []}', "has a key twice"),
        (lambda text: text.decode().encode("utf-16"), "can't decode"),
        (lambda text: text + b" " * 2**20, "is out of proportion"),
        (lambda text: b"", "Expecting value"),
    ],
)
def test_a_card_must_be_plain_json(change, complaint, path):
    card = change(json.dumps(card_of(KIND)).encode())
    assert complaint in refused(write(path, attached(card, WORDS).items()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "entries",
    [
        {"a": 0, "b": 1, "c": 2},
        "abc",
        ["a", "b", "b"],
        ["a", "b", ""],
        ["a", "b", 3],
        ["a", "b", ["c"]],
        ["a", "b", None],
        ["a", "b", "\ud834"],
        ["a", "b"],
        ["a", "b", "c", "d"],
        [],
        None,
    ],
    ids=str,
)
def test_a_vocabulary_must_be_a_list_of_so_many_different_texts(kind, entries, path):
    ((key, _),) = vocabulary_of(kind).items()
    vocabulary = {key: entries}
    card = card_of(kind, vocabulary)
    message = refused(write(path, attached(card, vocabulary).items()))
    assert "vocabulary.json" in message


def test_labels_that_are_turned_round_are_seen(path):
    card = card_of(KIND)
    files = attached(card, WORDS)
    files["card.json"] = json.dumps(card | {"labels": card["labels"][::-1]})
    message = refused(write(path, files.items()))
    assert "card.json is damaged: SHA-256" in message


def test_a_card_without_its_hash_is_an_older_file(path):
    files = attached(card_of(KIND), WORDS)
    del files["card.sha256"]
    message = refused(write(path, files.items()))
    assert "card.sha256" in message and message.endswith("export it again")


@pytest.mark.parametrize("name", ["card.json", "card.sha256", "vocabulary.json"])
def test_a_name_that_is_there_twice_is_refused(name, path):
    files = list(attached(card_of(KIND), WORDS).items())
    message = refused(write(path, [*files, (name, "{}")]))
    assert f"it has {name} twice" in message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=6,
)


@given(st.sampled_from(REQUIRED), JSON)
def test_any_value_is_refused_in_a_line_or_is_as_the_contract_says(path, entry, value):
    kind, name = entry
    card = card_of(kind) | {name: value}
    write(path, attached(card, vocabulary_of(kind)).items())
    try:
        model = Model(path)
    except ValueError:
        refused(path)
        return
    found = model.card[name]
    assert type(found) is type(CARDS[kind][name])
    if isinstance(found, list) and not name.endswith("shapes"):
        assert all(type(each) is str for each in found) and found


@pytest.mark.parametrize("name", ["card.json", "card.sha256", "vocabulary.json"])
def test_a_file_that_swells_is_not_read(name, path):
    files = attached(card_of(KIND), WORDS) | {name: b" " * 2**26}
    write(path, files.items())
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    try:
        assert "out of proportion" in refused(path)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, 100, 2**31, 2**32 - 1])
def test_a_size_that_is_not_true_is_refused(size, path):
    # The declared size, as the 4 bytes at offset 24 of the directory's first entry.
    write(path, attached(card_of(KIND), WORDS).items())
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    path.write_bytes(content)
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(method, path):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, text in attached(card_of(KIND), WORDS).items():
            archive.writestr(name, text)
    assert "compressed in another way" in refused(path)


def test_an_encrypted_entry_is_refused(path):
    write(path, attached(card_of(KIND), WORDS).items())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refused(path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_every_entry_that_a_card_must_have(kind):
    assert {*CARD, *OF_KIND[kind]} <= promised({"kind": kind})
    assert {"corpus", "licence"} <= promised({"kind": kind})
    assert ("tags" in promised({"kind": kind})) == (kind == "tagger")
