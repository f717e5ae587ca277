"""Give the page the bad input of fuzz_runner.py: `python tests/fuzz/fuzz_page.py`.

The same cases (--cases 2000) in Chromium: each file is chosen on the page, prompt and
settings are filled in, and Write is pressed. A refusal must be one sentence. A text
must be the one that generate.py writes for the same input, and what generate.py refuses
must not be written. Requires playwright, chromium and the built page
(export/web/README.md).
"""

import argparse
import base64
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.same_text import browser, serving
from tests.fuzz.fuzz_runner import LENGTH, Case, Outcome, cases, run, sample_files

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
      () => $("opening-error").textContent || $("status").textContent.includes("open."),
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
  $("text").textContent = $("status").textContent = "";
  $("writing").requestSubmit();
  const wrong = () =>
    [...document.querySelectorAll("[id$='-error']")].find((each) => each.textContent);
  await until(() => wrong() || $("status").textContent.startsWith("Wrote"));
  if (wrong()) return { refused: wrong().textContent };
  return { text: $("text").textContent, unknown: $("unknown").textContent };
}"""


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


def fuzz(count: int) -> Counter:
    """Run cases and count their outcomes, by kind.

    Raises:
        AssertionError: a case ended in the wrong way; the message shows it.
    """
    whole, others = sample_files()
    counts: Counter = Counter()
    with (
        serving() as address,
        browser() as chromium,
        tempfile.TemporaryDirectory() as directory,
    ):
        page, failures = chromium.new_page(), []
        page.on("pageerror", lambda error: failures.append(error))
        page.goto(address)
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
            assert not failures, f"case {index}, {case.kind}: {failures}"
            counts[case.kind, verdict] += 1
            if index % 200 == 199:
                print(f"{index + 1} cases", file=sys.stderr, flush=True)
    return counts


def main() -> int:
    """Print the counts; the exit code says whether every case ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000)
    try:
        counts = fuzz(parser.parse_args().cases)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    print("| case | refused | refused by the page alone | written |")
    print("| --- | --- | --- | --- |")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        row = (counts[kind, verdict] for verdict in ("refused", "stricter", "written"))
        print(f"| {kind} | {' | '.join(map(str, row))} |")
    print(f"{sum(counts.values())} cases: each gave a message or the right text")
    return 0


if __name__ == "__main__":
    sys.exit(main())
