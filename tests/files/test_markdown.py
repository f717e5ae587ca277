"""Foreign text shows as itself in Markdown, by a parser that is not ours."""

from hypothesis import example, given

from kerasseq.files.markdown import code_block, plain
from kerasseq.on_device.command import visible
from tests.support.markdown import MARKUP, OURS, tokens


@given(MARKUP)
@example("|")
@example("a\\|b")
@example("_a_b_")
@example("see www.example.org, https://example.org and a@example.org")
def test_text_in_a_cell_and_in_a_heading_shows_as_itself(text):
    page = f"## {plain(text)}\n\n| {plain(text)} |\n| --- |\n| {plain(text)} |\n"
    found = tokens(page)
    assert {token.type for token in found} <= OURS
    lines = [token for token in found if token.type == "inline"]
    assert [
        "".join(inner.content for inner in line.children) for line in lines
    ] == 3 * [visible(text).strip()]


@given(MARKUP)
@example("```\n<b>")
@example("````\n```")
def test_a_code_block_holds_any_text(text):
    page = "\n".join(["## Sample", "", *code_block(text), "", "## Next"])
    kinds = [token.type for token in tokens(page) if token.type not in OURS]
    assert kinds == ["fence"]
    assert len([token for token in tokens(page) if token.type == "heading_open"]) == 2
    (block,) = (token for token in tokens(page) if token.type == "fence")
    normal = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    assert block.content == normal + "\n"
