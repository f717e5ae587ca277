/** The fields of the settings on the page, each with its error message. */

import { $ } from "./dom.js";
import { readSetting, SETTINGS } from "./settings.js";

/** Make the fields, which belong to the form of an id, with the defaults of a model. */
export function makeFields(box, form, defaults) {
  box.innerHTML = Object.entries(SETTINGS)
    .map(
      ([name, { label, hint, whole }]) => `<div>
        <label for="${name}">${label}</label>
        <input id="${name}" form="${form}" inputmode="${whole ? "numeric" : "decimal"}"
          aria-describedby="${name}-hint ${name}-error" />
        <p id="${name}-hint" class="hint">${hint}</p>
        <p id="${name}-error" class="error"></p>
      </div>`,
    )
    .join("");
  for (const [name, { neutral }] of Object.entries(SETTINGS)) {
    $(name).value = defaults[name] ?? neutral;
    check(name);
    // Not when the field loses the focus: a message that appears or disappears between
    // the press and the release of a button moves the button away.
    $(name).addEventListener("input", () => {
      if ($(name).getAttribute("aria-invalid") === "true") check(name);
    });
  }
}

/** The settings by name; undefined where one is wrong, and its field gets the focus. */
export function readFields() {
  const read = Object.keys(SETTINGS).map((name) => [name, check(name)]);
  const wrong = read.find(([, value]) => value === undefined);
  if (!wrong) return Object.fromEntries(read);
  $(wrong[0]).closest("details").open = true;
  $(wrong[0]).focus();
}

function check(name) {
  const { value, complaint = "" } = readSetting(name, $(name).value);
  $(name).setAttribute("aria-invalid", String(Boolean(complaint)));
  $(`${name}-error`).textContent = complaint;
  return value;
}
