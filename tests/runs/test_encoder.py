"""The encoder of a run: what it learned of sentences that it has not seen."""

import pytest

from kerasseq.data.made_up_sentences import make_up_sentences
from kerasseq.files.report import read_report
from kerasseq.runs import encoder
from kerasseq.runs.options import Options
from kerasseq.training.presets import ENCODER_STEPS
from tests.support.twelve_sentences import SENTENCES

NEAREST = "nearest vector of the word at another position has its sense"


def train(folder, sentences=None, **others):
    if sentences:
        path = folder / "own.txt"
        path.write_text("\n".join(sentences))
        others["sentences"] = str(path)
    options = Options(out=folder, **others)
    plan = encoder.plan(options)
    encoder.train(options, plan)
    return plan, read_report(folder)["encoder"]


def test_nothing_that_is_held_out_is_trained_on():
    plan = encoder.plan(Options())
    assert len(plan.sentences) == 5400 and len(plan.held_out) == 600
    assert not set(plan.sentences) & set(plan.held_out)
    assert [*map(str, plan.made_up)] == list(plan.held_out)


@pytest.mark.slow
def test_the_senses_of_words_in_new_sentences_are_told_apart(tmp_path):
    _, report = train(tmp_path)
    loss = report["loss of masked words"]
    assert loss < 0.5 * report["loss of a bigram, from the word before"]
    assert loss < 0.8 * report["loss of a bigram, from both neighbours"]
    assert report[NEAREST] > 0.95
    assert 0.4 < report[f"{NEAREST}, input"] < 0.6
    assert report["silhouette of the senses"] > 0.4
    assert abs(report["silhouette of the senses, input"]) < 0.1
    heads = [figure for name, figure in report.items() if name.startswith("block ")]
    roles = {head.partition(", ")[0] for head in heads if "many words" not in head}
    assert len(heads) == 8
    assert roles & {"the words that tell the sense", "the other words of the topic"}


@pytest.mark.slow
@pytest.mark.usefixtures("without_xla")
def test_own_sentences_are_split_or_learned_by_heart(tmp_path, monkeypatch):
    monkeypatch.setitem(ENCODER_STEPS, "fast", 10)
    own = [*map(str, make_up_sentences(120, seed=3))]
    plan, report = train(tmp_path, [*own, *own], preset="fast")
    assert report["held-out sentences"] == 12 and report["sentences"] == 108
    assert not set(plan.sentences) & set(plan.held_out)
    assert NEAREST not in report, "nobody knows the senses"
    few, report = train(tmp_path, SENTENCES, preset="fast")
    assert report["held-out sentences"] == 0 and report["sentences"] == 12
    assert few.held_out == few.sentences == SENTENCES
