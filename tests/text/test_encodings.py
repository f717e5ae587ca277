"""Texts in other encodings than UTF-8: read as such, and told from their bytes."""

import hashlib
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kerasseq.text.corpus import Corpus, load_corpus
from kerasseq.text.encodings import advise, point_out_controls, text_encoding
from kerasseq.text.reading import hash_text, read_characters, read_lines, read_text

# Of one byte, of one or two, of up to four, and with a byte order mark.
ENCODINGS = ("cp1252", "koi8-r", "cp949", "gb18030", "utf-16", "utf-32", "utf-16-be")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "a.txt"


@given(
    st.sampled_from(ENCODINGS),
    st.text(st.characters(exclude_characters="\0")),
    st.text("aé“яñ你한\n\r", min_size=1, max_size=40),
    st.integers(3, 17),
)
@example("utf-16", "", "\n\r\n𝄞", 3)
def test_a_text_in_another_encoding_is_read_as_it_was_written(
    path, encoding, some, more, size
):
    data = (some + more).encode(encoding, "ignore")
    text = data.decode(encoding)
    assume(text and not text.startswith("\ufeff"))
    assume(data.isascii() or not is_utf8(data))
    path.write_bytes(data)
    pieces = read_characters(path, size=size, encoding=encoding)
    assert "".join(pieces) == read_text(path, encoding) == text
    lines = [line for _, line in read_lines(path, encoding)]
    assert "\n".join(lines) == text
    assert hash_text(path, encoding) == hashlib.sha256(text.encode()).hexdigest()


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_corpus_is_the_same_in_any_encoding(path):
    text = "Füße über Österreich – “ja”\n" * 9
    for encoding in ("utf-8", "cp1252", "utf-16"):
        path.write_bytes(text.encode(encoding))
        for _ in range(2):  # the second time from the cache
            corpus = load_corpus(path, encoding)
            assert corpus == Corpus.from_text("a.txt", text) and corpus.text == text


TEXTS = {
    "cp1252": [
        "It’s here – “now”.\n" * 30,
        "Wait… he paid €5 for it, didn’t he",
        "Près de l’hôtel où naît la forêt, « l’été » était fini.",
        "Die Straße über den Fluß führt „heute“ nach Österreich.",
        "El niño comió mañana una piña en España, ¿verdad?",
    ],
    "cp1251": ["Он сказал: «Всё смешалось в доме Облонских» — и ушёл…"],
    "cp1253": ["Η γάτα κοιμάται στο δρόμο κοντά στο κάστρο και ονειρεύεται ψάρια."],
    "cp932": ["吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"],
    "gb18030": ["你好，世界！今天的天气很好，我们去公园散步吧。"],
    "cp949": ["고양이는 성 근처 거리에서 자고 물고기 꿈을 꾼다."],
}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [(name, text) for name, texts in TEXTS.items() for text in texts],
)
def test_the_advice_names_the_encoding_and_following_it_gives_the_text(
    encoding, text, path
):
    """Where the text begins, and far from both ends of a long file."""
    for before in ("", "Plain words.\n" * 9000):
        path.write_bytes((before + text + before).encode(encoding))
        for read in (read_text, lambda path: list(read_lines(path))):
            with pytest.raises(ValueError) as caught:
                read(path)
            message = str(caught.value)
            assert len(message) < 400 and "\n" not in message
            named = re.search("give --encoding ([^ ]+)", message)[1]
            sample = re.search(f"reads as {named} '(.*?)'", message)[1]
            assert sample and sample in " ".join((before + text + before).split())
            assert read_text(path, text_encoding(named)) == before + text + before


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(encoding, path):
    path.write_bytes("déjà vu".encode(encoding))
    with pytest.raises(ValueError, match=f"'déjà vu': give --encoding {encoding}$"):
        read_text(path)
    assert read_text(path, encoding) == "déjà vu"


@pytest.mark.parametrize("end", [b"\xe9 rest", b"\xc3", b"\xff"])
def test_utf8_with_a_fault_is_said_to_be_damaged(end, path):
    path.write_bytes("été à la mer\n".encode() * 20 + end)
    with pytest.raises(ValueError, match=r"byte 320 is .*is UTF-8, so the file is dam"):
        read_text(path)


@given(st.binary(min_size=1, max_size=80), st.data())
def test_any_bytes_get_one_short_line(data, choice):
    advice = advise(data, choice.draw(st.integers(0, len(data) - 1)))
    assert len(advice) < 250 and advice.isprintable()


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        ("é".encode(), "cp1252", "is UTF-8, not cp1252: leave out --encoding"),
        (b"ab\x81", "cp1252", "is not cp1252, which ends at byte 2"),
        (b"ab\0c", "cp1252", "holds NUL, read as cp1252"),
        ("é".encode("utf-16")[:-1], "utf-16", "is not utf-16, which ends at byte"),
        (b"+2AA-", "utf-7", "is not utf-7"),
        (b"\xff\xfe", "utf-16", "is empty"),
    ],
)
def test_what_is_not_in_the_named_encoding_is_refused(data, encoding, reason, path):
    path.write_bytes(data)
    for read in (read_text, hash_text, load_corpus):
        with pytest.raises(ValueError, match=rf"a\.txt {reason}"):
            read(path, encoding)


def test_names_of_encodings():
    assert text_encoding("CP1252") == text_encoding("windows-1252") == "cp1252"
    assert text_encoding("utf8") == text_encoding("UTF-8-sig") == "utf-8"
    for name in ("base64", "rot13", "latin9000", "", "a\0b", "é", "undefined"):
        with pytest.raises(ValueError, match="is no encoding of texts"):
            text_encoding(name)


def test_control_characters_of_cp1252_are_pointed_out(path, capsys):
    path.write_bytes("It’s “now”".encode("cp1252").decode("latin1").encode())
    load_corpus(path)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("a.txt holds the control characters U+0092 (’), U+0093 (“)")
    assert said.endswith("--encoding cp1252")
    point_out_controls(path, "naïve – été\x7f")
    assert capsys.readouterr().err == ""
    point_out_controls(path, "\x81\x9b" * 4 + "\x85\x86\x87\x88")
    assert "U+0081, U+0085 (…), U+0086 (†)" in capsys.readouterr().err
