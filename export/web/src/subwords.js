/** From a text to the ids of pieces of words, and back. */

const FIRST_BYTE = 3;
const FIRST_PIECE = 259;

/**
 * Ids of a text, by longest match from left to right over its UTF-8.
 *
 * @param {string} text gets a space in front; a lone surrogate becomes U+FFFD
 * @param {string[]} pieces the vocabulary; the first has id 259
 * @returns {number[]} at least one
 */
export function encodePieces(text, pieces) {
  const idOf = new Map(pieces.map((piece, index) => [bytesOf(piece), FIRST_PIECE + index]));
  const longest = [...idOf.keys()].reduce((most, { length }) => Math.max(most, length), 1);
  const content = bytesOf(` ${text}`);
  const ids = [];
  for (let start = 0; start < content.length; ) {
    let length = Math.min(longest, content.length - start);
    while (length > 1 && !idOf.has(content.substr(start, length))) length -= 1;
    ids.push(
      length > 1
        ? idOf.get(content.substr(start, length))
        : FIRST_BYTE + content.charCodeAt(start),
    );
    start += length;
  }
  return ids;
}

/**
 * The text of ids, without the space in front, padding, start and end.
 *
 * @param {Iterable<number>} ids
 * @param {string[]} pieces
 * @returns {string} with U+FFFD for bytes that are not UTF-8
 */
export function decodePieces(ids, pieces) {
  const content = [...ids]
    .filter((id) => id >= FIRST_BYTE)
    .map((id) =>
      id < FIRST_PIECE
        ? String.fromCharCode(id - FIRST_BYTE)
        : bytesOf(pieces[id - FIRST_PIECE]),
    )
    .join("");
  const bytes = Uint8Array.from(content, (byte) => byte.charCodeAt(0));
  // Otherwise a byte order mark in front would be left out.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replace(/^ /, "");
}

/** The UTF-8 of a text as a string of a code unit for each byte, which a map can hold. */
function bytesOf(text) {
  return Array.from(new TextEncoder().encode(text), (byte) =>
    String.fromCharCode(byte),
  ).join("");
}
