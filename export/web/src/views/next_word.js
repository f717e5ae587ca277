/** A next-word model on the page: a keyboard's row of suggestions above a text field. */

import { $, number, percent, say } from "../dom.js";
import { visible } from "../foreign.js";
import { Keyboard } from "../suggest.js";
import { sayCalmly, whileTyping } from "../typing.js";
import html from "./next_word.html";

export { html };

export function begin({ card, entries, worker }) {
  const field = $("typed");
  const buttons = [...$("suggestions").children];
  const keyboard = new Keyboard(card, entries, (...call) => worker.run(...call));
  const speak = sayCalmly($("spoken"));
  /** What is suggested, for the text up to the cursor. */
  let offer = { text: "", start: 0, words: [] };
  /** Keys that were pressed for the text, and its characters before the last one. */
  let keys = [...field.value].length;
  let size = keys;
  /** Whether the space before the cursor came with a suggestion. */
  let spaced = false;
  let leaves = false;

  const update = whileTyping(field, show, (complaint) => say("typed-error", complaint));
  showSaved();

  async function show() {
    const text = field.value.slice(0, field.selectionStart);
    const { words, start, own } = await keyboard.suggest(text);
    if (!field.isConnected) return;
    offer = { text, start, words: words.map(([word]) => word) };
    buttons.forEach((button, index) => {
      button.textContent = visible(offer.words[index] ?? "");
      button.dataset.share = index < words.length ? percent(words[index][1]) : "";
      button.setAttribute("aria-disabled", String(index >= words.length));
    });
    const learns = card.own_words
      ? `It learns from this text. Words of your own so far: ${number(own.length)}.`
      : "This model does not learn from what you type.";
    say("learned", learns);
    speak(words.length ? `Suggestions: ${offer.words.join(", ")}` : "");
  }

  function take(index) {
    const word = offer.words[index];
    const end = field.selectionStart;
    // What was typed since may not fit any more.
    if (!word || offer.text !== field.value.slice(0, end)) return;
    const space = field.value[end] === " " ? "" : " ";
    field.setRangeText(word + space, offer.start, field.selectionEnd, "end");
    keys += 1;
    size = [...field.value].length;
    spaced = space !== "";
    showSaved();
    update();
  }

  function showSaved() {
    const saved = Math.max(0, 1 - keys / size);
    const counted = `${number(keys)} keystrokes for ${number(size)} characters`;
    say("saved", size ? `${counted}: ${percent(saved)} saved.` : "");
  }

  field.addEventListener("beforeinput", ({ data }) => {
    // As a keyboard does, a sign goes to the word before it.
    const end = field.selectionStart;
    if (spaced && /^[.,;:!?…)]$/.test(data) && end === field.selectionEnd) {
      field.setRangeText("", end - 1, end, "end");
      size -= 1;
    }
  });
  field.addEventListener("input", () => {
    const before = size;
    size = [...field.value].length;
    keys = size ? keys + Math.max(1, size - before) : 0;
    spaced = leaves = false;
    showSaved();
  });
  for (const moved of ["keyup", "click"]) {
    field.addEventListener(moved, () => {
      if (offer.text !== field.value.slice(0, field.selectionStart)) update();
    });
  }
  field.addEventListener("keydown", (event) => {
    leaves ||= event.key === "Escape";
    const plain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.key !== "Tab" || !plain || leaves || !offer.words.length) return;
    event.preventDefault();
    take(0);
  });
  buttons.forEach((button, index) => {
    // The field keeps the focus, and a phone its keyboard.
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => take(index));
  });
}
