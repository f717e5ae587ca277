/** A tagger on the page: names in colour as you type, with a legend. */

import { $, element, say } from "../dom.js";
import { Tagger } from "../tag.js";
import { sayCalmly, showMarks, whileTyping } from "../typing.js";
import html from "./tagger.html";

/** How many colours there are; more kinds than that share them. */
const COLOURS = 8;

export { html };

export function begin({ card, entries, worker }) {
  const field = $("typed");
  const tagger = new Tagger(card, entries, (...call) => worker.run(...call));
  const speak = sayCalmly($("spoken"));
  const colourOf = (kind) => `kind kind-${tagger.kinds.indexOf(kind) % COLOURS}`;
  whileTyping(field, show, (complaint) => say("typed-error", complaint));

  async function show(text) {
    const found = await tagger.find(text);
    if (!field.isConnected) return;
    const marks = found.map((name) => ({ ...name, className: colourOf(name.kind) }));
    showMarks($("marks"), text, marks);
    $("kinds").replaceChildren(
      ...tagger.kinds.map((kind) => {
        const count = found.filter((name) => name.kind === kind).length;
        const item = element("li", "", { class: count ? "" : "missing" });
        item.append(
          element("span", kind, { class: colourOf(kind) }),
          element("span", count, { class: "count" }),
        );
        return item;
      }),
    );
    const names = found.map(({ kind, start, end }) => [text.slice(start, end), kind]);
    $("found").replaceChildren(
      ...names.map(([name, kind]) => {
        const item = element("li", `${name} `);
        item.append(element("span", kind, { class: colourOf(kind) }));
        return item;
      }),
    );
    speak(names.map(([name, kind]) => `${name}: ${kind}`).join(", "));
  }
}
