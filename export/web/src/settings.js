/** The settings of the form: their ranges, and how to read what was typed. */

const LARGEST = 2 ** 31 - 1;

/** @type {Record<string, {whole: boolean, high: number, neutral: number}>} from 0 each */
export const SETTINGS = {
  length: { whole: true, high: LARGEST, neutral: 500 },
  temperature: { whole: false, high: Number.MAX_VALUE, neutral: 1 },
  top_k: { whole: true, high: LARGEST, neutral: 0 },
  top_p: { whole: false, high: 1, neutral: 1 },
  min_p: { whole: false, high: 1, neutral: 0 },
  seed: { whole: true, high: LARGEST, neutral: 0 },
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
