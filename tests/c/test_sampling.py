"""The sampling of the C program is that of the test vectors."""

import json
import subprocess
from pathlib import Path

from tests.support.c_program import FLAGS, SOURCES

VECTORS = SOURCES.parent / "test_vectors.json"


def test_sampling_is_that_of_the_vectors(gcc, tmp_path):
    vectors = json.loads(VECTORS.read_text())
    lines, wanted = [], []
    for case in vectors["uniforms"]:
        for index, numerator in enumerate(case["numerators"], case["start"]):
            lines.append(f"u {case['seed']} {index}")
            wanted.append(numerator)
    names = "uniform", "temperature", "top_k", "top_p", "min_p"
    for case in vectors["tokens"]:
        numbers = [case[name] for name in names] + [len(case["logits"])]
        numbers += map(float, case["logits"])
        lines.append(" ".join(map(str, ("t", *numbers))))
        wanted.append(case["token"])
    answers = tmp_path / "vectors"
    sources = [Path(__file__).parent / "vectors.c", SOURCES / "sampling.c"]
    command = [gcc, "-std=c11", *FLAGS.split(), f"-I{SOURCES}", *sources]
    command += [SOURCES / "text.c", "-o", answers, "-lm"]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [answers], input="\n".join(lines).encode(), capture_output=True
    )
    found = list(map(int, done.stdout.split()))
    assert found == wanted and len(wanted) > 270
