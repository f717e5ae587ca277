/** A prompt's ids, and calls of a `generate` that says what it was asked. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { uniformNumbers } from "../src/sampling.js";
import { CHUNK } from "../src/shapes.js";
import { encodePrompt, Writer } from "../src/writing.js";

const SETTINGS = { temperature: 0.5, top_k: 3, top_p: 0.9, min_p: 0.1 };

test("a prompt's unknown characters are left out and named in order", () => {
  assert.deepEqual(encodePrompt("Xa é𝄞b\uffffaX", ["\n", "a", "b", "é"]), {
    ids: [1, 3, 2, 1],
    unknown: [" ", "X", "\uffff", "𝄞"],
  });
});

test("an empty prompt stands for a newline, or for id 0", () => {
  assert.deepEqual(encodePrompt("", ["\t", "\n"]).ids, [1]);
  assert.deepEqual(encodePrompt("X", ["a", "b"]).ids, [0]);
});

test("half of a pair is a character of its own", () => {
  assert.deepEqual(encodePrompt("a\ud834a\udd1e", ["a"]).unknown, ["\ud834", "\udd1e"]);
  assert.deepEqual(encodePrompt("\ud834", ["\ud834", "𝄞"]).ids, [0]);
});

/** A model whose token is the count of all that it has read, and that keeps a record. */
function recorded() {
  const record = { read: [], calls: [], asked: [] };
  const generate = async (inputs) => {
    record.asked.push(inputs);
    const [size, length] = [inputs.prompt_length[0], inputs.length[0]];
    record.calls.push([size, length]);
    assert.equal(inputs.prompt.length, CHUNK);
    const state = inputs.state_0.slice();
    const read = (token) => {
      record.read.push(token);
      state[0] += 1;
    };
    inputs.prompt.subarray(0, size - 1).forEach(read);
    const tokens = new Int32Array(CHUNK);
    for (let index = 0, token = inputs.prompt[size - 1]; index < length; index += 1) {
      read(token);
      token = tokens[index] = state[0];
    }
    return { tokens, state_0: state };
  };
  return { record, generate };
}

async function collect(generate, { length, ...job }) {
  const parts = [];
  const whole = { stateShapes: [[1, 2]], seed: 7, settings: SETTINGS, ...job };
  const writer = new Writer(generate, whole);
  for (let left = length; left > 0; left -= parts.at(-1).length) {
    parts.push([...(await writer.write(left))]);
  }
  return parts;
}

for (const size of [1, 255, 256, 257, 511, 512, 1021]) {
  test(`a prompt of ${size} is read whole in calls of 256`, async () => {
    const { record, generate } = recorded();
    const prompt = Array.from({ length: size }, (_, index) => 1000 + index);
    const parts = await collect(generate, { prompt, length: 1 });
    assert.deepEqual(record.read, prompt);
    assert.deepEqual(parts.flat(), [size]);
    assert.equal(parts.length, Math.max(1, Math.ceil((size - 1) / 255)));
    assert.ok(record.calls.slice(0, -1).every(([, length]) => length === 0));
  });
}

test("state and numbers go on from call to call, whatever the sizes", async () => {
  const { record, generate } = recorded();
  let time = 0;
  const parts = await collect(generate, {
    prompt: [5],
    length: 999,
    now: () => (time += 7),
  });
  assert.deepEqual(
    parts.flat(),
    Array.from({ length: 999 }, (_, index) => index + 1),
  );
  let written = 0;
  for (const { uniforms, length, temperature, top_k, top_p, min_p } of record.asked) {
    assert.deepEqual(uniforms, uniformNumbers(7, written, CHUNK));
    assert.deepEqual(
      [temperature[0], top_k[0], top_p[0], min_p[0]],
      [Math.fround(0.5), 3, Math.fround(0.9), Math.fround(0.1)],
    );
    written += length[0];
  }
});

test("a call takes about as long as it should", async () => {
  for (const [each, size] of [
    [0.001, 256],
    [0.25, 100],
    [5, 5],
    [900, 1],
  ]) {
    const { record, generate } = recorded();
    let time = 0;
    const slow = async (inputs) => {
      time += each * (inputs.prompt_length[0] - 1 + inputs.length[0]);
      return generate(inputs);
    };
    await collect(slow, {
      prompt: [5],
      length: 600,
      milliseconds: 25,
      now: () => time,
    });
    const sizes = record.calls.map(([, length]) => length);
    assert.equal(sizes[0], 8);
    assert.ok(
      sizes.slice(1, -1).every((found) => found === size),
      String(sizes),
    );
  }
});
