/** Translates a text, and says what each word of the translation looked at. */

import { searchBeam } from "./beam.js";
import { uniformNumbers } from "./sampling.js";
import { END, Pieces } from "./subwords.js";

export const BEAM_WIDTH = 4;
const LENGTH_PENALTY = 1;

/**
 * @typedef {object} Part a word, as pieces make it
 * @property {string} text
 * @property {number} first of its pieces
 * @property {number} last behind its pieces
 */

/**
 * @typedef {object} Translation
 * @property {string} text
 * @property {boolean} finished whether it has an end of its own
 * @property {number} leftOut how many pieces of the source were not read
 * @property {(Part & {start: number, end: number})[]} source with where each is in the
 *   text, as `slice` takes it
 * @property {Part[]} target
 * @property {(part: Part) => number[]} lookedAt how much a part of the target looked at
 *   each of the source
 */

export class Translator {
  /**
   * @param {object} card
   * @param {string[]} pieces of the vocabulary
   * @param {(signature: string, inputs: object) => Promise<object>} run
   */
  constructor(card, pieces, run) {
    Object.assign(this, { card, run, pieces: new Pieces(pieces) });
  }

  /**
   * The best translation that a search finds; pieces beyond the model's length are left
   * out.
   *
   * @param {string} text
   * @returns {Promise<Translation>}
   */
  async translate(text) {
    const { length } = this.card;
    const read = this.read(text);
    const source_ids = new Int32Array(length);
    source_ids.set(read.ids);
    const outputs = await this.run("translate", {
      source_ids,
      beam_width: Int32Array.of(BEAM_WIDTH),
      length_penalty: Float32Array.of(LENGTH_PENALTY),
      max_length: Int32Array.of(length),
      temperature: Float32Array.of(0),
      uniforms: uniformNumbers(0, 0, length),
    });
    const ids = [...outputs.ids.filter((id) => id > 0)];
    const looked = ids.map((_, index) =>
      outputs.alignment.subarray(index * length, (index + 1) * length),
    );
    return this.translation(read, ids, looked);
  }

  /**
   * All translations that the search keeps, best first.
   *
   * @param {string} text
   * @param {() => boolean} isStale whether the answer is not wanted any more
   * @returns {Promise<(Translation & {score: number, probability: number})[]>} of
   *   different texts; none where the answer is not wanted
   */
  async alternatives(text, isStale = () => false) {
    const read = this.read(text);
    const { run, card } = this;
    const search = [BEAM_WIDTH, LENGTH_PENALTY, isStale];
    const found = (await searchBeam(run, card, read.ids, ...search)) ?? [];
    const translations = found.map(({ ids, looked, score, total }) => ({
      ...this.translation(read, ids, looked),
      score,
      probability: Math.exp(total),
    }));
    const texts = translations.map((each) => each.text);
    return translations.filter((each, index) => texts.indexOf(each.text) === index);
  }

  /** What the model reads of a text: ids with the end, and the words that they make. */
  read(text) {
    const pieces = this.pieces.encode(text);
    const kept = pieces.slice(0, this.card.length - 1);
    const leftOut = pieces.length - kept.length;
    return { ids: [...kept, END], source: this.placed(kept, text), leftOut };
  }

  /** @returns {Translation} */
  translation({ source, leftOut }, ids, looked) {
    return {
      text: this.pieces.decode(ids),
      finished: ids.at(-1) === END,
      leftOut,
      source,
      target: this.partsOf(ids.filter((id) => id !== END)),
      lookedAt: ({ first, last }) =>
        source.map((part) => {
          let sum = 0;
          for (let t = first; t < last; t += 1) {
            sum += looked[t].subarray(part.first, part.last).reduce((a, b) => a + b, 0);
          }
          return sum / (last - first);
        }),
    };
  }

  /** The words that pieces make: each piece that begins with a space begins one. */
  partsOf(ids) {
    const starts = ids.map((id, index) => [index, this.pieces.contents[id]]);
    const firsts = starts
      .filter(([index, content]) => index === 0 || content.startsWith(" "))
      .map(([index]) => index);
    return firsts.map((first, index) => {
      const last = firsts[index + 1] ?? ids.length;
      return { text: this.pieces.decode(ids.slice(first, last)), first, last };
    });
  }

  /** The words of the source, with where each is in the text. */
  placed(ids, text) {
    // The index in the text at which each byte of its UTF-8 is, behind a space.
    const indexOf = [0];
    let index = 0;
    for (const character of text) {
      const bytes = new TextEncoder().encode(character).length;
      indexOf.push(...Array(bytes).fill(index));
      index += character.length;
    }
    indexOf.push(text.length);
    let byte = 0;
    return this.partsOf(ids).map((part) => {
      const content = ids
        .slice(part.first, part.last)
        .map((id) => this.pieces.contents[id])
        .join("");
      const start = indexOf[content.startsWith(" ") ? byte + 1 : byte];
      byte += content.length;
      return { ...part, start, end: indexOf[byte] };
    });
  }
}
