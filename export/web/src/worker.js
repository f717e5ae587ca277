/**
 * A model, outside the page's thread. It answers each message with one message: `open` a
 * file, `run` a signature; start to `write`, write some `more`. The page asks for each
 * piece, so it is never flooded, and to stop it asks no more.
 *
 * A file can be wrong on purpose. What it does to the runtime stays in the memory of
 * WebAssembly, which ends with this worker: the answer says `broken`, and the page ends
 * the worker.
 */

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { openModel } from "./model.js";
import { onArrays } from "./runtime.js";
import { checkAnswer, checkSignatures } from "./shapes.js";
import { Writer } from "./writing.js";

// LiteRT.js asks for a GPU when it starts, but nothing here would use it.
Object.defineProperty(navigator, "gpu", {
  value: { requestAdapter: async () => null },
});
// LiteRT calls all that it says errors, such as which kernels it takes. The page shows
// what is one.
console.error = console.warn = console.info = console.debug;

let compiled;
let model;
let writer;
let runs;

const answers = {
  async open({ content, name }) {
    model = { ...(await openModel(new Uint8Array(content), name)), name };
    await loadLiteRt("./").catch((error) => {
      throw new Error(
        `LiteRT.js does not start (${error.message}); load the page again`,
      );
    });
    await guarded(`LiteRT.js cannot open ${name}`, async () => {
      compiled = await loadAndCompile(model.flatbuffer, { accelerator: "wasm" });
    });
    checkSignatures(compiled.signatures, model.card, name);
    runs = Object.fromEntries(
      Object.entries(compiled.signatures).map(([key, signature]) => {
        const run = onArrays(signature, Tensor);
        return [key, async (inputs) => checked(await run(inputs))];
      }),
    );
    const outputs = Object.entries(compiled.signatures).map(([key, signature]) => [
      key,
      Object.fromEntries(
        signature.getOutputDetails().map(({ name, shape }) => [name, [...shape]]),
      ),
    ]);
    return {
      card: model.card,
      entries: model.entries,
      outputShapes: Object.fromEntries(outputs),
    };
  },
  run({ signature, inputs }) {
    return guarded(`LiteRT.js cannot run ${model.name}`, () => runs[signature](inputs));
  },
  write(job) {
    writer = new Writer(runs.generate, { ...job, stateShapes: model.card.state_shapes });
    return {};
  },
  more({ most }) {
    return guarded(`LiteRT.js cannot run ${model.name}`, async () => {
      const ids = await writer.write(most);
      const text = Array.from(ids, (id) => model.entries[id]).join("");
      return { text, count: ids.length };
    });
  },
};

function checked(outputs) {
  checkAnswer(outputs, model.card);
  return outputs;
}

class Fault extends Error {}

/** Do something in the runtime, which throws strings, numbers and errors. */
async function guarded(complaint, work) {
  try {
    return await work();
  } catch (error) {
    const [reason] = String(error?.message ?? error).split("\n");
    throw new Fault(`${complaint} (${reason.slice(0, 200)}); export it again`);
  }
}

let before = Promise.resolve();
self.onmessage = ({ data: { id, type, content } }) => {
  // One after the other: the runtime's memory is shared.
  before = before.then(async () => {
    try {
      self.postMessage({ id, answer: await answers[type](content) });
    } catch (error) {
      const broken = error instanceof Fault;
      self.postMessage({ id, error: error.message ?? String(error), broken });
    }
  });
};
