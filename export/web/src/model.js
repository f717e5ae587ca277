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
  const { start, card, vocabulary, hashes } = await readAttached(content).catch(
    (error) => {
      throw new Error(
        `${name} is not a whole .tflite of this project (${error.message}); ` +
          "copy or export it again",
      );
    },
  );
  if (card.contract !== CONTRACT_VERSION) {
    throw new Error(
      `${name} speaks contract ${card.contract}, this page ${CONTRACT_VERSION}; ` +
        "take the page that came with the file",
    );
  }
  const flatbuffer = content.subarray(0, start);
  checkHash(flatbuffer, hashes.flatbuffer, name);
  checkHash(vocabulary, hashes.vocabulary, name);
  if (card.kind !== KIND) {
    throw new Error(
      `${name} holds a model of the kind "${card.kind}", which writes no text; ` +
        "open a character model instead; `kerasseq show` describes this one",
    );
  }
  const { characters } = parse(vocabulary);
  const single = (text) => typeof text === "string" && [...text].length === 1;
  if (!Array.isArray(characters) || !characters.every(single)) {
    throw new Error(
      `${name} has no list of single characters in vocabulary.json; export it again`,
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
  // Its own web workers would be one more script to serve.
  const reader = new ZipReader(new Uint8ArrayReader(content), { useWebWorkers: false });
  const entries = await reader.getEntries();
  const read = (name) => {
    const entry = entries.findLast((entry) => entry.filename === name);
    if (!entry) throw new Error(`${name} is missing`);
    return entry.getData(new Uint8ArrayWriter(), { checkSignature: true });
  };
  const card = parse(await read("card.json"));
  const vocabulary = await read("vocabulary.json");
  await reader.close();
  const hashes = {
    flatbuffer: card.sha256,
    vocabulary: card.attachments?.["vocabulary.json"],
  };
  for (const [what, value] of Object.entries({
    kind: card.kind,
    contract: card.contract,
    "SHA-256 of the model": hashes.flatbuffer,
    "SHA-256 of vocabulary.json": hashes.vocabulary,
  })) {
    if (value === undefined) throw new Error(`card.json has no ${what}`);
  }
  const start = Math.min(...entries.map((entry) => entry.offset));
  return { start, card, vocabulary, hashes };
}

function parse(bytes) {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

/** Throw unless a section of the file has the hash that the card says. */
function checkHash(section, wanted, name) {
  // Not crypto.subtle: browsers do not offer it to pages over plain http.
  const found = bytesToHex(sha256(section));
  if (found !== wanted) {
    throw new Error(
      `${name} is damaged: SHA-256 ${found.slice(0, 12)}... where its card says ` +
        `${String(wanted).slice(0, 12)}...; copy or export it again`,
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
