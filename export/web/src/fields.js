/** The fields of the settings on the page, each with its error message. */

import { $ } from "./dom.js";
import { readSetting, SETTINGS } from "./settings.js";

/**
 * Make the fields, which belong to the form of an id, with the defaults of a model.
 *
 * @param {HTMLElement} box
 * @param {string} form its id
 * @param {object} defaults by name
 * @param {number} most the largest top-k that drops nothing
 * @param {() => void} onChange called when a field changes
 */
export function makeFields(box, form, defaults, most, onChange) {
  const ends = ([high, step]) =>
    `min="${high ? 0 : 1}" max="${high ?? most}" step="${step}"`;
  box.innerHTML = Object.entries(SETTINGS)
    .map(
      ([name, { label, hint, whole, slider }]) => `<div>
        <label for="${name}">${label}</label>
        <input id="${name}" form="${form}" inputmode="${whole ? "numeric" : "decimal"}"
          aria-describedby="${name}-hint ${name}-error" />
        ${
          slider
            ? `<input id="${name}-slider" type="range" ${ends(slider)}
                aria-label="Slide ${label.toLowerCase()}" />`
            : ""
        }
        <p id="${name}-hint" class="hint">${hint}</p>
        <p id="${name}-error" class="error"></p>
      </div>`,
    )
    .join("");
  for (const [name, { neutral }] of Object.entries(SETTINGS)) {
    const slider = $(`${name}-slider`);
    const show = () => {
      const { value } = readSetting(name, $(name).value);
      // The right end of top-k keeps all, as 0 does.
      const all = name === "top_k" && value === 0;
      if (slider && value !== undefined) slider.value = all ? most : value;
    };
    $(name).value = defaults[name] ?? neutral;
    check(name);
    show();
    // Not when the field loses the focus: a message that appears or disappears between
    // the press and the release of a button moves the button away.
    $(name).addEventListener("input", () => {
      if ($(name).getAttribute("aria-invalid") === "true") check(name);
      show();
      onChange();
    });
    slider?.addEventListener("input", () => {
      const all = name === "top_k" && Number(slider.value) === most;
      $(name).value = all ? 0 : slider.value;
      check(name);
      onChange();
    });
  }
}

/** The settings by name; undefined where one is wrong. */
export function peekFields() {
  const read = Object.keys(SETTINGS).map((name) => [
    name,
    readSetting(name, $(name).value).value,
  ]);
  return read.some(([, value]) => value === undefined)
    ? undefined
    : Object.fromEntries(read);
}

/** The same, and where one is wrong, its field gets the focus. */
export function readFields() {
  const wrong = Object.keys(SETTINGS).filter((name) => check(name) === undefined)[0];
  if (!wrong) return peekFields();
  $(wrong).closest("details").open = true;
  $(wrong).focus();
}

function check(name) {
  const { value, complaint = "" } = readSetting(name, $(name).value);
  $(name).setAttribute("aria-invalid", String(Boolean(complaint)));
  $(`${name}-error`).textContent = complaint;
  return value;
}
