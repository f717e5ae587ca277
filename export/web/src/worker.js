/**
 * The model, outside the page's thread. It answers each message with one message:
 * `open` a file, start to `write`, write some `more`. The page asks for each piece, so
 * it is never flooded, and to stop it asks no more.
 *
 * A file can be wrong on purpose. What it does to the runtime stays in the memory of
 * WebAssembly, which ends with this worker: the answer says `broken`, and the page takes
 * another worker.
 */

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { checkSignatures, openModel } from "./model.js";
import { onArrays } from "./runtime.js";
import { writeTokens } from "./writing.js";

// LiteRT.js asks for a GPU when it starts, but nothing here would use it.
Object.defineProperty(navigator, "gpu", {
  value: { requestAdapter: async () => null },
});

let runtime;
let compiled;
let model;
let writing;

const answers = {
  async open({ content, name }) {
    compiled?.delete();
    compiled = model = writing = undefined;
    const opened = await openModel(new Uint8Array(content), name);
    runtime ??= loadLiteRt("./");
    await runtime.catch((error) => {
      runtime = undefined;
      throw new Error(
        `LiteRT.js does not start (${error.message}); load the page again`,
      );
    });
    await guarded(`LiteRT.js cannot open ${name}`, async () => {
      compiled = await loadAndCompile(opened.flatbuffer, { accelerator: "wasm" });
    });
    checkSignatures(compiled.signatures, opened.card, name);
    model = { ...opened, name };
    return { card: model.card, characters: model.characters };
  },
  write(job) {
    return guarded(`LiteRT.js cannot run ${model.name}`, () => {
      const generate = onArrays(compiled.signatures.generate, Tensor);
      writing = writeTokens(generate, { ...job, stateShapes: model.card.state_shapes });
      return {};
    });
  },
  more() {
    return guarded(`LiteRT.js cannot run ${model.name}`, async () => {
      const { value = [], done } = await writing.next();
      const text = Array.from(value, (id) => model.characters[id]).join("");
      return { text, count: value.length, done };
    });
  },
};

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
  // One after the other, so that no file is replaced while it writes.
  before = before.then(async () => {
    try {
      self.postMessage({ id, answer: await answers[type](content) });
    } catch (error) {
      const broken = error instanceof Fault;
      self.postMessage({ id, error: error.message ?? String(error), broken });
    }
  });
};
