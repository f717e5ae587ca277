/**
 * Open and check a `.tflite` of this project before a runtime sees it, in a browser's
 * worker or in Node.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import {
  Uint8ArrayReader,
  Uint8ArrayWriter,
  ZipReader,
} from "@zip.js/zip.js/lib/zip-core-native.js";

const CONTRACT_VERSION = 2;
const KIND = "character model";
/** Bytes of each file; more is out of all proportion, and would fill the memory. */
const MOST_BYTES = {
  "card.json": 2 ** 20,
  "card.sha256": 100,
  "vocabulary.json": 2 ** 23,
};
const MOST_FILES = 100;
const MOST_DEPTH = 8;

const isWhole = (low) => (value) =>
  Number.isInteger(value) && value >= low && value < 2 ** 31;
const isNumber = (high) => (value) =>
  typeof value === "number" && value >= 0 && value <= high;
const isHash = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isShape = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= 8 &&
  value.every(isWhole(1));

/** What the entries of a card must be: a test, or an object of tests for an object. */
const CARD = {
  sha256: isHash,
  attachments: { "vocabulary.json": isHash },
  vocabulary_size: isWhole(1),
  state_shapes: (value) =>
    Array.isArray(value) && value.length > 0 && value.every(isShape),
  sampling_defaults: {
    length: isWhole(0),
    temperature: isNumber(Number.MAX_VALUE),
    top_k: isWhole(0),
    top_p: isNumber(1),
    min_p: isNumber(1),
  },
};

/**
 * @typedef {object} Model
 * @property {Uint8Array} flatbuffer the file up to its first ZIP entry
 * @property {object} card
 * @property {string[]} characters by id
 */

/**
 * Read a file and check that it is whole and that its contract is this program's.
 *
 * @param {Uint8Array} content
 * @param {string} name for messages
 * @returns {Promise<Model>}
 * @throws {Error} one sentence: what is wrong and how to fix it
 */
export async function openModel(content, name) {
  const { start, card, files } = await readAttached(content).catch((error) => {
    throw new Error(
      `${name} is not a whole .tflite of this project (${error.message}); ` +
        "copy or export it again",
    );
  });
  if (card.contract !== CONTRACT_VERSION) {
    throw new Error(
      `${name} speaks contract ${card.contract}, this page ${CONTRACT_VERSION}; ` +
        "take the page that came with the file",
    );
  }
  const hashOfCard = new TextDecoder().decode(files["card.sha256"]).slice(0, 64);
  checkHash("card.json", files["card.json"], hashOfCard, name);
  if (card.kind !== KIND) {
    throw new Error(
      `${name} holds a model of the kind "${card.kind}", which writes no text; ` +
        "open a character model instead; `kerasseq show` describes this one",
    );
  }
  checkEntries(card, CARD, `${name} has a card whose`);
  const flatbuffer = content.subarray(0, start);
  checkHash("the model", flatbuffer, card.sha256, name);
  const vocabulary = files["vocabulary.json"];
  checkHash("vocabulary.json", vocabulary, card.attachments["vocabulary.json"], name);
  const { characters } = parse(`${name} is wrong: vocabulary.json`, vocabulary);
  const single = (text) => typeof text === "string" && [...text].length === 1;
  if (
    !Array.isArray(characters) ||
    !characters.every(single) ||
    new Set(characters).size < characters.length
  ) {
    throw new Error(
      `${name} has no list of different characters in vocabulary.json; export it again`,
    );
  }
  if (characters.length !== card.vocabulary_size) {
    throw new Error(
      `${name} has a vocabulary of ${characters.length}, its model one of ` +
        `${card.vocabulary_size}; export it again`,
    );
  }
  return { flatbuffer, card, characters };
}

/** The files that are attached as a ZIP, and the offset of the first of them. */
async function readAttached(content) {
  // As Python's writer leaves it, so that all readers find the same list of files.
  const end = content.subarray(-22);
  if (`${end.subarray(0, 4)}` !== "80,75,5,6" || end[20] || end[21]) {
    throw new Error("it does not end like a ZIP without a comment");
  }
  // Its own web workers would be one more script to serve.
  const reader = new ZipReader(new Uint8ArrayReader(content), { useWebWorkers: false });
  const entries = [];
  for await (const entry of reader.getEntriesGenerator()) {
    if (entries.length === MOST_FILES) throw new Error("too many files are in it");
    entries.push(entry);
  }
  const files = {};
  for (const [name, most] of Object.entries(MOST_BYTES)) {
    const [entry, second] = entries.filter((entry) => entry.filename === name);
    if (!entry) throw new Error(`${name} is missing`);
    if (second) throw new Error(`${name} is there twice`);
    // More than it declares is not read.
    if (entry.uncompressedSize > most) {
      throw new Error(`${name} of ${entry.uncompressedSize} bytes is out of proportion`);
    }
    files[name] = await entry.getData(new Uint8ArrayWriter(), { checkSignature: true });
  }
  await reader.close();
  const card = parse("card.json", files["card.json"]);
  const start = Math.min(...entries.map((entry) => entry.offset));
  return { start, card, files };
}

/** The object in a JSON file; `name` begins the message where there is none. */
function parse(name, bytes) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Error(`${name} is no JSON (${error.message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${name} is no object`);
  }
  checkValue(name, value, MOST_DEPTH);
  return value;
}

/** Throw for what not every reader of JSON takes for the same. */
function checkValue(name, value, levels) {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new Error(`${name} has a number that is not finite`);
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    throw new Error(`${name} has half of a surrogate pair`);
  }
  if (typeof value !== "object" || value === null) return;
  if (levels === 0) throw new Error(`${name} is nested too deep`);
  for (const [key, each] of Object.entries(value)) {
    checkValue(name, key, 0);
    checkValue(name, each, levels - 1);
  }
}

/** Throw unless each entry passes its test; `where` begins the message. */
function checkEntries(object, tests, where) {
  for (const [key, test] of Object.entries(tests)) {
    const value = object?.[key];
    if (typeof test !== "function") {
      checkEntries(value, test, `${where} ${key}'s`);
    } else if (!test(value)) {
      const shown = String(JSON.stringify(value)).slice(0, 60);
      throw new Error(`${where} ${key} cannot be ${shown}; export it again`);
    }
  }
}

/** Throw unless a section of the file has the hash that the file says. */
function checkHash(what, section, wanted, name) {
  // Not crypto.subtle: browsers do not offer it to pages over plain http.
  const found = bytesToHex(sha256(section));
  if (found !== wanted) {
    throw new Error(
      `${name} is damaged: SHA-256 ${found.slice(0, 12)}... of ${what}, where the ` +
        `file says ${wanted.slice(0, 12)}...; copy or export it again`,
    );
  }
}

/**
 * Check that the model has the signatures that the contract and its card promise.
 *
 * @param {Record<string, {getInputDetails: () => object[], getOutputDetails: () => object[]}>} signatures
 *   by name, as LiteRT.js gives them
 * @param {object} card
 * @param {string} name for messages
 * @throws {Error} one sentence: what is wrong and how to fix it
 */
export function checkSignatures(signatures, card, name) {
  for (const key of ["step", "generate"]) {
    if (!signatures[key]) {
      throw new Error(`${name} has no signature ${key}; export it again`);
    }
  }
  const shapeOf = (details, wanted) =>
    details.filter(({ name }) => name === wanted).map(({ shape }) => [...shape])[0];
  const logits = shapeOf(signatures.step.getOutputDetails(), "logits");
  const inputs = signatures.generate.getInputDetails();
  const states = inputs
    .filter(({ name }) => name.startsWith("state_"))
    .map((_, index) => shapeOf(inputs, `state_${index}`));
  const found = JSON.stringify([logits, states]);
  const promised = JSON.stringify([[1, card.vocabulary_size], card.state_shapes]);
  if (found !== promised) {
    throw new Error(
      `${name} has logits and states of the shapes ${found}, where its card says ` +
        `${promised}; export it again`,
    );
  }
}
