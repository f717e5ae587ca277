"""Generated text goes to a pipe as it is, and to a terminal without its controls."""

import pytest

from kerasseq.runs import samples


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [(False, "a\n\tb\x1b[2J\u202e"), (True, "a\n\tb\\x1b[2J\\u202e")],
)
def test_only_a_terminal_is_protected(terminal, shown, monkeypatch):
    monkeypatch.setattr(samples, "is_terminal", lambda stream: terminal)
    assert samples.for_terminal("a\n\tb\x1b[2J\u202e") == shown
