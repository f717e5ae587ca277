/** Stop texts: however the text comes in pieces, it ends before the first of them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTabular } from "../src/tabular.js";
import { readStops, Until } from "../src/until.js";

/** What is shown of a text in pieces of a size, stop by stop; each part starts behind one. */
function partsOf(text, stops, size) {
  const until = new Until(stops);
  const parts = [""];
  for (let start = 0; start < text.length; start += size) {
    parts.push(parts.pop() + until.add(text.slice(start, start + size)));
    while (until.found) {
      const [found, passed] = [until.found, until.goOn()];
      assert.ok(passed.startsWith(found));
      parts.push(passed.slice(found.length));
    }
  }
  parts.push(parts.pop() + until.end());
  return parts;
}

test("a text ends before the first stop text, and goes on behind it", () => {
  for (const [text, stops, parts] of [
    ["abcabd", [], ["abcabd"]],
    ["abcabdab", ["abd"], ["abc", "ab"]],
    ["aab\n\nb\nc", ["c", "\n\n"], ["aab", "b\n", ""]],
    ["x😀y🙂z😁", ["🙂z"], ["x😀y", "😁"]],
    ["aaaa", ["aa"], ["", "", ""]],
  ]) {
    for (const size of [1, 2, 3, 5, 99]) {
      assert.deepEqual(partsOf(text, stops, size), parts, `${text} by ${size}`);
    }
  }
});

test("no half of a character is shown by itself", () => {
  const until = new Until(["abc"]);
  const shown = [..."x😀y😁"].map((piece) => until.add(piece));
  assert.ok([...shown, until.end()].every((each) => each.isWellFormed()), shown.join("|"));
});

test("stop texts are read one a line", () => {
  assert.deepEqual(readStops(" .\n\n\\n\\n\n\\\\n\\q"), [" .", "\n\n", "\\n\\q"]);
});

test("code and tables are told from prose and verse", () => {
  for (const text of [
    "def f(x):\n    return x\n\n    # why\n",
    "a,b,c\n1,2,3\n4,5,6\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "name\tage\nAnn\t7\nBob\t8\n",
    "int main() {\n  return 0;\n}\n",
  ]) {
    assert.ok(isTabular(text), text);
  }
  for (const text of [
    "",
    "ROMEO:\nO, she doth teach, the torches, to burn bright!\nIt seems\nshe hangs\n",
    "It was late. He went home; she stayed.\nThen, at last, they met.\nThe end.\n",
  ]) {
    assert.ok(!isTabular(text), text);
  }
});
