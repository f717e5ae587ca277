/** Opening a file: what is whole is read, and what is not is one clear sentence. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { TextReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { openModel } from "../src/model.js";
import { CHUNK, checkSignatures } from "../src/shapes.js";

const FLATBUFFER = new TextEncoder().encode("FLATBUFFER".repeat(7));
const hash = (bytes) => bytesToHex(sha256(bytes));
const CHARACTERS = ["a", "b", "𝄞"];
const vocabularyOf = (characters) => JSON.stringify({ characters });

function cardOf(vocabulary, changes) {
  return {
    contract: 3,
    kind: "character model",
    vocabulary_size: 3,
    state_shapes: [[1, 5]],
    sampling_defaults: { length: 9, temperature: 1, top_k: 0, top_p: 1, min_p: 0 },
    sha256: hash(FLATBUFFER),
    attachments: { "vocabulary.json": hash(new TextEncoder().encode(vocabulary)) },
    ...changes,
  };
}

/** What is attached to a file, with changes to its card or other characters. */
function filesOf(changes = {}, characters = CHARACTERS) {
  const vocabulary = vocabularyOf(characters);
  return withHash(cardOf(vocabulary, changes), vocabulary);
}

/** A card with its own hash, and a vocabulary. */
function withHash(card, vocabulary = vocabularyOf(CHARACTERS)) {
  const text = typeof card === "string" ? card : JSON.stringify(card);
  return {
    "card.json": text,
    "card.sha256": `${hash(new TextEncoder().encode(text))}  card.json\n`,
    "vocabulary.json": vocabulary,
  };
}

async function fileOf(files) {
  const offset = FLATBUFFER.length;
  const writer = new ZipWriter(new Uint8ArrayWriter(), {
    offset,
    useWebWorkers: false,
  });
  for (const [name, content] of Object.entries(files)) {
    if (!content) continue;
    await writer.add(name, new TextReader(content));
  }
  return Uint8Array.of(...FLATBUFFER, ...(await writer.close()));
}

test("a whole file is opened", async () => {
  const model = await openModel(await fileOf(filesOf()), "m.tflite");
  assert.deepEqual(model.card, cardOf(vocabularyOf(CHARACTERS)));
  assert.deepEqual(model.entries, CHARACTERS);
  assert.deepEqual(model.flatbuffer, FLATBUFFER);
});

const zeros = "0".repeat(64);
const damaged = "where the file says 000000000000...; copy or export it again";
const defaults = cardOf("").sampling_defaults;
const defaultsWith = (changes) =>
  filesOf({ sampling_defaults: { ...defaults, ...changes } });
for (const [what, files, complaint] of [
  [
    "no card",
    { ...filesOf(), "card.json": undefined },
    "is not a whole .tflite of this project (card.json is missing); copy or export",
  ],
  [
    "no vocabulary",
    { ...filesOf(), "vocabulary.json": undefined },
    "(vocabulary.json is missing); copy or export it again",
  ],
  [
    "a card that is no JSON",
    { ...filesOf(), "card.json": "{" },
    "is not a whole .tflite of this project (",
  ],
  [
    "no hash of the card",
    { ...filesOf(), "card.sha256": undefined },
    "(card.sha256 is missing); copy or export it again",
  ],
  ["a card that is a list", withHash("[]"), "(card.json is no object)"],
  ["a card that is null", withHash("null"), "(card.json is no object)"],
  ["no kind", filesOf({ kind: undefined }), 'of the kind "undefined"'],
  ["no contract", filesOf({ contract: undefined }), "speaks contract undefined"],
  ["no hash", filesOf({ sha256: undefined }), "sha256 cannot be undefined; export"],
  [
    "no hash of the vocabulary",
    filesOf({ attachments: {} }),
    "attachments's vocabulary.json cannot be undefined; export it again",
  ],
  ["a count of a fraction", filesOf({ vocabulary_size: 3.5 }), "size cannot be 3.5;"],
  ["an object for a list", filesOf({ state_shapes: {} }), "shapes cannot be {};"],
  ["an empty shape", filesOf({ state_shapes: [[]] }), "shapes cannot be [[]];"],
  ["no defaults", filesOf({ sampling_defaults: 1 }), "length cannot be undefined;"],
  ["a length of text", defaultsWith({ length: "9" }), 'length cannot be "9";'],
  ["too large a top_p", defaultsWith({ top_p: 2 }), "top_p cannot be 2;"],
  [
    "an infinite temperature",
    withHash(JSON.stringify(cardOf("")).replace('ture":1', 'ture":1e999')),
    "(card.json has a number that is not finite)",
  ],
  [
    "half of a pair",
    filesOf({ licence: "\ud834" }),
    "(card.json has half of a surrogate pair)",
  ],
  [
    "half of a pair in a key",
    filesOf({ versions: { "\udd1e": 1 } }),
    "(card.json has half of a surrogate pair)",
  ],
  [
    "a card nested too deep",
    withHash(`{"a": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    "is not a whole .tflite of this project (",
  ],
  [
    "too many files",
    { ...filesOf(), ...Object.fromEntries(Array.from({ length: 99 }, (_, i) => [i, "x"])) },
    "(too many files are in it)",
  ],
  [
    "a card out of proportion",
    withHash(cardOf(vocabularyOf(CHARACTERS), { licence: " ".repeat(2 ** 20) })),
    "bytes is out of proportion); copy or export it again",
  ],
  [
    "labels in reverse order",
    { ...filesOf({ labels: ["a", "b"] }), "card.json": JSON.stringify(cardOf("")) },
    "of card.json, where the file says",
  ],
  [
    "another hash",
    filesOf({ sha256: zeros }),
    `is damaged: SHA-256 ${hash(FLATBUFFER).slice(0, 12)}... of the model, ${damaged}`,
  ],
  [
    "another hash of the vocabulary",
    filesOf({ attachments: { "vocabulary.json": zeros } }),
    damaged,
  ],
  [
    "another contract",
    filesOf({ contract: 4 }),
    "speaks contract 4, this page 3; take",
  ],
  [
    "another kind",
    filesOf({ kind: "oracle" }),
    'holds a model of the kind "oracle", which this page does not know; take the page',
  ],
  [
    "too few characters",
    filesOf({}, ["a"]),
    "has a vocabulary of 1, its model one of 3; export it again",
  ],
  ["no list of characters", filesOf({}, null), "no list of different characters"],
  ["half a pair", filesOf({}, ["a", "b", "\ud834"]), "has half of a surrogate pair"],
  ["one twice", filesOf({}, ["a", "b", "b"]), "no list of different characters"],
  [
    "a character of two",
    filesOf({}, ["a", "bc", "d"]),
    "has no list of different characters",
  ],
]) {
  test(`${what} is named`, async () => {
    const content = await fileOf(files);
    await assert.rejects(openModel(content, "m.tflite"), ({ message }) => {
      assert.ok(
        message.startsWith("m.tflite ") && message.includes(complaint),
        message,
      );
      return true;
    });
  });
}

const details = (shapes) => () =>
  Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape: Int32Array.from(shape),
  }));
const signatureOf = (inputs, outputs) => ({
  getInputDetails: details(inputs),
  getOutputDetails: details(outputs),
});
const [ONE, MANY] = [[1], [CHUNK]];
const SETTINGS = { temperature: ONE, top_k: ONE, top_p: ONE, min_p: ONE };
const PROMPT = { prompt: MANY, prompt_length: ONE, length: ONE, uniforms: MANY };
const signaturesOf = (logits, states) => ({
  step: signatureOf({ token: ONE, ...states }, { logits, ...states }),
  generate: signatureOf(
    { ...PROMPT, ...SETTINGS, ...states },
    { tokens: MANY, ...states },
  ),
});

test("a model that is not what its card says is named", () => {
  const card = {
    kind: "character model",
    vocabulary_size: 3,
    state_shapes: [
      [1, 5],
      [1, 7],
    ],
  };
  const states = { state_1: [1, 7], state_0: [1, 5] };
  const right = signaturesOf([1, 3], states);
  checkSignatures(right, card, "m");
  for (const [wrong, complaint] of [
    [signaturesOf([1, 4], states), "output logits of the shape [1,4], where its card"],
    [signaturesOf([1, 3], { ...states, state_0: [1, 6] }), "promises [1,5]; export it"],
    [signaturesOf([1, 3], { state_0: [1, 5] }), "inputs state_0, token, where its"],
    [signaturesOf([1, 3], { ...states, state_2: [1, 5] }), "state_2, token, where its"],
    [{ step: right.step }, "m has no signature generate; export it again"],
  ]) {
    assert.throws(
      () => checkSignatures(wrong, card, "m"),
      ({ message }) => message.startsWith("m has ") && message.includes(complaint),
    );
  }
});

async function flipEachBit(content, places) {
  const whole = await openModel(content, "m");
  let seen = 0;
  for (const place of places) {
    const flipped = content.slice();
    flipped[place] ^= 1 << (place % 8);
    let model;
    try {
      model = await openModel(flipped, "m");
    } catch {
      seen += 1;
      continue;
    }
    assert.deepEqual(model, whole, `byte ${place}`);
  }
  return seen / places.length;
}

test("a flipped bit is seen or changes nothing", async () => {
  const content = await fileOf(filesOf());
  assert.ok((await flipEachBit(content, [...content.keys()])) > 0.5);
});

const { TFLITE } = process.env;
test(
  "a flipped bit in a file of Python's is too",
  { skip: !TFLITE && "no TFLITE" },
  async () => {
    const content = new Uint8Array(readFileSync(TFLITE));
    const { flatbuffer } = await openModel(content, "m");
    const attached = content.length - flatbuffer.length;
    const behind = Array.from(
      { length: attached },
      (_, index) => flatbuffer.length + index,
    );
    assert.ok((await flipEachBit(content, behind)) > 0.5);
    const inside = Array.from({ length: 20 }, (_, i) => (i * 2503) % flatbuffer.length);
    assert.equal(await flipEachBit(content, inside), 1);
  },
);

test("a file cut anywhere is not whole", async () => {
  const content = await fileOf(filesOf());
  for (let size = 0; size < content.length; size += 7) {
    await assert.rejects(
      openModel(content.slice(0, size), "m"),
      /is not a whole|is damaged/,
    );
  }
});
