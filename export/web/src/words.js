/** From a text to its words. */

import { ENDS, INVISIBLE, MARKS, SIGNS, SPACES } from "./unicode_ranges.js";

// They belong to a word between two letters.
const JOINERS = "'’\\-‐‑_·׳״";
// The typographic apostrophe and hyphens are written as the plain ones.
const PLAIN = { "’": "'", "‐": "-", "‑": "-" };

const tables = [SPACES, SIGNS, MARKS, INVISIBLE, ENDS];
const [spaces, signs, marks, invisible, ends] = tables.map((table) =>
  table.replace(/(\w+)-(\w+) ?/g, "\\u{$1}-\\u{$2}"),
);
const letters = `[^${spaces}${signs}${marks}${invisible}][^${spaces}${signs}]*`;
const joiner = `[${JOINERS}][${marks}${invisible}]*`;
const sign = `[${signs}][${marks}${invisible}]*`;
// Emoji are joined to one by U+200D.
const WORD = new RegExp(
  `${letters}(?:${joiner}${letters})*|${sign}(?:(?<=\\u200d)${sign})*`,
  "gu",
);
/** A sign after which a sentence starts. */
export const SENTENCE_END = new RegExp(`^[${ends}]$`, "u");
const UNWRITTEN = new RegExp(`[${invisible}]`, "gu");

/**
 * The words of a text and its signs, each sign one of its own.
 *
 * @param {string} text
 * @returns {{text: string, start: number, end: number}[]} each word in its case, without
 *   invisible characters and with plain apostrophes and hyphens, and where it is in the
 *   text, as `slice` takes it
 */
export function divide(text) {
  return Array.from(text.matchAll(WORD), ({ 0: word, index }) => ({
    text: word.replace(UNWRITTEN, "").replace(/[’‐‑]/g, (character) => PLAIN[character]),
    start: index,
    end: index + word.length,
  }));
}
