/** Opening a file: what is whole is read, and what is not is one clear sentence. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { TextReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { checkSignatures, openModel } from "../src/model.js";

const FLATBUFFER = new TextEncoder().encode("FLATBUFFER".repeat(7));
const hash = (bytes) => bytesToHex(sha256(bytes));
const CHARACTERS = ["a", "b", "𝄞"];
const vocabularyOf = (characters) => JSON.stringify({ characters });

function cardOf(vocabulary, changes) {
  return {
    contract: 2,
    kind: "character model",
    vocabulary_size: 3,
    state_shapes: [[1, 5]],
    sha256: hash(FLATBUFFER),
    attachments: { "vocabulary.json": hash(new TextEncoder().encode(vocabulary)) },
    ...changes,
  };
}

/** What is attached to a file, with changes to its card or other characters. */
function filesOf(changes = {}, characters = CHARACTERS) {
  const vocabulary = vocabularyOf(characters);
  return { "card.json": cardOf(vocabulary, changes), "vocabulary.json": vocabulary };
}

async function fileOf(files) {
  const offset = FLATBUFFER.length;
  const writer = new ZipWriter(new Uint8ArrayWriter(), {
    offset,
    useWebWorkers: false,
  });
  for (const [name, content] of Object.entries(files)) {
    if (!content) continue;
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await writer.add(name, new TextReader(text));
  }
  return Uint8Array.of(...FLATBUFFER, ...(await writer.close()));
}

test("a whole file is opened", async () => {
  const model = await openModel(await fileOf(filesOf()), "m.tflite");
  assert.deepEqual(model.card, cardOf(vocabularyOf(CHARACTERS)));
  assert.deepEqual(model.characters, CHARACTERS);
  assert.deepEqual(model.flatbuffer, FLATBUFFER);
});

const zeros = "0".repeat(64);
const damaged = "where its card says 000000000000...; copy or export it again";
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
  ["no kind", filesOf({ kind: undefined }), "(card.json has no kind)"],
  ["no contract", filesOf({ contract: undefined }), "(card.json has no contract)"],
  ["no hash", filesOf({ sha256: undefined }), "has no SHA-256 of the model)"],
  [
    "no hash of the vocabulary",
    filesOf({ attachments: {} }),
    "has no SHA-256 of vocabulary.json)",
  ],
  [
    "another hash",
    filesOf({ sha256: zeros }),
    `is damaged: SHA-256 ${hash(FLATBUFFER).slice(0, 12)}... ${damaged}`,
  ],
  [
    "another hash of the vocabulary",
    filesOf({ attachments: { "vocabulary.json": zeros } }),
    damaged,
  ],
  [
    "another contract",
    filesOf({ contract: 3 }),
    "speaks contract 3, this page 2; take",
  ],
  [
    "another kind",
    filesOf({ kind: "encoder" }),
    "holds a model of the kind \"encoder\", which writes no text",
  ],
  [
    "too few characters",
    filesOf({}, ["a"]),
    "has a vocabulary of 1, its model one of 3; export it again",
  ],
  ["no list of characters", filesOf({}, null), "has no list of single characters"],
  [
    "a character of two",
    filesOf({}, ["a", "bc", "d"]),
    "has no list of single characters",
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
const signaturesOf = (logits, states) => ({
  step: { getOutputDetails: details({ state_0: [9], logits }) },
  generate: { getInputDetails: details({ prompt: [256], ...states }) },
});

test("a model that is not what its card says is named", () => {
  const card = {
    vocabulary_size: 3,
    state_shapes: [
      [1, 5],
      [1, 7],
    ],
  };
  const states = { state_1: [1, 7], state_0: [1, 5] };
  checkSignatures(signaturesOf([1, 3], states), card, "m");
  for (const wrong of [
    signaturesOf([1, 4], states),
    signaturesOf([1, 3], { ...states, state_0: [1, 6] }),
    signaturesOf([1, 3], { state_0: [1, 5] }),
    signaturesOf([1, 3], { ...states, state_2: [1, 5] }),
  ]) {
    assert.throws(
      () => checkSignatures(wrong, card, "m"),
      /where its card says \[\[1,3\]/,
    );
  }
  const { step } = signaturesOf([1, 3], states);
  assert.throws(
    () => checkSignatures({ step }, card, "m"),
    /has no signature generate/,
  );
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
