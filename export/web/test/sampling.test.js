/** The sampler against the contract: its own numbers, and the vectors beside it. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { chooseToken, uniformNumbers } from "../src/sampling.js";

const VECTORS =
  process.env.VECTORS ?? new URL("../../test_vectors.json", import.meta.url);
const NEUTRAL = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };
const logs = (...probabilities) => Float32Array.from(probabilities, Math.log);

test("the uniform numbers are those of the contract", () => {
  const rounded = (seed) => [...uniformNumbers(seed, 0, 4)].map((u) => u.toFixed(8));
  assert.deepEqual(rounded(0), [
    "0.66501397",
    "0.82743257",
    "0.47985673",
    "0.88226104",
  ]);
  assert.deepEqual(rounded(1), [
    "0.44126546",
    "0.54480857",
    "0.12062562",
    "0.46536672",
  ]);
});

test("the uniform numbers count, and do not follow from one another", () => {
  const seed = 2 ** 31 - 1;
  assert.deepEqual(uniformNumbers(seed, 5, 3), uniformNumbers(seed, 0, 8).slice(5));
  const late = uniformNumbers(seed, 2 ** 31 - 4, 3);
  assert.ok(late.every((u) => u >= 0 && u < 1 && Number.isInteger(u * 2 ** 24)));
});

test("a token is found where the running sum passes the number", () => {
  const logits = logs(0.2, 0.5, 0.3);
  const at = (uniform) => chooseToken(logits, uniform, NEUTRAL);
  assert.deepEqual(
    [0, 0.19, 0.21, 0.69, 0.71, 1 - 2 ** -24].map(at),
    [0, 0, 1, 1, 2, 2],
  );
});

test("each setting keeps what the contract says", () => {
  const logits = logs(0.1, 0.4, 0.2, 0.3);
  const possible = (settings) => {
    const uniforms = Array.from({ length: 999 }, (_, i) => i / 999);
    const tokens = uniforms.map((u) =>
      chooseToken(logits, u, { ...NEUTRAL, ...settings }),
    );
    return [...new Set(tokens)];
  };
  assert.deepEqual(possible({}), [0, 1, 2, 3]);
  assert.deepEqual(possible({ temperature: 0 }), [1]);
  assert.deepEqual(possible({ temperature: 1e-9 }), [1]);
  assert.deepEqual(possible({ top_k: 2 }), [1, 3]);
  assert.deepEqual(possible({ top_k: 99 }), [0, 1, 2, 3]);
  assert.deepEqual(possible({ top_p: 0 }), [1]);
  assert.deepEqual(possible({ top_p: 0.6 }), [1, 3]);
  assert.deepEqual(possible({ top_p: 0.85 }), [1, 2, 3]);
  assert.deepEqual(possible({ min_p: 0.45 }), [1, 2, 3]);
  assert.deepEqual(possible({ min_p: 1 }), [1]);
  // Of 0.4, 0.3 and 0.2, made to sum to 1, the first two reach 0.75.
  assert.deepEqual(possible({ min_p: 0.45, top_p: 0.75 }), [1, 3]);
});

test("at a tie the lower id is kept", () => {
  const logits = new Float32Array(5);
  assert.equal(chooseToken(logits, 0.9, { ...NEUTRAL, temperature: 0 }), 0);
  assert.equal(chooseToken(logits, 0.99, { ...NEUTRAL, top_k: 2 }), 1);
});

test("odd logits are clipped, and not a number is the smallest", () => {
  const choose = (logits, settings = {}) =>
    chooseToken(Float32Array.from(logits), 0.5, { ...NEUTRAL, ...settings });
  assert.equal(choose([NaN, 1, NaN]), 1);
  assert.equal(choose([0, Infinity, 0]), 1);
  assert.equal(choose([0, Infinity, Infinity], { temperature: 0 }), 1);
  assert.equal(choose([NaN, NaN, NaN, NaN]), 2);
  assert.equal(choose([-Infinity, -Infinity, 0]), 2);
});

test("a number of 1, which is out of range, is taken for the last below it", () => {
  assert.equal(chooseToken(logs(0.5, 0.5, 0), 1, NEUTRAL), 1);
});

const vectors = existsSync(VECTORS) ? JSON.parse(readFileSync(VECTORS)) : undefined;

test(
  "the vectors of the contract",
  { skip: !vectors && "no test_vectors.json" },
  () => {
    assert.equal(vectors.contract, 3);
    for (const { seed, start, numerators } of vectors.uniforms) {
      const numbers = uniformNumbers(seed, start, numerators.length);
      assert.deepEqual(
        [...numbers].map((u) => u * 2 ** 24),
        numerators,
        `seed ${seed}`,
      );
    }
    for (const { name, logits, uniform, token, ...settings } of vectors.tokens) {
      const chosen = chooseToken(Float32Array.from(logits, Number), uniform, settings);
      assert.equal(chosen, token, name);
    }
  },
);
