/** A model's card in readable words. */

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
 * The rows of a card: known entries first, in order, then all others unchanged.
 *
 * @param {object} card
 * @returns {[label: string, value: string][]}
 */
export function describeCard(card) {
  const order = Object.keys(LABELS);
  const known = order.filter((key) => key in card);
  const others = Object.keys(card).filter((key) => !(key in LABELS));
  return [...known, ...others]
    .filter((key) => card[key] !== null)
    .map((key) => [LABELS[key] ?? words(key), describe(key, card[key])]);
}

/** The model in one line, from its card. */
export function summarizeCard(card, numCharacters) {
  return [
    card.cell && [card.cell, card.layers > 1 && `${card.layers} ×`, card.units],
    card.blocks && ["Transformer", `${card.blocks} ×`, card.model_size],
    card.parameters && [number(card.parameters), "parameters"],
    [number(numCharacters), "characters"],
    card.weights && [card.weights],
  ]
    .filter(Boolean)
    .map((parts) => parts.filter(Boolean).join(" "));
}

/** Characters in a readable form: “a”, space, U+0007. */
export function nameCharacter(character) {
  if (character === " ") return "space";
  if (character === "\n") return "newline";
  if (/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)) return character;
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function describe(key, value) {
  if (key === "held_out_loss" && typeof value === "number") {
    return `${value.toFixed(3)} nats a character`;
  }
  if (key === "state_shapes") return value.map((shape) => shape.join(" × ")).join(", ");
  if (typeof value === "number") return number(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return JSON.stringify(value);
  return Object.entries(value)
    .map(([name, entry]) => `${words(name)} ${entry}`)
    .join(", ");
}

const words = (key) => key.replaceAll("_", " ");
const number = (value) => value.toLocaleString("en");
