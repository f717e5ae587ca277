/** What is typed into the form's fields, and a card in words. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeCard, nameCharacter, summarizeCard } from "../src/card.js";
import { readSetting } from "../src/settings.js";

test("numbers in their ranges are read", () => {
  for (const [name, text, value] of [
    ["length", " 0 ", 0],
    ["length", "2147483647", 2 ** 31 - 1],
    ["temperature", "1e3", 1000],
    ["temperature", ".5", 0.5],
    ["temperature", "-0", 0],
    ["top_p", "1.", 1],
    ["min_p", "+0.05", 0.05],
    ["seed", "007", 7],
  ]) {
    assert.deepEqual(readSetting(name, text), { value });
  }
});

test("all else is a complaint that says what is wanted", () => {
  for (const [name, text, complaint] of [
    ["length", "-1", "-1 is out of range: give a whole number from 0 to 2147483647."],
    ["seed", "1e3", "“1e3” cannot be read: give a whole number from 0 to 2147483647."],
    ["temperature", "Infinity", "“Infinity” cannot be read: give a number from 0 up."],
    ["temperature", "1e309", "1e309 is out of range: give a number from 0 up."],
    [
      "top_p",
      "0,5",
      "“0,5” cannot be read: give a number from 0 to 1 with a point, not a comma.",
    ],
    ["min_p", " ", "Nothing is here: give a number from 0 to 1."],
    ["top_p", "0x1", "“0x1” cannot be read: give a number from 0 to 1."],
  ]) {
    assert.deepEqual(readSetting(name, text), { complaint });
  }
});

test("a card is told in words, what is unknown last", () => {
  const card = {
    future_thing: [1],
    held_out_loss: 1.23456,
    corpus: null,
    kind: "character model",
    state_shapes: [
      [1, 5],
      [1, 7],
    ],
    sampling_defaults: { top_k: 3, length: 5 },
  };
  assert.deepEqual(describeCard(card), [
    ["Kind", "character model"],
    ["Held-out loss", "1.235 nats a character"],
    ["Sampling", "top k 3, length 5"],
    ["State", "1 × 5, 1 × 7"],
    ["future thing", "[1]"],
  ]);
  const parts = summarizeCard(
    { cell: "GRU", layers: 2, units: 9, parameters: 1234 },
    65,
  );
  assert.deepEqual(parts, ["GRU 2 × 9", "1,234 parameters", "65 characters"]);
});

test("characters can be told apart on paper", () => {
  const names = ["a", "𝄞", "é", " ", "\n", "\u0007", "\u00a0", "\ud834", "\u0301"].map(
    nameCharacter,
  );
  assert.deepEqual(names, [
    "a",
    "𝄞",
    "é",
    "space",
    "newline",
    "U+0007",
    "U+00A0",
    "U+D834",
    "U+0301",
  ]);
});
