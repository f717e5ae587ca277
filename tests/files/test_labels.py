"""Names of outputs fit into a card, or a run is refused before it trains."""

import json
from pathlib import Path

import pytest

from kerasseq.files.labels import MOST_BYTES, check_room
from kerasseq.runs import classifier, tagger
from kerasseq.runs.options import Options


def test_names_may_take_as_many_bytes_as_there_is_room_for():
    room = "x" * (MOST_BYTES - len(json.dumps(["a", ""])))
    check_room(["a", room])
    with pytest.raises(ValueError, match=r"2 labels or tags take 524,289 bytes"):
        check_room(["a", f"{room}x"])


def test_a_run_with_more_is_refused_before_it_trains(tmp_path):
    names = [f"{number}-{'x' * 990}" for number in range(600)]
    path: Path = tmp_path / "names"
    path.write_text("".join(f"{name}\ta b{i}\n" * 2 for i, name in enumerate(names)))
    with pytest.raises(ValueError, match="600 labels or tags take"):
        classifier.plan(Options(labels=str(path)))
    path.write_text("".join(f"a\tB-{name}\n\n" * 2 for name in names))
    with pytest.raises(ValueError, match="labels or tags take"):
        tagger.plan(Options(tags=str(path)))
