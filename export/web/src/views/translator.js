/** A translator on the page: type on the left, read on the right. */

import { $, element, percent, say } from "../dom.js";
import { Translator } from "../translate.js";
import { sayCalmly, showMarks, whileTyping } from "../typing.js";
import html from "./translator.html";

const HINT = "Point at a word of the translation, or tap it, to see what it looked at.";
/** How many words are named that a word looked at. */
const NAMED = 3;

export { html };

export function begin({ card, entries, worker }) {
  const field = $("typed");
  const translator = new Translator(card, entries, (...call) => worker.run(...call));
  const speak = sayCalmly($("spoken"));
  whileTyping(field, show, (complaint) => say("typed-error", complaint));

  async function show(text, isStale) {
    $("others").inert = true;
    // Of nothing there is no translation, whatever the model would say.
    const found = text.trim() ? await translator.translate(text) : undefined;
    if (!field.isConnected) return;
    read(text, found);
    speak(found?.text ?? "");
    if (isStale()) return;
    const others = found ? await translator.alternatives(text, isStale) : [];
    if (isStale()) return;
    $("others").replaceChildren(...others.map((other) => choiceOf(other, text, found)));
    $("others").inert = false;
  }

  /** Show a translation of a text, or none. */
  function read(text, found) {
    showMarks($("marks"), text, []);
    const { target = [], leftOut = 0, finished = true } = found ?? {};
    $("translation").replaceChildren(
      ...target.flatMap((part) => [wordOf(part, text, found), " "]),
    );
    say("looked", target.length ? HINT : "");
    const notes = [
      leftOut && `It reads the first ${card.length} pieces of words; the rest is left out.`,
      !finished && "The translation has no end of its own, and was cut.",
    ];
    say("typed-note", notes.filter(Boolean).join(" "));
  }

  /** One of the translations that the search kept, to be shown in place. */
  function choiceOf(other, text, shown) {
    const button = element("button", other.text, { type: "button", class: "word" });
    button.setAttribute("aria-pressed", String(other.text === shown.text));
    button.addEventListener("click", () => {
      for (const each of $("others").querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(each === button));
      }
      read(text, other);
    });
    const { probability } = other;
    const share = probability < 0.001 ? "< 0.1 %" : percent(probability);
    const title = `the logarithm is ${Math.log(probability).toFixed(2)}`;
    const item = element("li");
    item.append(button, element("span", share, { class: "share", title }));
    return item;
  }

  /** A word of the translation, which shows what it looked at. */
  function wordOf(part, text, found) {
    const word = element("button", part.text, { type: "button", class: "word" });
    const look = () => {
      for (const each of $("translation").children) each.classList.remove("chosen");
      word.classList.add("chosen");
      const weights = found.lookedAt(part);
      const most = Math.max(...weights, 1e-9);
      const marks = found.source.map(({ start, end }, index) => ({
        start,
        end,
        className: "weight",
        strength: weights[index] / most,
      }));
      showMarks($("marks"), text, marks);
      const best = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
      const names = best
        .slice(0, NAMED)
        .map((index) => `“${found.source[index].text}” ${percent(weights[index])}`);
      say("looked", `“${part.text}” looked at ${names.join(", ")}.`);
    };
    for (const kind of ["pointerenter", "focus", "click"]) {
      word.addEventListener(kind, look);
    }
    return word;
  }
}
