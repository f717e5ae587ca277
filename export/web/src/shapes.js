/** The signatures that the contract promises, with the shapes of their tensors. */

import {
  CHARACTERS,
  CLASSIFIER,
  ENCODER,
  TAGGER,
  TRANSLATOR,
  WORDS,
} from "./contract.js";

/** Size of `prompt`, `uniforms` and `tokens` in one call of `generate`. */
export const CHUNK = 256;
const ANY = null;

/**
 * The signatures of a model by name, from its card.
 *
 * @param {object} card
 * @returns {Record<string, [inputs: object, outputs: object]>} shapes by name
 */
function promised(card) {
  const { kind, length } = card;
  const row = [1, length];
  const states = numbered("state", card.state_shapes);
  const step = (own) => [
    { token: [1], ...states },
    { logits: [1, card.vocabulary_size + own], ...states },
  ];
  const letters = card.num_letters && { letters: [1, length, card.num_letters] };
  switch (kind) {
    case CHARACTERS: {
      const [one, many] = [[1], [CHUNK]];
      const prompt = { prompt: many, prompt_length: one, length: one, uniforms: many };
      const settings = { temperature: one, top_k: one, top_p: one, min_p: one };
      const generate = [{ ...prompt, ...settings, ...states }, { tokens: many, ...states }];
      return { step: step(0), generate };
    }
    case WORDS:
      return { step: step(card.own_words ?? 0) };
    case TAGGER:
      return { tag: [{ word_ids: row, ...letters }, { tags: row }] };
    case CLASSIFIER: {
      const outputs = { probabilities: [1, card.labels.length], weights: row };
      return { classify: [{ token_ids: row, ...letters }, outputs] };
    }
    case ENCODER: {
      const outputs = {
        embeddings: [...row, ANY],
        weights: [1, ANY, ANY, length, length],
      };
      return { encode: [{ token_ids: row }, outputs] };
    }
    case TRANSLATOR:
      return promisedOfTranslator(card, row, states);
  }
}

function promisedOfTranslator(card, row, states) {
  const { length, memory_shapes, state_shapes, vocabulary_size } = card;
  const memory = { ...numbered("memory", memory_shapes), source_mask: row };
  const [one, [rows]] = [[1], state_shapes.at(-1)];
  const search = { beam_width: one, length_penalty: one, max_length: one };
  const sampling = { temperature: one, uniforms: [length] };
  const found = { ids: row, score: one, alignment: [1, length, length], finished: one };
  const read = { logits: [rows, vocabulary_size], alignment: [rows, length] };
  return {
    translate: [{ source_ids: row, ...search, ...sampling }, found],
    encode: [{ source_ids: row }, memory],
    step: [
      { token: [rows], ...memory, ...states },
      { ...read, ...states },
    ],
  };
}

/** Shapes by name: state_0, state_1 and so on. */
function numbered(name, shapes = []) {
  return Object.fromEntries(shapes.map((shape, index) => [`${name}_${index}`, shape]));
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
  for (const [key, [inputs, outputs]] of Object.entries(promised(card))) {
    if (!signatures[key]) {
      throw new Error(`${name} has no signature ${key}; export it again`);
    }
    const where = `${name} has a signature ${key} with the`;
    checkTensors(signatures[key].getInputDetails(), inputs, `${where} input`);
    checkTensors(signatures[key].getOutputDetails(), outputs, `${where} output`);
  }
}

function checkTensors(details, wanted, where) {
  const found = Object.fromEntries(details.map(({ name, shape }) => [name, [...shape]]));
  if (String(Object.keys(found).sort()) !== String(Object.keys(wanted).sort())) {
    throw new Error(
      `${where}s ${Object.keys(found).sort().join(", ")}, where its card promises ` +
        `${Object.keys(wanted).sort().join(", ")}; export it again`,
    );
  }
  for (const [name, shape] of Object.entries(wanted)) {
    const fits =
      shape.length === found[name].length &&
      shape.every((size, axis) => size === ANY || size === found[name][axis]);
    if (!fits) {
      throw new Error(
        `${where} ${name} of the shape ${JSON.stringify(found[name])}, where its card ` +
          `promises ${JSON.stringify(shape)}; export it again`,
      );
    }
  }
}

/**
 * Throw where a model answers with an id that stands for nothing.
 *
 * @param {object} outputs arrays by name
 * @param {object} card
 */
export function checkAnswer(outputs, card) {
  const count = card.kind === TAGGER ? card.tags.length : card.vocabulary_size;
  for (const [name, array] of Object.entries(outputs)) {
    if (array instanceof Int32Array && !array.every((id) => id >= 0 && id < count)) {
      throw new Error(`${name} has an id that is not one of ${count}`);
    }
  }
}
