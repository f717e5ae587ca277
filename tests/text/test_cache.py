"""Cached ids of texts: used again where they are intact, otherwise made again."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import kerasseq.text.corpus
from benchmarks.survival_disks import command, tmpfs, why_not
from kerasseq.text.cache import LONGEST_CARD, find_ids, store_ids
from kerasseq.text.cache_folder import STALE, cache_folder, cached_texts, empty_cache
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


def add_an_id_that_is_no_character(ids: Path, card: Path) -> None:
    ids.write_bytes(ids.read_bytes()[:-1] + b"\x04")


def add_half_a_character(ids: Path, card: Path) -> None:
    card.write_text(json.dumps({"characters": ["a", "\ud800", "好", "😀"]}))


def nest_the_card(ids: Path, card: Path) -> None:
    card.write_text("[" * 100_000)


def lengthen_the_card(ids: Path, card: Path) -> None:
    card.write_text(card.read_text() + " " * LONGEST_CARD)


def link(ids: Path, card: Path) -> None:
    """The same files, but elsewhere, where others may write."""
    for path in (ids, card):
        path.rename(path.parent.with_name(path.name))
        path.symlink_to(path.parent.with_name(path.name))


def put_a_pipe(ids: Path, card: Path) -> None:
    ids.unlink()
    os.mkfifo(ids)


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
        add_an_id_that_is_no_character,
        add_half_a_character,
        nest_the_card,
        lengthen_the_card,
        link,
        put_a_pipe,
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


# --- private, and within a limit


needs_rights = pytest.mark.skipif(
    not hasattr(os, "geteuid"), reason="this system has other rights"
)


@needs_rights
@pytest.mark.parametrize("before", [None, 0o755, 0o777, 0o700])
def test_only_the_owner_can_read_what_is_cached(tmp_path, folder, before):
    if before:
        folder.mkdir()
        folder.chmod(before)
    path = tmp_path / "diary.txt"
    path.write_text("private")
    usual = os.umask(0)
    try:
        load_corpus(path)
    finally:
        os.umask(usual)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}


@needs_rights
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("user", "belongs to another user"), ("rights", "cannot be made private")],
)
def test_a_folder_that_is_not_private_is_not_used(
    path, folder, monkeypatch, capsys, fault, reason
):
    if fault == "user":
        monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    else:
        folder.chmod(0o777)
        monkeypatch.setattr(Path, "chmod", lambda path, mode: None)
    before = {each: each.stat().st_mtime_ns for each in folder.iterdir()}
    capsys.readouterr()
    assert not is_mapped(load_corpus(path).ids), "what others wrote is not believed"
    assert reason in capsys.readouterr().err
    assert {each: each.stat().st_mtime_ns for each in folder.iterdir()} == before


def test_a_line_says_where_a_text_is_kept(path, folder, capsys):
    empty_cache()
    load_corpus(path)
    note = capsys.readouterr().err
    assert str(folder) in note and "kerasseq cache" in note and note.count("\n") == 1
    load_corpus(path)
    assert capsys.readouterr().err == "", "said once"


def store(number: int, size: int, used: float) -> np.ndarray:
    """A text of so many bytes of ids, used so many seconds ago."""
    sha256 = f"{number:064x}"
    ids = store_ids(sha256, Vocabulary.from_text("ab"), [np.full(size, 1, np.uint8)])
    for each in cache_folder().glob(f"{sha256}.*"):
        os.utime(each, (time.time() - used,) * 2)
    return ids


def kept() -> list[int]:
    return [int(entry.name, 16) for entry in cached_texts()]


def test_the_texts_used_longest_ago_make_room(folder, monkeypatch):
    monkeypatch.setenv("KERASSEQ_CACHE_GB", "5e-6")  # 5,000 bytes
    oldest = store(1, 2000, used=300)
    for number, used in ((2, 100), (3, 200)):
        store(number, 1000, used)
    assert kept() == [2, 3, 1]
    store(4, 1000, used=0)
    assert kept() == [4, 2, 3]
    assert oldest.sum() == 2000, "a run that has it mapped keeps it"
    store(5, 9000, used=0)
    assert kept() == [5], "the newest stays, whatever its size"


def test_a_text_that_was_found_is_not_the_oldest(path, monkeypatch):
    (entry,) = cached_texts()
    for each in entry.paths:
        os.utime(each, (0, 0))
    store(1, 1000, used=100)
    load_corpus(path)
    assert [each.name for each in cached_texts()] == [entry.name, f"{1:064x}"]


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf", "1" * 999])
def test_a_limit_that_is_no_size_is_refused(path, monkeypatch, given):
    monkeypatch.setenv("KERASSEQ_CACHE_GB", given)
    path.write_text("another text")
    with pytest.raises(ValueError, match="give the gigabytes of texts to keep"):
        load_corpus(path)


def test_a_limit_of_nothing_holds_texts_in_memory(path, folder, monkeypatch, capsys):
    monkeypatch.setenv("KERASSEQ_CACHE_GB", "0")
    empty_cache()
    assert not is_mapped(load_corpus(path).ids)
    assert "held in memory" in capsys.readouterr().err and not list(folder.iterdir())


def test_emptying_removes_what_is_ours_and_nothing_else(path, folder):
    (folder / ".partial-1").mkdir()
    (folder / ".partial-1" / "ids").write_bytes(b"123")
    (folder / f"page-{'0' * 16}").mkdir()
    others = {folder / "notes.txt", folder / "page-1", folder / f"{'0' * 63}.ids"}
    for each in others:
        each.write_text("not ours")
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (folder / ".partial-2").symlink_to(elsewhere)
    size = cached_texts()[0].size
    assert size == len(TEXT) + len(Vocabulary.from_text(TEXT).to_json())
    assert empty_cache() >= size + 3
    assert set(folder.iterdir()) == others and (elsewhere / "kept").exists()
    assert cached_texts() == [] and empty_cache() == 0


def test_a_read_only_cache_is_used_and_emptying_it_fails(tmp_path, monkeypatch):
    if reason := why_not("full", tmp_path):
        pytest.skip(f"no disk can be mounted here: {reason}")
    with tmpfs(tmp_path, 2**20) as disk:
        disk.chmod(0o700)
        monkeypatch.setenv("KERASSEQ_CACHE", str(disk))
        path = tmp_path / "story.txt"
        path.write_text("a short story")
        load_corpus(path)
        command("mount", "-o", "remount,ro", disk)
        assert is_mapped(load_corpus(path).ids)
        with pytest.raises(OSError, match=r"0 bytes, but .*\.json stays \(Read-only"):
            empty_cache()
        assert len(cached_texts()) == 1
