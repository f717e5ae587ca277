/** From a text to the ids of pieces of words, and back. */

/** The id of the end of a sentence. */
export const END = 2;
const FIRST_BYTE = 3;

/** The pieces of words of a vocabulary. */
export class Pieces {
  /**
   * @param {string[]} pieces the first has id 259; the ids before are bytes, and before
   *   them marks
   */
  constructor(pieces) {
    const singles = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
    this.contents = [...Array(FIRST_BYTE).fill(""), ...singles, ...pieces.map(bytesOf)];
    this.ids = new Map(this.contents.map((content, id) => [content, id]));
    this.longest = this.contents.reduce((most, { length }) => Math.max(most, length), 1);
  }

  /**
   * Ids of a text, by longest match from left to right over its UTF-8.
   *
   * @param {string} text gets a space in front; a lone surrogate becomes U+FFFD
   * @returns {number[]} at least one
   */
  encode(text) {
    const content = bytesOf(` ${text}`);
    const ids = [];
    for (let start = 0; start < content.length; ) {
      let end = Math.min(start + this.longest, content.length);
      while (!this.ids.has(content.slice(start, end))) end -= 1;
      ids.push(this.ids.get(content.slice(start, end)));
      start = end;
    }
    return ids;
  }

  /**
   * The text of ids, without the space in front, padding, start and end.
   *
   * @param {Iterable<number>} ids
   * @returns {string} with U+FFFD for bytes that are not UTF-8
   */
  decode(ids) {
    const content = Array.from(ids, (id) => this.contents[id]).join("");
    const bytes = Uint8Array.from(content, (byte) => byte.charCodeAt(0));
    // Otherwise a byte order mark in front would be left out.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return decoder.decode(bytes).replace(/^ /, "");
  }
}

/** The UTF-8 of a text as a string of a code unit for each byte, which a map can hold. */
function bytesOf(text) {
  return Array.from(new TextEncoder().encode(text), (byte) =>
    String.fromCharCode(byte),
  ).join("");
}
