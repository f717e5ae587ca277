"""CoNLL files: what is read, what is refused with which line, what tags mark."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kerasseq.data.tagged import (
    TaggedSentence,
    find_kinds,
    read_tagged_file,
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
        ("a\tO\nb\tX-x\n", "line 2: 'X-x' is not a BIO tag"),
        ("a\tB-x\nb\tE-x\nc\tL-y\n", "several schemes ('B-x' in line 1, 'E-x' in line "
         "2, 'L-y' in line 3)"),
        ("a\tB-x\nb\tO\n\nc\tS-x", "line 2: an entity has no end here; in BIOES, its "
         "last token is tagged 'E-x'"),
        ("a\tS-x\nb\tB-x\n\nc\tO", "line 2: an entity has no end"),
        ("a\tB-x\nb\tI-x\nb\tE-y\n", "line 3: an entity has no end"),
        ("a\tB-x\nb\tL-x\nc\tL-x\n", "line 3: 'L-x' continues no entity; in BILOU, "
         "the first token of one is tagged 'B-x', its only one 'U-x'"),
        ("a O\nb\tx B-x\n", "line 2: 3 columns, not 2"),
        ("a NN O\nb B-x\n", "line 2: 2 columns, not 3, in 'b B-x'; a line is a token "
         "and its tag, divided by spaces"),
        ("#x\tO\n#y\tB\n", "line 2: 'B' is not a BIO tag"),
        ("1\ta\tO\n2\tb\tB-x\n", "first column only counts the tokens"),
        ("It was the best of times,\n", "line 1: 'times,' is not a BIO tag"),
        ("a\tO\nb\tB- x\n", "line 2: 'B- x' is not a BIO tag"),
        ("a\tO\nb\to\n", "line 2: 'o' is not a BIO tag"),
        ("a\tB-x\n\nb\tI-x\n", "line 3: 'I-x' may not follow 'O'; an entity's first "
         "token is tagged 'B-x', as in line 1"),
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


CONLL_2003 = """-DOCSTART- -X- -X- O

Ada NNP B-NP I-PER
Lovelace NNP I-NP I-PER
met VBD B-VP O

Turin NNP B-NP I-LOC
Milan NNP B-NP B-LOC
and CC O O
"""


@pytest.mark.parametrize(
    ("content", "columns", "form", "tags"),
    [
        (CONLL_2003, None, "IOB1, 4 columns, 2 kinds",
         "B-PER I-PER O, B-LOC B-LOC O"),
        ("a S-x\nb O\n\nc B-y\nd E-y\n", None, "BIOES, 2 columns, 2 kinds",
         "B-x O, B-y I-y"),
        ("a\tB-x\nb\tM-x\nc\tE-x\nd\tO\n", None, "BMES, 2 columns, 1 kind",
         "B-x I-x I-x O"),
        ("# id 7\tdomain=en\n#1 _ _ O\n# _ _ B-x\nb _ _ I-x\n\n# x\n", None,
         "BIO, 4 columns, 1 kind", "O B-x I-x"),
        ("# http://a\n1\ta\tB-x\tO\n2\tb\tO\tO\n", (2, 3), "BIO, 4 columns, 1 kind",
         "B-x O"),
        ("O  -  a\nB-x  -  b \r\n", (3, 1), "BIO, 3 columns, 1 kind", "O B-x"),
        ("a\tB-$x_$|p\nb\tI-$x_$|p\nc\tB-<b>&\n", None, "BIO, 2 columns, 2 kinds",
         "B-$x_$|p I-$x_$|p B-<b>&"),
    ],
)  # fmt: skip
def test_the_forms_of_other_tools(file, content, columns, form, tags):
    found = read_tagged_file(file(content), columns=columns)
    assert found.form == form
    assert ", ".join(" ".join(each.tags) for each in found.sentences) == tags


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


# What marks the first, middle and last token of an entity, and its only one.
SCHEMES = {"BIO": "BIIB", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}


def in_scheme(scheme: str, tags: tuple[str, ...]) -> list[str]:
    """BIO tags in another scheme, from its definition."""
    marked, end, before = ["O"] * len(tags), 0, ""
    for start, stop, kind in find_entities(tags):
        marks = SCHEMES.get(scheme, "IIII")
        for index in range(start, stop):
            mark = marks[0 if index == start else 2 if index == stop - 1 else 1]
            marked[index] = f"{mark}-{kind}"
        if stop - start == 1:
            marked[start] = f"{marks[3]}-{kind}"
        if scheme == "IOB1" and start == end and before == kind:
            marked[start] = f"B-{kind}"
        end, before = stop, kind
    return marked


@given(
    st.lists(tagged(), min_size=1, max_size=5),
    st.sampled_from([*SCHEMES, "IOB1"]),
    st.sampled_from(["\t", " ", "  "]),
    st.integers(2, 5).flatmap(
        lambda count: st.tuples(
            st.just(count), st.permutations(range(count)).map(lambda found: found[:2])
        )
    ),
    st.booleans(),
)
def test_entities_are_the_same_in_each_scheme_and_form(
    tmp_path_factory, sentences, scheme, divider, form, commented
):
    sentences = [*sentences, TaggedSentence(("a", "b"), ("B-x", "O"))]
    count, (token, tag) = form
    text = "-DOCSTART- O\n\n" * commented
    for tokens, tags in sentences:
        text += "# text = a comment\n" * commented
        for word, mark in zip(tokens, in_scheme(scheme, tags), strict=True):
            row = ["_"] * count
            row[token], row[tag] = word, mark
            text += divider.join(row) + "\n"
        text += "\n"
    path = tmp_path_factory.mktemp("forms") / "file.conll"
    path.write_bytes(text.encode())
    found = read_tagged_file(path, columns=(token + 1, tag + 1))
    assert found.sentences == sentences
    named = found.form.partition(",")[0]
    for _, tags in sentences:
        assert in_scheme(named, tags) == in_scheme(scheme, tags)
    if (token, tag) == (0, count - 1):
        assert read_tagged_file(path) == found


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
