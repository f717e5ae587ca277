/** The settings of the form: their ranges, and how to read what was typed. */

const LARGEST = 2 ** 31 - 1;

/**
 * @type {Record<string, {label: string, hint: string, whole: boolean, high: number,
 *   neutral: number, slider?: [high: number, step: number]}>} each from 0; that of the
 *   slider of top-k is the number of characters
 */
export const SETTINGS = {
  length: {
    label: "Length",
    hint: "characters to write",
    whole: true,
    high: LARGEST,
    neutral: 500,
  },
  temperature: {
    label: "Temperature",
    hint: "0 is the likeliest text, 1 the model’s own",
    whole: false,
    high: Number.MAX_VALUE,
    neutral: 1,
    slider: [2, 0.05],
  },
  top_k: {
    label: "Top-k",
    hint: "keep the k likeliest, 0 keeps all",
    whole: true,
    high: LARGEST,
    neutral: 0,
    slider: [undefined, 1],
  },
  top_p: {
    label: "Top-p",
    hint: "keep the likeliest up to this sum",
    whole: false,
    high: 1,
    neutral: 1,
    slider: [1, 0.01],
  },
  min_p: {
    label: "Min-p",
    hint: "drop below this fraction of the best",
    whole: false,
    high: 1,
    neutral: 0,
    slider: [1, 0.01],
  },
  seed: {
    label: "Seed",
    hint: "same seed, same text",
    whole: true,
    high: LARGEST,
    neutral: 0,
  },
};

const WHOLE = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Read a number as it was typed.
 *
 * @param {string} name of SETTINGS
 * @param {string} text
 * @returns {{value: number} | {complaint: string}} the complaint says how to fix it
 */
export function readSetting(name, text) {
  const { whole, high } = SETTINGS[name];
  const typed = text.trim();
  const range = high < Number.MAX_VALUE ? `from 0 to ${high}` : "from 0 up";
  const wanted = `give a ${whole ? "whole " : ""}number ${range}`;
  if (!typed) return { complaint: `Nothing is here: ${wanted}.` };
  if (!(whole ? WHOLE : DECIMAL).test(typed)) {
    const hint = /^\d+,\d+$/.test(typed) ? " with a point, not a comma" : "";
    return { complaint: `“${typed}” cannot be read: ${wanted}${hint}.` };
  }
  const value = Number(typed);
  if (!(value >= 0 && value <= high)) {
    return { complaint: `${typed} is out of range: ${wanted}.` };
  }
  return { value: value + 0 };
}
