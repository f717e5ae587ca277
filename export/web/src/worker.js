/**
 * The model, outside the page's thread. It answers each message with one message:
 * `open` a file, start to `write`, write some `more`. The page asks for each piece, so
 * it is never flooded, and to stop it asks no more.
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
    compiled = await loadAndCompile(opened.flatbuffer, { accelerator: "wasm" });
    checkSignatures(compiled.signatures, opened.card, name);
    model = opened;
    return { card: model.card, characters: model.characters };
  },
  write(job) {
    const generate = onArrays(compiled.signatures.generate, Tensor);
    writing = writeTokens(generate, { ...job, stateShapes: model.card.state_shapes });
    return {};
  },
  async more() {
    const { value = [], done } = await writing.next();
    const text = Array.from(value, (id) => model.characters[id]).join("");
    return { text, count: value.length, done };
  },
};

let before = Promise.resolve();
self.onmessage = ({ data: { id, type, content } }) => {
  // One after the other, so that no file is replaced while it writes.
  before = before.then(async () => {
    try {
      self.postMessage({ id, answer: await answers[type](content) });
    } catch (error) {
      self.postMessage({ id, error: error.message ?? String(error) });
    }
  });
};
