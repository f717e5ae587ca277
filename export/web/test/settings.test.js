/** What is typed into the form's fields, and a card in words. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeCard, nameCharacter, summarizeCard } from "../src/card.js";
import { visible } from "../src/foreign.js";
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

test("a card is told in words, what is unknown last and in quotes", () => {
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
    ["“future_thing”", "[1]"],
  ]);
  const parts = summarizeCard(
    { kind: "character model", cell: "GRU", layers: 2, units: 9, parameters: 1234 },
    65,
  );
  assert.deepEqual(parts, ["GRU 2 × 9", "1,234 parameters", "65 characters"]);
});

test("a card whose entries are anything is told", () => {
  const things = [0, -1, true, "", "x", [], [[null]], { toString: 1, toJSON: 2 }];
  const keys = ["cell", "layers", "units", "blocks", "model_size", "parameters"];
  keys.push("weights", "versions", "held_out_loss", "__proto__", "constructor", "Kind");
  for (const [index, thing] of things.entries()) {
    const text = JSON.stringify(Object.fromEntries(keys.map((key) => [key, thing])));
    const card = JSON.parse(text.replace("{", `{"__proto__": ${index},`));
    const rows = describeCard(card);
    assert.equal(rows.length, Object.keys(card).length);
    assert.ok(rows.flat().every((each) => typeof each === "string"));
    assert.ok(rows.some(([label]) => label === "“constructor”"));
    assert.ok(summarizeCard(card, 3).every((each) => typeof each === "string"));
  }
});

test("foreign text shows what it is", () => {
  for (const [text, shown] of [
    ["a model.tflite", "a model.tflite"],
    ["é 𝄞 שלום 👩\u200d💻", "é 𝄞 שלום 👩\u200d💻"],
    ["x\u202efdp.exe", "x[U+202E]fdp.exe"],
    ["a\n\r\tb\u2028c", "a b[U+2028]c"],
    ["\u001b[31m\u0000\u007f\u009b", "[U+001B][31m[U+0000][U+007F][U+009B]"],
    ["\u2066\u200b\ufeff\ud834\u{e0041}", "[U+2066][U+200B][U+FEFF][U+D834][U+E0041]"],
    ["y".repeat(9999), `${"y".repeat(2000)} …`],
    [7, "7"],
  ]) {
    assert.equal(visible(text), shown);
    assert.equal(visible(shown), shown, "once is enough");
  }
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
