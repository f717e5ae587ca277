/** A model's card in readable words. */

import { codePoint } from "./foreign.js";

const LABELS = {
  kind: "Kind",
  cell: "Cell",
  units: "Units",
  layers: "Layers",
  model_size: "Size",
  heads: "Heads",
  blocks: "Blocks",
  context: "Context",
  parameters: "Parameters",
  weights: "Weights",
  vocabulary_size: "Characters",
  corpus: "Learned from",
  corpus_sha256: "SHA-256 of the text",
  held_out_loss: "Held-out loss",
  sampling_defaults: "Sampling",
  state_shapes: "State",
  versions: "Made with",
  licence: "Licence",
  contract: "Contract",
  sha256: "SHA-256 of the model",
  attachments: "SHA-256 of the rest",
};

/**
 * The rows of a card: known entries first, in order, then all others in quotes.
 *
 * @param {object} card
 * @returns {[label: string, value: string][]}
 */
export function describeCard(card) {
  const order = Object.keys(LABELS);
  const known = order.filter((key) => Object.hasOwn(card, key));
  const others = Object.keys(card).filter((key) => !Object.hasOwn(LABELS, key));
  // What the page does not know is quoted, so that it cannot pass for what it knows.
  return [
    ...known.map((key) => [LABELS[key], key]),
    ...others.map((key) => [`“${key}”`, key]),
  ]
    .filter(([, key]) => card[key] !== null)
    .map(([label, key]) => [label, describe(key, card[key])]);
}

/** The model in one line, from its card, whose entries may be anything. */
export function summarizeCard(card, numCharacters) {
  const stacked = Number.isInteger(card.layers) && card.layers > 1;
  return [
    card.cell && [card.cell, stacked && `${card.layers} ×`, card.units],
    card.blocks && ["Transformer", `${plain(card.blocks)} ×`, card.model_size],
    card.parameters && [number(card.parameters), "parameters"],
    [number(numCharacters), "characters"],
    card.weights && [card.weights],
  ]
    .filter(Boolean)
    .map((parts) => parts.filter(Boolean).map(plain).join(" "));
}

/** Characters in a readable form: “a”, space, U+0007. */
export function nameCharacter(character) {
  if (character === " ") return "space";
  if (character === "\n") return "newline";
  if (/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)) return character;
  return codePoint(character);
}

function describe(key, value) {
  if (key === "held_out_loss" && typeof value === "number") {
    return `${value.toFixed(3)} nats a character`;
  }
  if (key === "state_shapes") return value.map((shape) => shape.join(" × ")).join(", ");
  if (typeof value !== "object" || Array.isArray(value)) return number(value);
  return Object.entries(value)
    .map(([name, entry]) => `${name.replaceAll("_", " ")} ${plain(entry)}`)
    .join(", ");
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const number = (value) =>
  typeof value === "number" ? value.toLocaleString("en") : plain(value);
