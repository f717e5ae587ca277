/** Encodes a sentence: a vector of each word, and which words attend to which. */

import { idsOf } from "./classify.js";
import { divide } from "./words.js";

/** The ids before are padding, the unknown word and the mask. */
const FIRST_WORD = 3;
/** How many words of the vocabulary are tried in place of another. */
const MOST = 1000;

export class Encoder {
  /**
   * @param {object} card
   * @param {string[]} words of the vocabulary, by id
   * @param {(signature: string, inputs: object) => Promise<object>} run
   * @param {Record<string, number[]>} shapes of the outputs
   */
  constructor(card, words, run, shapes) {
    this.tried = words.slice(0, FIRST_WORD + MOST);
    Object.assign(this, { card, run, idOf: idsOf(words) });
    [, this.blocks, this.heads] = shapes.weights;
  }

  /**
   * Encode one sentence; words beyond the model's length are left out.
   *
   * @param {string} text
   * @returns {Promise<{token_ids: Int32Array, words: {text: string, start: number, end:
   *   number}[], leftOut: number, embeddings: Float32Array[], weightsOf: (block: number, head: number) =>
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
      token_ids,
      words,
      leftOut: found.length - words.length,
      embeddings: rows(embeddings, 0, size, size),
      weightsOf: (block, head) => {
        const map = block * this.heads + head;
        return rows(weights, map * length ** 2, length, words.length);
      },
    };
  }

  /**
   * The words of the vocabulary whose vectors are nearest to a word's in its place.
   *
   * @param {Awaited<ReturnType<Encoder["encode"]>>} encoding
   * @param {number} index of the word
   * @param {() => boolean} isStale whether the answer is not wanted any more
   * @returns {Promise<[word: string, cosine: number][]>} the nearest first; none where
   *   the answer is not wanted
   */
  async nearestInPlace({ token_ids, embeddings }, index, isStale = () => false) {
    const found = [];
    for (let id = FIRST_WORD; id < this.tried.length; id += 1) {
      if (isStale()) return [];
      if (id === token_ids[index]) continue;
      const ids = token_ids.slice();
      ids[index] = id;
      const outputs = await this.run("encode", { token_ids: ids });
      const size = embeddings[index].length;
      const vector = outputs.embeddings.subarray(index * size, (index + 1) * size);
      found.push([this.tried[id], cosine(embeddings[index], vector)]);
    }
    return found.sort(([, x], [, y]) => y - x);
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
  return [...vectors.keys()]
    .filter((other) => other !== index)
    .map((other) => [other, cosine(vectors[index], vectors[other])])
    .sort(([a, x], [b, y]) => y - x || a - b);
}

function cosine(one, other) {
  const dot = (a, b) => a.reduce((sum, each, axis) => sum + each * b[axis], 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other) || 1);
}
