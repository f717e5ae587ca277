"""Cached ids of texts: used again where they are intact, otherwise made again."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import kerasseq.text.corpus
from kerasseq.text.cache import STALE, cache_folder, find_ids, store_ids
from kerasseq.text.characters import Vocabulary
from kerasseq.text.corpus import load_corpus

# Characters of one to four bytes, and more than one chunk of a file, whose border falls
# inside a character.
TEXT = "aé好😀" * 200_000


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A cache for the test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KERASSEQ_CACHE", str(folder))
    return folder


@pytest.fixture
def path(tmp_path, folder) -> Path:
    """A text file that is in the cache."""
    path = tmp_path / "story.txt"
    path.write_text(TEXT, encoding="utf-8", newline="")
    load_corpus(path)
    return path


def is_mapped(ids: np.ndarray) -> bool:
    """Whether an array is a file that is mapped read-only."""
    return isinstance(ids.base, np.memmap) and not ids.flags.writeable


def test_a_text_in_the_cache_has_its_ids(path):
    corpus = load_corpus(path)
    vocabulary = Vocabulary.from_text(TEXT)
    assert is_mapped(corpus.ids) and corpus.ids.dtype == np.uint8
    assert corpus.vocabulary == vocabulary
    np.testing.assert_array_equal(corpus.ids, vocabulary.encode(TEXT))


@pytest.mark.parametrize(
    ("characters", "kind"),
    [
        (1, np.uint8),
        (256, np.uint8),
        (257, np.uint16),
        (65_536, np.uint16),
        (65_537, np.uint32),
    ],
)
def test_ids_have_the_smallest_type_that_holds_them(tmp_path, folder, characters, kind):
    # The last code points, so that none of them is a surrogate.
    text = "".join(map(chr, range(0x110000 - characters, 0x110000)))[::-1]
    path = tmp_path / "all.txt"
    path.write_text(text, encoding="utf-8")
    ids = load_corpus(path).ids
    assert ids.dtype == kind
    np.testing.assert_array_equal(ids, np.arange(characters)[::-1])
    (stored,) = folder.glob("*.ids")
    assert stored.stat().st_size == characters * np.dtype(kind).itemsize


def test_a_text_is_encoded_once_whatever_its_name_and_bom(path, monkeypatch):
    def encode(*arguments):
        raise AssertionError("it was found")

    monkeypatch.setattr(kerasseq.text.corpus, "read_characters", encode)
    other = path.with_name("other.txt")
    other.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_corpus(other).sha256 == load_corpus(path).sha256


def cut_ids(ids: Path, card: Path) -> None:
    os.truncate(ids, ids.stat().st_size - 1)


def lengthen_ids(ids: Path, card: Path) -> None:
    ids.write_bytes(ids.read_bytes() + b"\0")


def change_an_id(ids: Path, card: Path) -> None:
    data = bytearray(ids.read_bytes())
    data[70_001] ^= 1
    ids.write_bytes(data)


def empty_ids(ids: Path, card: Path) -> None:
    ids.write_bytes(b"")


def cut_card(ids: Path, card: Path) -> None:
    card.write_text(card.read_text()[:-9])


def write_other_json(ids: Path, card: Path) -> None:
    card.write_text("[]")


def change_vocabulary(ids: Path, card: Path) -> None:
    content = json.loads(card.read_text())
    card.write_text(json.dumps(content | {"characters": ["b", "a"]}))


def put_another_text(ids: Path, card: Path) -> None:
    """The files of another text, renamed to those of this one."""
    vocabulary = Vocabulary.from_text("ab")
    store_ids("0" * 64, vocabulary, [np.zeros(9, np.uint8)])
    shutil.copy(ids.with_name("0" * 64 + ".ids"), ids)
    shutil.copy(ids.with_name("0" * 64 + ".json"), card)


@pytest.mark.parametrize(
    "damage",
    [
        cut_ids,
        lengthen_ids,
        change_an_id,
        empty_ids,
        cut_card,
        write_other_json,
        change_vocabulary,
        put_another_text,
        lambda ids, card: ids.unlink(),
        lambda ids, card: card.unlink(),
    ],
)
def test_what_is_damaged_is_made_again(path, damage):
    sha256 = load_corpus(path).sha256
    damage(cache_folder() / f"{sha256}.ids", cache_folder() / f"{sha256}.json")
    assert find_ids(sha256) is None
    assert load_corpus(path).text == TEXT
    assert find_ids(sha256) is not None


def test_a_vocabulary_that_does_not_fit_the_ids_is_not_trusted(path):
    sha256 = load_corpus(path).sha256
    card = cache_folder() / f"{sha256}.json"
    content = json.loads(card.read_text())
    card.write_text(json.dumps(content | {"characters": ["a", "b", "c", "d"]}))
    assert load_corpus(path).text == TEXT


def test_an_interrupted_write_leaves_nothing(folder):
    def pieces():
        yield np.zeros(9, np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_ids("0" * 64, Vocabulary.from_text("ab"), pieces())
    assert not list(folder.iterdir())


def test_what_a_killed_run_left_is_removed_after_a_day(folder):
    old, new = folder / ".partial-old", folder / ".partial-new"
    for left in (old, new):
        left.mkdir(parents=True)
        (left / "ids").write_bytes(b"123")
    yesterday = time.time() - STALE - 60
    os.utime(old, (yesterday, yesterday))
    store_ids("0" * 64, Vocabulary.from_text("ab"), [np.zeros(9, np.uint8)])
    assert new.exists() and not old.exists()


def test_two_runs_can_write_the_same_text_at_once(folder):
    vocabulary = Vocabulary.from_text("ab")

    def pieces():
        yield np.zeros(9, np.uint8)
        inner = store_ids("0" * 64, vocabulary, [np.zeros(9, np.uint8), one])
        assert inner.tolist() == [0] * 9 + [1]
        yield one

    one = np.ones(1, np.uint8)
    assert store_ids("0" * 64, vocabulary, pieces()).tolist() == [0] * 9 + [1]


def test_what_cannot_be_cached_is_held_in_memory(path, monkeypatch, capsys):
    blocked = path.with_name("file")
    blocked.write_text("x")
    monkeypatch.setenv("KERASSEQ_CACHE", str(blocked / "cache"))
    corpus = load_corpus(path)
    assert corpus.text == TEXT and not is_mapped(corpus.ids)
    assert corpus.ids.dtype == np.uint8
    note = capsys.readouterr().err
    assert note.startswith("story.txt is held in memory") and note.count("\n") == 1
    assert "KERASSEQ_CACHE" in note and str(blocked) in note


def test_the_cache_is_in_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("KERASSEQ_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "kerasseq"


def test_without_a_home_there_is_no_cache(monkeypatch):
    def home():
        raise RuntimeError("no home")

    monkeypatch.delenv("KERASSEQ_CACHE")
    monkeypatch.setattr(Path, "home", home)
    assert find_ids("0" * 64) is None
    with pytest.raises(OSError, match="no home"):
        store_ids("0" * 64, Vocabulary.from_text("ab"), [])
