"""Does a file have the same loss in the browser as in Python?

    python benchmarks/browser_loss.py out [--characters 20000]

Each `.tflite` in the folder char_rnn of a run reads the run's held-out text, one `step`
per character, in LiteRT's Interpreter and in LiteRT.js in Chromium. The exit code is 1
if their losses differ by more than 0.001 nats. Requires `pip install playwright`,
chromium and node on the path, and `npm ci && npm run build` in export/web.
"""

import argparse
import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.same_text import PAGE, browser, serving
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.tokens import encode_prompt
from kerasseq.recipes.characters import ALLOWED_BETWEEN_RUNTIMES
from kerasseq.recipes.stepping import cross_entropy, step_logits, zeros
from kerasseq.text.reading import read_text

# The page's own runtime and wrapper, which call `step` instead of `generate`.
SCRIPT = """
import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { onArrays } from "./src/runtime.js";
const noGpu = { requestAdapter: async () => null };
Object.defineProperty(navigator, "gpu", { value: noGpu });
let runtime;
globalThis.loss = async (base64, ids, stateShapes) => {
  await (runtime ??= loadLiteRt("./"));
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const model = await loadAndCompile(bytes, { accelerator: "wasm" });
  const step = onArrays(model.signatures.step, Tensor);
  let states = Object.fromEntries(
    stateShapes.map(([_, size], k) => [`state_${k}`, new Float32Array(size)]),
  );
  let sum = 0;
  for (let index = 0; index + 1 < ids.length; index++) {
    const token = Int32Array.of(ids[index]);
    const { logits, ...after } = await step({ token, ...states });
    states = after;
    const largest = Math.max(...logits);
    let total = 0;
    for (const logit of logits) total += Math.exp(logit - largest);
    sum += Math.log(total) + largest - logits[ids[index + 1]];
  }
  model.delete();
  return sum / (ids.length - 1);
};
"""


def loss_in_python(model: Model, ids: np.ndarray) -> float:
    """Nats per character in LiteRT's Interpreter."""
    step = model.signatures()["step"]
    logits, _ = step_logits(step, zeros(model.state_shapes()), ids[:-1])
    return cross_entropy(logits, ids[1:])


def loss_in_browser(page: Any, model: Model, ids: np.ndarray) -> float:
    """Nats per character in LiteRT.js, in a page from `open_page`."""
    content = base64.b64encode(model.flatbuffer).decode()
    arguments = [content, ids.tolist(), list(model.state_shapes().values())]
    return page.evaluate("([file, ids, shapes]) => loss(file, ids, shapes)", arguments)


def open_page(chromium: Any, address: str) -> Any:
    """A page with SCRIPT, from serve.py, which also has the runtime's files."""
    program = PAGE / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--format=iife", "--log-level=error"]
    bundle = subprocess.run(
        [str(program), *options],
        input=SCRIPT,
        cwd=PAGE,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # The page's own policy allows no other script.
    page = chromium.new_page(bypass_csp=True)
    page.goto(address)
    page.add_script_tag(content=bundle)
    return page


def main() -> int:
    """Print a row for each file, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the folder of a run of train_all.py")
    parser.add_argument("--characters", type=int, default=20_000)
    options = parser.parse_args()
    folder = options.run / "char_rnn"
    paths = sorted(folder.glob("*.tflite"))
    if not paths:
        parser.error(f"{folder} has no .tflite; run train_all.py --out {options.run}")
    text = read_text(folder / "held_out.txt")
    print("| file | characters | Python | browser | difference |")
    print("| --- | --- | --- | --- | --- |")
    largest = 0.0
    with browser() as chromium, serving() as address:
        page = open_page(chromium, address)
        for path in paths:
            model = Model(path)
            ids = encode_prompt(text, model.vocabulary["characters"])
            read = np.array(ids[: options.characters + 1], np.int32)
            here, there = (
                loss_in_python(model, read),
                loss_in_browser(page, model, read),
            )
            largest = max(largest, abs(here - there))
            row = [path.name, len(read) - 1, f"{here:.6f}", f"{there:.6f}"]
            print(f"| {' | '.join(map(str, row))} | {there - here:+.6f} |", flush=True)
    return 1 if largest > ALLOWED_BETWEEN_RUNTIMES else 0


if __name__ == "__main__":
    sys.exit(main())
