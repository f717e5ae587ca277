"""CoNLL files: what is read, what is refused with which line, what tags mark."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kerasseq.data.tagged import (
    TaggedSentence,
    find_kinds,
    read_tagged_sentences,
    write_tagged_sentences,
)
from kerasseq.text.tags import Entity, find_entities, may_follow, tag_names

GOOD = "Ada\tB-person\nLovelace\tI-person\nsang\tO\n\nin\tO\nRome\tB-place\n"


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "names.conll"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_a_file_by_hand(file):
    assert read_tagged_sentences(file(GOOD)) == [
        TaggedSentence(("Ada", "Lovelace", "sang"), ("B-person", "I-person", "O")),
        TaggedSentence(("in", "Rome"), ("O", "B-place")),
    ]


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n\n", "\n\t\n"),  # as in the files of WNUT 2017
        "\n \n" + GOOD.replace("\n\n", "\n\n\n\t\n\n") + "\n\n",
        GOOD.removesuffix("\n"),
        "\ufeff" + GOOD,
    ],
)
def test_blank_lines_and_line_ends_do_not_matter(file, content):
    assert read_tagged_sentences(file(content)) == read_tagged_sentences(file(GOOD))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a\tO\nb O\n", "line 2: 1 columns, not 2, in 'b O'"),
        ("a\tO\n\nb\tNN\tB-x\n", "line 3: 3 columns, not 2"),
        ("a\tO\nNew York\tB-x\n", "line 2: the token 'New York' is empty or holds"),
        ("a\tO\n\tB-x\n", "line 2: the token '' is empty"),
        ("a\tO\na\x0bb\tB-x\n", "line 2: the token 'a\\x0bb' is empty or holds"),
        ("a\tO\nb\tB\n", "line 2: 'B' is not a BIO tag"),
        ("a\tO\nb\tS-x\n", "line 2: 'S-x' is not a BIO tag"),
        ("a\tO\nb\tB- x\n", "line 2: 'B- x' is not a BIO tag"),
        ("a\tO\nb\to\n", "line 2: 'o' is not a BIO tag"),
        ("a\tB-x\n\nb\tI-x\n", "line 3: 'I-x' may not follow 'O'; an entity's first "
         "token is tagged 'B-x'"),
        ("a\tB-x\nb\tI-y\n",  "line 2: 'I-y' may not follow 'B-x'"),
        ("a\tO\nb\tB-z\n", "line 2: the kind of 'B-z' is none of ('x', 'y')"),
        (f"a\tB-x\n{'w' * 99_998}\tO\n", "line 2: a token of 99,998 characters, 'www"),
        ("w" * 100_000, "line 1: 1 columns, not 2, in 'w"),
        ("a\tB-x\ncaf\xe9\tO\n".encode("latin1"), ":2 is not UTF-8: its byte 3 is "
         "0xe9"),
        ("a\tB-x\n".encode("utf-16"), "its byte order mark names utf-16"),
        ("a\tO\nb\tO\n", "marks no entity (each of its tokens is tagged O)"),
        ("a\tB-x\nb\tB-x\n",  "each token is tagged 'B-x', so there is nothing"),
        ("\n\t\n", "marks no entity (no line in it)"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_refused_with_file_line_and_reason(file, content, reason):
    path = file(content)
    with pytest.raises(ValueError) as caught:
        read_tagged_sentences(path, kinds=("x", "y"))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert reason in message
    assert len(message) < 400
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_tagged_sentences(tmp_path / "none.conll")
    with pytest.raises(ValueError, match="directory"):
        read_tagged_sentences(tmp_path)


TOKENS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\t\n\v\f\r "),
    min_size=1,
    max_size=8,
).filter(lambda token: token.strip() and token[0] != "\ufeff")


@st.composite
def legal_tags(draw, length: int) -> tuple[str, ...]:
    names, tags = tag_names(["x", "y"]), ["O"]
    for _ in range(length):
        tags.append(
            draw(st.sampled_from([n for n in names if may_follow(tags[-1], n)]))
        )
    return tuple(tags[1:])


@st.composite
def tagged(draw) -> TaggedSentence:
    tokens = draw(st.lists(TOKENS, min_size=1, max_size=6))
    return TaggedSentence(tuple(tokens), draw(legal_tags(len(tokens))))


@given(sentences=st.lists(tagged(), min_size=1, max_size=4))
@example([TaggedSentence(("\ufeff", "\ufeffa"), ("O", "O"))])
def test_what_is_written_is_read_again(tmp_path_factory, sentences):
    extra = TaggedSentence(("a", "b"), ("B-x", "O"))
    path = tmp_path_factory.mktemp("written") / "file.conll"
    write_tagged_sentences(path, [*sentences, extra])
    assert read_tagged_sentences(path) == [*sentences, extra]


@given(st.data())
def test_entities_give_back_the_tags(data):
    tags = data.draw(legal_tags(data.draw(st.integers(0, 9))))
    again = ["O"] * len(tags)
    for start, end, kind in find_entities(tags):
        again[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    assert tuple(again) == tags


def test_an_i_tag_without_a_b_tag_starts_an_entity():
    found = find_entities(["I-x", "I-y", "I-y", "O", "I-x"])
    assert found == [Entity(0, 1, "x"), Entity(1, 3, "y"), Entity(4, 5, "x")]


def test_names_and_kinds():
    assert tag_names(["b", "a", "b"]) == ("O", "B-a", "I-a", "B-b", "I-b")
    sentences = [TaggedSentence(("w",), ("B-b",)), TaggedSentence(("w",), ("B-a",))]
    assert find_kinds(sentences) == ("a", "b")


@pytest.mark.parametrize(
    ("before", "tag", "may"),
    [
        ("O", "O", True),
        ("O", "B-x", True),
        ("O", "I-x", False),
        ("B-x", "I-x", True),
        ("I-x", "I-x", True),
        ("B-x", "I-y", False),
        ("I-x", "B-x", True),
        ("I-x", "B-y", True),
        ("I-x", "O", True),
    ],
)
def test_what_may_follow(before, tag, may):
    assert may_follow(before, tag) is may
