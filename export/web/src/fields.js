/** The settings' fields on the page, each with its complaint. */

import { readSetting, SETTINGS } from "./settings.js";

const field = (name) => document.getElementById(name);

/** Fill in what suits a model; the seed is nobody's but the writer's. */
export function showDefaults(defaults) {
  for (const [name, { neutral }] of Object.entries(SETTINGS)) {
    if (name === "seed") continue;
    field(name).value = defaults[name] ?? neutral;
    check(name);
  }
}

/** Settings by name, or nothing where one is wrong: its field has the focus then. */
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
  // Not when the field is left: a complaint that comes or goes between the press and
  // the release of a button moves the button away.
  field(name).addEventListener("input", () => {
    if (field(name).getAttribute("aria-invalid") === "true") check(name);
  });
}
