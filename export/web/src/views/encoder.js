/** An encoder on the page: attention as lines and as a heatmap, and nearest words. */

import { $, element, number, percent, say, shape } from "../dom.js";
import { Encoder, nearest } from "../encode.js";
import { visible } from "../foreign.js";
import { whileTyping } from "../typing.js";
import html from "./encoder.html";

/** Pixels of a row of the lines, as style sheets have it, and of a cell. */
const ROW = 32;
const CELL = 24;
const NAMED = 3;
const NAMED_IN_PLACE = 5;

export { html };

export function begin({ card, entries, worker, outputShapes }) {
  const field = $("typed");
  const run = (...call) => worker.run(...call);
  const encoder = new Encoder(card, entries, run, outputShapes.encode);
  let encoding;
  /** The word whose lines are shown, or none for all. */
  let chosen = -1;
  addChoices("block", encoder.blocks);
  addChoices("head", encoder.heads);
  $("head").append(element("option", "mean"));
  whileTyping(field, show, (complaint) => say("typed-error", complaint));
  for (const id of ["block", "head"]) $(id).addEventListener("change", draw);

  async function show(text) {
    const found = await encoder.encode(text);
    if (!field.isConnected) return;
    encoding = found;
    chosen = Math.min(chosen, found.words.length - 1);
    const { words, leftOut, embeddings } = found;
    const left = `It reads the first ${card.length} words; ${number(leftOut)} are left out.`;
    say("typed-note", leftOut ? left : "");
    $("from").replaceChildren(...words.map(wordButton));
    $("to").replaceChildren(...words.map((word) => element("li", word.text)));
    $("near").replaceChildren(
      ...words.flatMap((word, index) => {
        const names = nearest(embeddings, index)
          .slice(0, NAMED)
          .map(([other, cosine]) => `${words[other].text} ${cosine.toFixed(2)}`);
        return [element("dt", word.text), element("dd", names.join(", ") || "–")];
      }),
    );
    draw();
    showInPlace();
  }

  /** Show which words have the nearest vectors in place of the chosen one. */
  async function showInPlace() {
    const [mine, index] = [encoding, chosen];
    const word = mine.words[index]?.text;
    say("in-place", word ? "..." : "Point at a word above, or tap it.");
    if (!word) return;
    const isStale = () => encoding !== mine || chosen !== index || !field.isConnected;
    const found = await encoder.nearestInPlace(mine, index, isStale).catch(() => []);
    if (isStale()) return;
    const names = found
      .slice(0, NAMED_IN_PLACE)
      .map(([other, cosine]) => `${other} ${cosine.toFixed(2)}`);
    say("in-place", `In place of “${word}”: ${names.join(", ")}.`);
  }

  function wordButton(word, index) {
    const button = element("button", word.text, { type: "button", class: "word" });
    for (const kind of ["pointerenter", "focus", "click"]) {
      button.addEventListener(kind, () => {
        if (chosen === index) return;
        chosen = index;
        draw();
        showInPlace();
      });
    }
    const item = element("li");
    item.append(button);
    return item;
  }

  /** The weights of the chosen head, or of the mean of the heads of its block. */
  function weights() {
    const { heads } = encoder;
    const [block, head] = [$("block").value - 1, $("head").value - 1];
    if (head >= 0) return encoding.weightsOf(block, head);
    const maps = Array.from({ length: heads }, (_, index) =>
      encoding.weightsOf(block, index),
    );
    return maps[0].map((row, t) =>
      row.map((_, s) => maps.reduce((sum, map) => sum + map[t][s], 0) / heads),
    );
  }

  function draw() {
    const rows = weights();
    [...$("from").children].forEach((item, index) => {
      item.firstChild.classList.toggle("chosen", index === chosen);
    });
    // What is largest is drawn in full colour.
    const most = Math.max(...rows.flatMap((row) => [...row]), 1e-9);
    const strength = (weight) => (weight / most).toFixed(4);
    drawLines(rows, strength);
    drawHeatmap(rows, strength);
    const { words } = encoding;
    if (chosen < 0) {
      say("looked", words.length ? "Point at a word, or tap it, to see its own lines." : "");
      return;
    }
    const row = rows[chosen];
    const best = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, NAMED);
    const names = best.map((index) => `“${words[index].text}” ${percent(row[index])}`);
    say("looked", `“${words[chosen].text}” attends to ${names.join(", ")}.`);
  }

  function drawLines(rows, strength) {
    const middle = (index) => index * ROW + ROW / 2;
    $("lines").setAttribute("height", rows.length * ROW);
    $("lines").setAttribute("viewBox", `0 0 100 ${rows.length * ROW}`);
    $("lines").setAttribute("preserveAspectRatio", "none");
    $("lines").replaceChildren(
      ...rows.flatMap((row, t) =>
        chosen >= 0 && t !== chosen
          ? []
          : [...row].map((weight, s) =>
              shape("line", {
                x1: 0,
                y1: middle(t),
                x2: 100,
                y2: middle(s),
                "stroke-opacity": strength(weight),
              }),
            ),
      ),
    );
  }

  function drawHeatmap(rows, strength) {
    const names = encoding.words.map(({ text }) => visible(text));
    const margin = 8 * Math.min(12, Math.max(1, ...names.map(({ length }) => length))) + 8;
    const size = margin + rows.length * CELL;
    const label = (text, attributes) => {
      const made = shape("text", attributes);
      made.textContent = text.length > 12 ? `${text.slice(0, 11)}…` : text;
      return made;
    };
    const at = (index) => margin + index * CELL;
    $("heatmap").setAttribute("viewBox", `0 0 ${size} ${size}`);
    $("heatmap").setAttribute("width", size);
    $("heatmap").replaceChildren(
      ...names.flatMap((name, index) => [
        label(name, { x: margin - 6, y: at(index) + 16, "text-anchor": "end" }),
        label(name, {
          transform: `translate(${at(index) + 16} ${margin - 6}) rotate(-90)`,
        }),
      ]),
      ...rows.flatMap((row, t) =>
        [...row].map((weight, s) => {
          const cell = shape("rect", {
            x: at(s),
            y: at(t),
            width: CELL - 1,
            height: CELL - 1,
            "fill-opacity": strength(weight),
            class: t === chosen ? "chosen" : "",
          });
          cell.append(shape("title", {}));
          cell.firstChild.textContent = `${names[t]} → ${names[s]} ${percent(weight)}`;
          return cell;
        }),
      ),
    );
  }
}

/** Fill a choice with the numbers from 1. */
function addChoices(id, count) {
  for (let index = 0; index < count; index += 1) {
    $(id).append(element("option", index + 1));
  }
}
