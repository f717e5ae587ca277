"""The demonstration of attention shows the numbers that were computed."""

import json

from kerasseq.pictures.attention import demo_tables, write_demo
from kerasseq.scores.attention import attention_demo, scaling_study


def rows_of(markdown: str) -> dict[str, list[str]]:
    """The cells of each table row, by the first cell."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows}


def test_tables_have_the_numbers():
    demo = attention_demo(5)
    text = demo_tables(demo)
    tables = text.split("\n\n")
    one, weights, values, outputs = (t for t in tables if t.startswith("|"))

    def cells(numbers):
        return [f"{number:.3f}" for number in numbers]

    assert rows_of(one)["query 1"] == [f"key {n}" for n in range(1, 8)]
    assert rows_of(one)["product"] == cells(demo.products[0])
    assert rows_of(one)["softmax of the products"] == cells(demo.unscaled_weights[0])
    assert rows_of(one)["score: product / sqrt(64)"] == cells(demo.scores[0])
    assert rows_of(one)["weight: softmax of the scores"] == cells(demo.weights[0])
    assert rows_of(weights)["query 5"] == [*cells(demo.weights[4]), "1.000"]
    assert rows_of(values)["key 7"] == cells(demo.value[6])
    assert rows_of(outputs)["query 5"] == cells(demo.output[4])
    # On a terminal the columns line up.
    for table in (one, weights, values, outputs):
        assert len({len(line) for line in table.splitlines()}) == 1


def test_write_demo(tmp_path):
    figures = write_demo(tmp_path / "attention", seed=4)
    written = sorted(file.name for file in (tmp_path / "attention").iterdir())
    assert written == ["demo.md", "scaling.png", "weights.png"]
    text = (tmp_path / "attention" / "demo.md").read_text("utf-8")
    assert demo_tables(attention_demo(4)) in text
    assert "](weights.png)" in text and "](scaling.png)" in text
    assert json.loads(json.dumps(figures)) == figures
    assert figures["seed"] == 4
    assert figures["largest difference to NumPy in float64"] < 1e-6
    sizes = [row["key size"] for row in figures["scaling"]]
    assert sizes == [4, 8, 16, 32, 64, 128, 256, 512, 1024]
    last = figures["scaling"][-1]
    row = [f"{value:.3f}" for name, value in last.items() if name != "key size"]
    assert rows_of(text)["1024"] == row
    assert figures["scaling"][:1] == scaling_study((4,), seed=4)
