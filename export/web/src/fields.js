/** The fields of the settings on the page, each with its error message. */

import { readSetting, SETTINGS } from "./settings.js";

const field = (name) => document.getElementById(name);

/** Fill in the defaults of a model; the seed stays as the user chose it. */
export function showDefaults(defaults) {
  for (const [name, { neutral }] of Object.entries(SETTINGS)) {
    if (name === "seed") continue;
    field(name).value = defaults[name] ?? neutral;
    check(name);
  }
}

/** The settings by name; undefined where one is wrong, and its field gets the focus. */
export function readFields() {
  const read = Object.keys(SETTINGS).map((name) => [name, check(name)]);
  const wrong = read.find(([, value]) => value === undefined);
  if (!wrong) return Object.fromEntries(read);
  field(wrong[0]).closest("details").open = true;
  field(wrong[0]).focus();
}

function check(name) {
  const { value, complaint = "" } = readSetting(name, field(name).value);
  field(name).setAttribute("aria-invalid", String(Boolean(complaint)));
  field(`${name}-error`).textContent = complaint;
  return value;
}

for (const name of Object.keys(SETTINGS)) {
  // Not when the field loses the focus: a message that appears or disappears between
  // the press and the release of a button moves the button away.
  field(name).addEventListener("input", () => {
    if (field(name).getAttribute("aria-invalid") === "true") check(name);
  });
}
