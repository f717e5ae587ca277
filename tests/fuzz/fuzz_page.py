"""Give the page the bad input of fuzz_runner.py: `python tests/fuzz/fuzz_page.py`.

The same cases (--cases 2000) in Chromium: each file is chosen on the page, prompt and
settings are filled in, and Write is pressed. A refusal must be one sentence. A text
must be the one that generate.py writes for the same input, and what generate.py refuses
must not be written. Then models that are wrong on purpose, under right hashes (--models
200): each must end in one sentence or a text, and the page must go on. Requires
playwright, chromium and the built page (export/web/README.md).
"""

import argparse
import base64
import contextlib
import json
import random
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.same_text import browser, serving
from tests.fuzz.fuzz_runner import (
    LENGTH,
    Case,
    Outcome,
    assemble,
    cases,
    parts,
    run,
    sample_files,
)

# What a person does: choose, wait, fill in, press, wait, read.
PLAY = """async ({ content, prompt, fields }) => {
  const $ = (id) => document.getElementById(id);
  const until = async (done) => {
    for (let turn = 0; !done(); turn += 1) {
      if (turn > 4000) throw new Error("nothing happens");
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  };
  if (content !== null) {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "case.tflite"));
    $("opening-error").textContent = $("status").textContent = "";
    $("file").files = transfer.files;
    $("file").dispatchEvent(new Event("change"));
    await until(
      () => !document.body.classList.contains("is-opening"),
    );
    const refused = $("opening-error").textContent;
    if (refused) return { refused };
  }
  const fill = (id, text) => {
    $(id).value = text;
    $(id).dispatchEvent(new Event("input"));
  };
  fill("prompt", prompt);
  for (const [id, value] of Object.entries(fields)) fill(id, value);
  $("text").textContent = $("done").textContent = "";
  $("writing").requestSubmit();
  const wrong = () =>
    [...document.querySelectorAll("[id$='-error']")].find((each) => each.textContent);
  await until(() => wrong() || $("done").textContent.startsWith("Wrote"));
  if (wrong()) return { refused: wrong().textContent };
  return { text: $("text").textContent, unknown: $("unknown").textContent };
}"""


def hostile_files(whole: bytes, count: int, seed: int = 7) -> Iterator[bytes]:
    """Files whose model is wrong and whose hashes are right."""
    chance = random.Random(seed)
    flatbuffer, files = parts(whole)
    card, vocabulary = (
        json.loads(files[f"{name}.json"]) for name in ("card", "vocabulary")
    )
    for _ in range(count):
        changed = bytearray(flatbuffer)
        for _ in range(chance.choice([1, 1, 4, 30])):
            position = chance.randrange(len(changed))
            way = chance.randrange(3)
            if way == 0:
                changed[position] ^= 1 << chance.randrange(8)
            elif way == 1:
                position = min(position, len(changed) - 4) & ~3
                number = chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(changed)])
                struct.pack_into("<I", changed, position, number)
            else:
                changed[position : position + 4] = chance.randbytes(4)
        yield assemble(bytes(changed), card, vocabulary, hashes=True)


def play(page: Any, case: Case, changed: bool) -> dict[str, str]:
    """One case on the page; the file is chosen only if it is another one."""
    fields = {"length": str(LENGTH), "seed": "0"}
    if not changed:
        fields |= {"temperature": "0.8", "top_k": "0", "top_p": "1", "min_p": "0"}
    for argument in case.arguments:
        name, value = argument.removeprefix("--").split("=")
        fields[name.replace("-", "_")] = value
    content = base64.b64encode(case.content).decode() if changed else None
    # Lone surrogates travel as JSON escapes.
    return page.evaluate(
        PLAY, {"content": content, "prompt": case.prompt, "fields": fields}
    )


def judge(case: Case, found: dict[str, str], outcome: Outcome, whole: str) -> str:
    """`refused`, `stricter` or `written`; in capitals what is wrong.

    `whole` is the text of the undamaged file.
    """
    if "refused" in found:
        if not found["refused"].strip() or "\n" in found["refused"]:
            return f"REFUSED WITHOUT ONE CLEAR SENTENCE: {found}"
        if outcome.code == 0 and case.kind in ("prompt", "vocabulary"):
            return f"REFUSED GOOD INPUT: {found}"
        return "refused" if outcome.code else "stricter"
    if outcome.code:
        # Where the card lacks a default, the page has a field with a neutral one.
        if any("card's default" in line for line in outcome.errors):
            return "written"
        # A ZIP stores much twice, and the two programs read different copies: damage
        # that one sees need not touch what the other reads and checks.
        if case.kind in ("flipped", "tail") and found["text"].endswith(whole):
            return "written"
        return f"WRITTEN WHERE GENERATE.PY REFUSES: {found}, {outcome}"
    # The page shows the known part of the prompt before the text.
    if not found["text"].endswith(outcome.text):
        return f"ANOTHER TEXT: {found}, {outcome}"
    return "written"


@contextlib.contextmanager
def a_page() -> Iterator[Any]:
    """The page in Chromium; an error that nobody caught fails at the end.

    Raises:
        AssertionError: there was one.
    """
    with serving() as address, browser() as chromium:
        page, failures = chromium.new_page(), []
        page.on("pageerror", lambda error: failures.append(error))
        page.goto(address)
        yield page
        assert not failures, failures


def fuzz(count: int) -> Counter:
    """Run cases and count their outcomes, by kind.

    Raises:
        AssertionError: a case ended in the wrong way; the message shows it.
    """
    whole, others = sample_files()
    counts: Counter = Counter()
    with a_page() as page, tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.tflite"
        open_now = None
        undamaged = run(whole, "ab", (f"--length={LENGTH}",), path).text
        for index, case in enumerate(cases(whole, others, count)):
            if case.prompt != (case.prompt.encode("utf-8", "ignore").decode()):
                # The browser's driver cannot send half a character.
                continue
            # A text field has only one kind of line ending.
            lines = case.prompt.replace("\r\n", "\n").replace("\r", "\n")
            case = case._replace(prompt=lines)
            arguments = (f"--length={LENGTH}", *case.arguments)
            outcome = run(case.content, case.prompt, arguments, path)
            found = play(page, case, case.content is not open_now)
            open_now = None if "refused" in found else case.content
            verdict = judge(case, found, outcome, undamaged)
            assert verdict.islower(), f"case {index}, {case.kind}: {verdict}"
            counts[case.kind, verdict] += 1
            if index % 200 == 199:
                print(f"{index + 1} cases", file=sys.stderr, flush=True)
    return counts


def fuzz_models(count: int) -> Counter:
    """Open files with hostile models, and count how they end.

    Raises:
        AssertionError: one did not end in one sentence or a text, or the undamaged file
            did not write its text after it.
    """
    from playwright.sync_api import Error

    whole, _ = sample_files()
    counts: Counter = Counter()
    with a_page() as page:
        expected = play(page, Case("model", whole), True)["text"]
        for index, content in enumerate(hostile_files(whole, count)):
            try:
                found = play(page, Case("model", content), True)
            except Error as error:
                assert "nothing happens" in str(error), f"model {index}: {error}"
                end = "never answers"
            else:
                refused = found.get("refused", "")
                assert "\n" not in refused, f"model {index}: {refused}"
                by_runtime = "LiteRT.js" in refused
                by = "the runtime" if by_runtime else "the page's checks"
                end = f"refused by {by}" if refused else "written"
            counts[end] += 1
            if index % 10 == 9 or end == "never answers":
                found = play(page, Case("model", whole), True)
                assert found.get("text") == expected, f"after model {index}: {found}"
    return counts


def main() -> int:
    """Print the counts; the exit code says whether every case ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--models", type=int, default=200)
    options = parser.parse_args()
    try:
        models = fuzz_models(options.models)
        counts = fuzz(options.cases)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    print("| case | refused | refused by the page alone | written |")
    print("| --- | --- | --- | --- |")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        row = (counts[kind, verdict] for verdict in ("refused", "stricter", "written"))
        print(f"| {kind} | {' | '.join(map(str, row))} |")
    print(f"{sum(counts.values())} cases: each gave a message or the right text")
    ends = ", ".join(f"{number} {end}" for end, number in sorted(models.items()))
    print(f"{sum(models.values())} hostile models: {ends}; the page went on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
