/** What the page and its views do with elements. */

import { showSentence, visible } from "./foreign.js";

export const $ = (id) => document.getElementById(id);

/** A new element with a text from anywhere, and attributes. */
export function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = visible(text);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A new element of a picture in SVG. */
export function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Show a sentence in the element of an id; `name` is a foreign name in it. */
export function say(id, text, name) {
  // A live region that does not change is not read again.
  if ($(id).textContent !== text) showSentence($(id), text, name);
}

/** Buttons keep the keyboard focus while they are inactive. */
export const enable = (id, can) => $(id).setAttribute("aria-disabled", String(!can));
export const isEnabled = (id) => $(id).getAttribute("aria-disabled") === "false";

export const number = (value) => value.toLocaleString("en");
export const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
