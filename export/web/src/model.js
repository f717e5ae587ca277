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
import { checkCard, CONTRACT_VERSION, entriesOf } from "./contract.js";

/** Bytes of each file; more is out of all proportion, and would fill the memory. */
const MOST_BYTES = {
  "card.json": 2 ** 20,
  "card.sha256": 100,
  "vocabulary.json": 2 ** 23,
};
const MOST_FILES = 100;
const MOST_DEPTH = 8;

/**
 * @typedef {object} Model
 * @property {Uint8Array} flatbuffer the file up to its first ZIP entry
 * @property {object} card
 * @property {string[]} entries of the vocabulary: characters, words or pieces, by id
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
  checkCard(card, name);
  const flatbuffer = content.subarray(0, start);
  checkHash("the model", flatbuffer, card.sha256, name);
  const vocabulary = files["vocabulary.json"];
  checkHash("vocabulary.json", vocabulary, card.attachments["vocabulary.json"], name);
  const list = parse(`${name} is wrong: vocabulary.json`, vocabulary);
  return { flatbuffer, card, entries: entriesOf(list, card, name) };
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
