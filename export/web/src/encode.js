/** Encodes a sentence: a vector of each word, and which words attend to which. */

import { idsOf } from "./classify.js";
import { divide } from "./words.js";

export class Encoder {
  /**
   * @param {object} card
   * @param {string[]} words of the vocabulary, by id
   * @param {(signature: string, inputs: object) => Promise<object>} run
   * @param {Record<string, number[]>} shapes of the outputs
   */
  constructor(card, words, run, shapes) {
    Object.assign(this, { card, run, idOf: idsOf(words) });
    [, this.blocks, this.heads] = shapes.weights;
  }

  /**
   * Encode one sentence; words beyond the model's length are left out.
   *
   * @param {string} text
   * @returns {Promise<{words: {text: string, start: number, end: number}[], leftOut:
   *   number, embeddings: Float32Array[], weightsOf: (block: number, head: number) =>
   *   Float32Array[]}>} a vector and a row of weights for each word
   */
  async encode(text) {
    const { length } = this.card;
    const found = divide(text);
    const words = found.slice(0, length);
    const token_ids = new Int32Array(length);
    token_ids.set(words.map((word) => this.idOf(word.text)));
    const { embeddings, weights } = await this.run("encode", { token_ids });
    const size = embeddings.length / length;
    const rows = (array, first, width, most) =>
      words.map((_, index) => {
        const start = first + index * width;
        return array.slice(start, start + Math.min(width, most));
      });
    return {
      words,
      leftOut: found.length - words.length,
      embeddings: rows(embeddings, 0, size, size),
      weightsOf: (block, head) => {
        const map = block * this.heads + head;
        return rows(weights, map * length ** 2, length, words.length);
      },
    };
  }
}

/**
 * The nearest of some vectors to one of them.
 *
 * @param {Float32Array[]} vectors
 * @param {number} index of the one
 * @returns {[index: number, cosine: number][]} of the others, the nearest first
 */
export function nearest(vectors, index) {
  const dot = (a, b) => a.reduce((sum, each, axis) => sum + each * b[axis], 0);
  const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b) || 1);
  return [...vectors.keys()]
    .filter((other) => other !== index)
    .map((other) => [other, cosine(vectors[index], vectors[other])])
    .sort(([a, x], [b, y]) => y - x || a - b);
}
