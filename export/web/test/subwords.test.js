/** Pieces of words: longest match, bytes where there is none, and back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePieces, encodePieces } from "../src/subwords.js";

const PIECES = ["ab", "abc", "bcd", " a", "cdab", "ää", "ä", "abcdabcd", "𝄞b"];

test("the longest piece is taken from left to right", () => {
  // A space and an a; then "bcd", which is longer than a byte; "abc", "d", and "ä".
  assert.deepEqual(encodePieces("abcdabcdä", PIECES), [262, 261, 260, 103, 265]);
  assert.deepEqual(encodePieces("\nabcdabcdabc", PIECES), [35, 13, 266, 260]);
});

test("bytes stand for what is no piece", () => {
  assert.deepEqual(encodePieces("", PIECES), [35]);
  assert.deepEqual(encodePieces("é", PIECES), [35, 3 + 0xc3, 3 + 0xa9]);
  assert.deepEqual(encodePieces("a", []), [35, 100]);
});

test("any text comes back, with half characters replaced", () => {
  for (const text of ["", " ", "  abcd 𝄞b ä\0\n", "\ufeffa", "日本"]) {
    assert.equal(decodePieces(encodePieces(text, PIECES), PIECES), text);
  }
  const halves = encodePieces("a\ud800b\ud834\udd1e\udc00", PIECES);
  assert.equal(decodePieces(halves, PIECES), "a\ufffdb𝄞\ufffd");
});

test("marks are left out, and bytes that are not UTF-8 are replaced", () => {
  assert.equal(decodePieces(Int32Array.of(1, 262, 260, 2, 0, 0), PIECES), "aabc");
  const bytes = [0xc3, 0x28, 0xe2, 0x82].map((byte) => 3 + byte);
  assert.equal(decodePieces(bytes, PIECES), "\ufffd(\ufffd");
});
