"""Any command line ends in answers or in one line, and the judge knows it."""

from pathlib import Path

import pytest

from kerasseq.on_device import classify, tag
from tests.fuzz.fuzz_commands import fuzz
from tests.support.device_files import (
    build_models,
    build_modules,
    write_files,
    write_translator,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    models, folder = build_models(), tmp_path_factory.mktemp("files")
    files = write_files(models, build_modules(models), folder)
    return files | {"translate": write_translator(folder)}


@pytest.mark.slow
def test_command_lines(files):
    assert sum(fuzz(files, 10_000).values()) == 10_000


@pytest.mark.slow
@pytest.mark.parametrize("program", [classify, tag])
def test_the_judge_sees_a_program_that_shows_foreign_text_raw(
    program, files, monkeypatch
):
    monkeypatch.setattr(program, "mark", lambda text, marks: text)
    with pytest.raises(AssertionError, match="CONTROLS A TERMINAL"):
        fuzz(files, 1000)
