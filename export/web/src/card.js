/** A model's card in readable words. */

import { CHARACTERS, TRANSLATOR } from "./contract.js";
import { codePoint } from "./foreign.js";

const LABELS = {
  kind: "Kind",
  cell: "Cell",
  units: "Units",
  layers: "Layers",
  embedding_size: "Embedding",
  model_size: "Size",
  heads: "Heads",
  blocks: "Blocks",
  encoder_blocks: "Blocks that read",
  decoder_blocks: "Blocks that write",
  context: "Context",
  length: "Reads at once",
  num_letters: "Letters of a word",
  parameters: "Parameters",
  weights: "Weights",
  vocabulary_size: "Vocabulary",
  first_word: "First word",
  own_words: "Words of your own",
  labels: "Labels",
  tags: "Tags",
  corpus: "Learned from",
  corpus_sha256: "SHA-256 of the text",
  sentences: "Sentences",
  held_out_loss: "Held-out loss",
  masked_word_loss: "Loss of a hidden word",
  hit_rate_at_1: "First suggestion right",
  hit_rate_at_3: "One of three right",
  keystrokes_saved: "Keystrokes saved",
  held_out_f1: "Held-out F1",
  held_out_accuracy: "Held-out accuracy",
  naive_bayes_accuracy: "Accuracy of naive Bayes",
  majority_accuracy: "Accuracy of the largest",
  sampling_defaults: "Sampling",
  state_shapes: "State",
  memory_shapes: "Memory",
  versions: "Made with",
  licence: "Licence",
  contract: "Contract",
  sha256: "SHA-256 of the model",
  attachments: "SHA-256 of the rest",
};
/** Entries from 0 to 1, which are shown in per cent. */
const SHARES =
  /^(hit_rate_at_\d|keystrokes_saved|held_out_(f1|accuracy)|\w+_accuracy)$/;
/** What a vocabulary has, and what a held-out loss is of. */
const ENTRIES = { [CHARACTERS]: "characters", [TRANSLATOR]: "pieces" };

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
    .map(([label, key]) => [label, describe(key, card[key], card.kind)]);
}

/** The model in one line, from its card, whose entries may be anything. */
export function summarizeCard(card, numEntries) {
  const stacked = Number.isInteger(card.layers) && card.layers > 1;
  return [
    card.kind && card.kind !== CHARACTERS && [card.kind],
    card.cell && [card.cell, stacked && `${card.layers} ×`, card.units],
    card.blocks && ["Transformer", `${plain(card.blocks)} ×`, card.model_size],
    card.parameters && [number(card.parameters), "parameters"],
    [number(numEntries), entriesOf(card)],
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

/** The names of characters, words or pieces, or of the first of them. */
export function listed(entries, most = 500) {
  const names = entries
    .slice(0, most)
    .map((entry) => (/^.$/su.test(entry) ? nameCharacter(entry) : plain(entry)))
    .join(" ");
  const left = entries.length - most;
  return left > 0 ? `${names} and ${number(left)} more` : names;
}

/** What the vocabulary of a model has. */
export const entriesOf = ({ kind }) => ENTRIES[kind] ?? "words";

function describe(key, value, kind) {
  if (/_loss$/.test(key) && typeof value === "number") {
    return `${value.toFixed(3)} nats a ${entriesOf({ kind }).slice(0, -1)}`;
  }
  if (SHARES.test(key) && typeof value === "number") return percent(value);
  if (/_shapes$/.test(key) && Array.isArray(value) && value.every(Array.isArray)) {
    return value.map((shape) => shape.join(" × ")).join(", ");
  }
  if (Array.isArray(value) && LABELS[key]) return value.map(plain).join(", ");
  if (typeof value !== "object" || Array.isArray(value)) return number(value);
  return Object.entries(value)
    .map(([name, entry]) => `${name.replaceAll("_", " ")} ${plain(entry)}`)
    .join(", ");
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const number = (value) =>
  typeof value === "number" ? value.toLocaleString("en") : plain(value);
