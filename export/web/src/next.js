/** What may come next: the distribution of one character, as bars and in words. */

import { nameCharacter } from "./card.js";
import { $, element, percent, say } from "./dom.js";
import { NEUTRAL, probabilitiesOf } from "./sampling.js";
import { sayCalmly } from "./typing.js";

/** How many characters have a bar, the model's likeliest. */
const MOST = 8;

/** Makes a function that shows what logits and settings make of each other. */
export function makeNext(characters) {
  const speak = sayCalmly($("next-spoken"));
  return (logits, settings) => {
    const own = probabilitiesOf(logits, NEUTRAL);
    const chosen = probabilitiesOf(logits, settings);
    const order = [...own.keys()].sort((a, b) => own[b] - own[a] || a - b);
    const shown = order.slice(0, MOST);
    // By the model's own order, so that a bar stays in its row whatever is set.
    const rows = shown.map((id) => [nameCharacter(characters[id]), chosen[id], own[id]]);
    const others = order.slice(MOST);
    const sum = (shares) => others.reduce((total, id) => total + shares[id], 0);
    const { length } = others;
    if (length) rows.push([`${length} other${length > 1 ? "s" : ""}`, sum(chosen), sum(own)]);
    $("next").replaceChildren(...rows.flatMap((row) => bar(...row)));
    const sentence = describe(chosen);
    say("next-words", sentence);
    speak(sentence);
  };
}

/** A distribution in words: how many remain, and how open the choice is. */
export function describe(probabilities) {
  const kept = probabilities.filter((share) => share > 0);
  const bits = kept.reduce((sum, share) => sum - share * Math.log2(share), 0);
  const all = kept.length === probabilities.length;
  const count = `${all ? "All" : `${kept.length} of`} ${probabilities.length}`;
  if (kept.length === 1) return "One character remains: there is no choice.";
  const open = `among ${(2 ** bits).toFixed(1)} equally likely ones`;
  return `${count} characters remain. The choice is as open as ${open} (entropy ${bits.toFixed(2)} bits).`;
}

/** A character with its probability as a bar, and a mark at the model's own. */
function bar(name, share, own) {
  const value = element("dd", percent(share), { title: `${percent(own)} by the model` });
  value.style.setProperty("--share", `${100 * share}%`);
  value.style.setProperty("--own", `${100 * own}%`);
  const attributes = share ? {} : { class: "dropped" };
  return [element("dt", name, attributes), value];
}
