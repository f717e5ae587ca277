/** Suggests words at the end of a text, as a keyboard does. */

import { idsOf, lowerCase, UNKNOWN } from "./classify.js";
import { divide, SENTENCE_END } from "./words.js";
import { statesOf, zeroStates } from "./writing.js";

/** How many of the last words have their states kept. */
const REMEMBERED = 1000;

export class Keyboard {
  /**
   * @param {object} card
   * @param {string[]} words of the vocabulary, by id
   * @param {(signature: string, inputs: object) => Promise<object>} run
   */
  constructor(card, words, run) {
    Object.assign(this, { card, words, run });
    this.lowerCased = words.map(lowerCase);
    this.idOf = idsOf(this.lowerCased);
    this.read = [];
    /** The states by how many words were read. */
    this.states = new Map([[0, zeroStates(card.state_shapes)]]);
    this.logits = new Float32Array();
  }

  /**
   * The likeliest words at the end of a text. One more letter costs no step of the model,
   * one more or one fewer word costs one.
   *
   * @param {string} text
   * @param {number} k how many words at most
   * @returns {Promise<{words: [word: string, probability: number][], start: number, own:
   *   string[]}>} likeliest first; where the unfinished word starts, and the user's own
   */
  async suggest(text, k = 3) {
    // With a letter added, the text always ends in an unfinished word.
    const found = divide(`${text}x`);
    const last = found.pop();
    const unfinished = last.text.slice(0, -1);
    const before = found.map((word) => word.text);
    // A text starts as if after a full stop.
    const { ids, own } = this.number([".", ...before]);
    const logits = await this.readWords(ids);
    const beginning = lowerCase(unfinished);
    const fits = [];
    for (let id = this.card.first_word; id < this.words.length; id += 1) {
      if (this.lowerCased[id].startsWith(beginning)) fits.push(id);
    }
    const ownIds = [...own.keys()].sort((a, b) => a - b);
    fits.push(...ownIds.filter((id) => lowerCase(own.get(id)).startsWith(beginning)));
    const most = fits.reduce((most, id) => Math.max(most, logits[id]), -Infinity);
    const weight = (id) => Math.exp(Math.fround(logits[id] - most));
    const total = fits.reduce((sum, id) => sum + weight(id), 0);
    const best = fits.sort((a, b) => logits[b] - logits[a] || a - b).slice(0, k);
    const starts = !before.length || SENTENCE_END.test(before.at(-1));
    const words = best.map((id) => [
      withCapitals(own.get(id) ?? this.words[id], unfinished, starts),
      weight(id) / total,
    ]);
    return { words, start: last.start, own: [...own.values()] };
  }

  /** Ids of words, and by id those of the user's own, as they were typed last. */
  number(words) {
    const most = this.card.own_words ?? 0;
    const numbers = new Map();
    const own = new Map();
    const ids = words.map((word) => {
      const known = this.idOf(word);
      if (known !== UNKNOWN || !most || !/\p{L}/u.test(word)) return known;
      const lowered = lowerCase(word);
      if (!numbers.has(lowered)) numbers.set(lowered, numbers.size);
      const id = this.words.length + (numbers.get(lowered) % most);
      own.set(id, word);
      return id;
    });
    return { ids, own };
  }

  /** The logits after a text, read from where it differs from the last one. */
  async readWords(ids) {
    const { read } = this;
    if (String(ids) === String(read)) return this.logits;
    // Where words were deleted, the last one that is left is read again.
    let same = 0;
    while (same < ids.length - 1 && same < read.length && ids[same] === read[same]) {
      same += 1;
    }
    const start = this.states.has(same) ? same : 0;
    const states = new Map([...this.states].filter(([count]) => count <= start));
    let logits;
    for (let count = start + 1; count <= ids.length; count += 1) {
      const token = Int32Array.of(ids[count - 1]);
      const outputs = await this.run("step", { token, ...states.get(count - 1) });
      logits = outputs.logits;
      states.set(count, statesOf(outputs));
      if (count > REMEMBERED) states.delete(count - REMEMBERED);
    }
    Object.assign(this, { read: ids, states, logits });
    return logits;
  }
}

/** A suggested word with the capitals that suit its position. */
function withCapitals(word, unfinished, starts) {
  const capitals = Array.from(unfinished, (letter) => letter !== letter.toLowerCase());
  if (capitals.length > 1 && capitals.every(Boolean)) return word.toUpperCase();
  if (!(capitals[0] ?? starts)) return word;
  const [first] = word;
  return first.toUpperCase() + word.slice(first.length);
}
