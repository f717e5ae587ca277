/** A classifier on the page: labels and the words that weighed, as you type. */

import { Classifier } from "../classify.js";
import { $, element, number, percent, say } from "../dom.js";
import { sayCalmly, showMarks, whileTyping } from "../typing.js";
import html from "./classifier.html";

/** How many labels are shown, likeliest first. */
const MOST = 8;

export { html };

export function begin({ card, entries, worker }) {
  const classifier = new Classifier(card, entries, (...call) => worker.run(...call));
  const speak = sayCalmly($("spoken"));
  const field = $("typed");
  whileTyping(field, show, (complaint) => say("typed-error", complaint));

  async function show(text) {
    const answer = await classifier.classify(text);
    if (!field.isConnected) return;
    const { label, probabilities, words, weights, leftOut } = answer;
    // Where the model knows nothing, it says how it is without a text: not an answer.
    const order = [...probabilities.keys()].sort(
      (a, b) => probabilities[b] - probabilities[a] || a - b,
    );
    const shown = label === null ? [...probabilities.keys()] : order;
    $("labels").replaceChildren(
      ...shown.slice(0, MOST).flatMap((index) => {
        const name = card.labels[index];
        return bar(name, label === null ? null : probabilities[index], name === label);
      }),
    );
    const most = Math.max(...weights, 0);
    const marks = words.map((word, index) => ({
      ...word,
      className: weights[index] >= 0.75 * most ? "weight most" : "weight",
      strength: most && (weights[index] / most) ** 2,
    }));
    showMarks($("marks"), text, label === null ? [] : marks);
    const unknown = words.length > 0 && label === null;
    const notes = [
      unknown && "The model knows none of these words.",
      leftOut && `It reads the first ${card.length} words; ${number(leftOut)} are left out.`,
      order.length > MOST && `The likeliest ${MOST} of ${order.length} labels are shown.`,
    ];
    say("typed-note", notes.filter(Boolean).join(" "));
    const looked = words.filter((_, index) => weights[index] >= 0.75 * most);
    const best = label !== null && percent(probabilities[order[0]]);
    speak(best ? `${label}, ${best}. It looked at ${texts(looked)}.` : "");
  }
}

const texts = (words) => words.map(({ text }) => text).join(", ");

/** A label and its probability, as a term with its description; null is none. */
function bar(name, probability, isBest) {
  const attributes = isBest ? { class: "best" } : {};
  const value = element("dd", probability === null ? "" : percent(probability), attributes);
  value.style.setProperty("--share", `${100 * (probability ?? 0)}%`);
  return [element("dt", name, attributes), value];
}
