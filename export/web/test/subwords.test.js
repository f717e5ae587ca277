/** Pieces of words: longest match, bytes where there is none, and back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pieces } from "../src/subwords.js";

const PIECES = new Pieces(["ab", "abc", "bcd", " a", "cdab", "ää", "ä", "abcdabcd", "𝄞b"]);

test("the longest piece is taken from left to right", () => {
  // A space and an a; then "bcd", which is longer than a byte; "abc", "d", and "ä".
  assert.deepEqual(PIECES.encode("abcdabcdä"), [262, 261, 260, 103, 265]);
  assert.deepEqual(PIECES.encode("\nabcdabcdabc"), [35, 13, 266, 260]);
});

test("bytes stand for what is no piece", () => {
  assert.deepEqual(PIECES.encode(""), [35]);
  assert.deepEqual(PIECES.encode("é"), [35, 3 + 0xc3, 3 + 0xa9]);
  assert.deepEqual(new Pieces([]).encode("a"), [35, 100]);
});

test("any text comes back, with half characters replaced", () => {
  for (const text of ["", " ", "  abcd 𝄞b ä\0\n", "\ufeffa", "日本"]) {
    assert.equal(PIECES.decode(PIECES.encode(text)), text);
  }
  const halves = PIECES.encode("a\ud800b\ud834\udd1e\udc00");
  assert.equal(PIECES.decode(halves), "a\ufffdb𝄞\ufffd");
});

test("marks are left out, and bytes that are not UTF-8 are replaced", () => {
  assert.equal(PIECES.decode(Int32Array.of(1, 262, 260, 2, 0, 0)), "aabc");
  const bytes = [0xc3, 0x28, 0xe2, 0x82].map((byte) => 3 + byte);
  assert.equal(PIECES.decode(bytes), "\ufffd(\ufffd");
  const mark = [0xef, 0xbb, 0xbf, 0x61].map((byte) => 3 + byte);
  assert.equal(PIECES.decode(mark), "\ufeffa");
});
