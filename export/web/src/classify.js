/** Classifies a text: the ids of its words, and what the signature says. */

import { divide } from "./words.js";

export const UNKNOWN = 1;
/** The least probability of a label that only the letters of unknown words support. */
const SURE = 0.9;

/** Each character lower-cased by itself, since `toLowerCase` looks at a sigma's neighbours. */
export function lowerCase(text) {
  return Array.from(text, (character) => character.toLowerCase()).join("");
}

/**
 * The id of each word, by its lower case; of any other, UNKNOWN.
 *
 * @param {string[]} words of the vocabulary, by id
 * @returns {(word: string) => number}
 */
export function idsOf(words) {
  const ids = new Map(words.map((word, id) => [word, id]));
  return (word) => ids.get(lowerCase(word)) ?? UNKNOWN;
}

/** The first bytes of words in UTF-8, padded with 0. */
export function lettersOf(words, length, numLetters) {
  const letters = new Int32Array(length * numLetters);
  words.forEach((word, index) => {
    const bytes = new TextEncoder().encode(word).subarray(0, numLetters);
    letters.set(bytes, index * numLetters);
  });
  return letters;
}

export class Classifier {
  /**
   * @param {object} card
   * @param {string[]} words of the vocabulary, by id
   * @param {(signature: string, inputs: object) => Promise<object>} run
   */
  constructor(card, words, run) {
    Object.assign(this, { card, run, idOf: idsOf(words) });
  }

  /**
   * Classify one text; words beyond the model's length are left out.
   *
   * @param {string} text
   * @returns {Promise<{label: string | null, probabilities: Float32Array, words:
   *   {text: string, start: number, end: number}[], weights: Float32Array, leftOut:
   *   number}>} no label where the model knows none of the words and is not sure
   */
  async classify(text) {
    const { length, labels, num_letters: numLetters } = this.card;
    const found = divide(text);
    const words = found.slice(0, length);
    const ids = words.map((word) => this.idOf(word.text));
    const texts = words.map((word) => word.text);
    const letters = lettersOf(texts, length, numLetters);
    const inputs = { token_ids: new Int32Array(length), letters };
    inputs.token_ids.set(ids);
    const { probabilities, weights } = await this.run("classify", inputs);
    const best = largest(probabilities);
    const isSure = words.length > 0 && probabilities[best] >= SURE;
    return {
      label: isSure || ids.some((id) => id > UNKNOWN) ? labels[best] : null,
      probabilities,
      words,
      weights: weights.slice(0, words.length),
      leftOut: found.length - words.length,
    };
  }
}

/** The index of the largest number, at a tie the first. */
export function largest(numbers) {
  return numbers.reduce((best, each, index) => (each > numbers[best] ? index : best), 0);
}
