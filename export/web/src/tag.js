/** Tags the words of a text, and finds its entities. */

import { idsOf, lettersOf } from "./classify.js";
import { divide } from "./words.js";

export class Tagger {
  /**
   * @param {object} card
   * @param {string[]} words of the vocabulary, by id
   * @param {(signature: string, inputs: object) => Promise<object>} run
   */
  constructor(card, words, run) {
    Object.assign(this, { card, run, idOf: idsOf(words) });
    const kinds = card.tags.filter((tag) => tag !== "O").map((tag) => tag.slice(2));
    this.kinds = [...new Set(kinds)].sort();
  }

  /**
   * The names in a text. More words than the model reads at once are tagged in chunks.
   *
   * @param {string} text
   * @returns {Promise<{kind: string, start: number, end: number}[]>} in order
   */
  async find(text) {
    const { length, num_letters: numLetters, tags } = this.card;
    const words = divide(text);
    const found = [];
    for (let start = 0; start < words.length; start += length) {
      const chunk = words.slice(start, start + length);
      const texts = chunk.map((word) => word.text);
      const inputs = { word_ids: new Int32Array(length) };
      inputs.word_ids.set(texts.map(this.idOf));
      inputs.letters = lettersOf(texts, length, numLetters);
      const { tags: ids } = await this.run("tag", inputs);
      chunk.forEach(({ start, end }, index) => {
        const tag = tags[ids[index]];
        if (tag.startsWith("I-") && found.length) found.at(-1).end = end;
        else if (tag.startsWith("B-")) found.push({ kind: tag.slice(2), start, end });
      });
    }
    return found;
  }
}
