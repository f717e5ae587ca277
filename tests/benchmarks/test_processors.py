"""Small files of every kind answer on emulated ARM64 processors as on this one."""

import pytest

from benchmarks.emulation import _run, set_up
from benchmarks.processors import CACHE, compare, difference
from tests.support.small_files import write_files

# Without dot products of 8-bit numbers, and with them.
PROCESSORS = ("cortex-a53", "cortex-a76")
# With larger weights the models are chaotic, as no trained one is.
SCALE = 0.2


@pytest.fixture(scope="module")
def emulation():
    try:
        return set_up(CACHE)
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_files(folder, SCALE)
    return sorted(folder.glob("*.tflite"))


@pytest.mark.slow
def test_every_kind_of_model_answers_the_same(emulation, files):
    assert len(files) == 26
    for path in files:
        floats = path.stem.endswith(("float32", "float16"))
        recurrent = path.stem.startswith(("gru", "lstm", "next_word"))
        for processor, found in compare(
            path, cache=emulation, processors=PROCESSORS, length=200, texts=10
        ):
            where = f"{path.name} on {processor}: {found}"
            if floats or recurrent:
                assert set(found.same) == {found.of}, where
                assert found.largest < 1e-5, where
            else:
                assert found.largest < 0.05, where
                assert not abs(found.loss) > 1e-3, where
            if recurrent and not floats and path.stem[:9] != "next_word":
                # The same logits: what is left is NumPy's softmax.
                assert found.largest < 1e-12, where


def test_differences_are_counted():
    here = [list("abcd"), list("abcd")], [0.5, 0.25]
    there = [list("abcd"), list("abxd")], [0.25, 0.25]
    found = difference("character model", here, there)
    assert found == ((4, 2), 4, pytest.approx(0.5 * 0.6931472), 0.25)
    found = difference("classifier", here, there)
    assert found[:2] == ((1,), 2)
    assert found.loss != found.loss


def test_a_program_that_fails_says_why(tmp_path):
    with pytest.raises(OSError, match=r"no emulated ARM64 processor: ls .*no_file"):
        _run(["ls", "no_file"], tmp_path)
