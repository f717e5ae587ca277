/** Losses as a picture: training and held-out by epoch, beside losses to compare with. */

import { shape } from "./dom.js";

const HEIGHT = 240;
const LEFT = 44;
const BOTTOM = 28;

/**
 * @typedef {{
 *   points: [number, number][], epochs: {epoch: number, loss?: number, val_loss?: number}[],
 *   references: Record<string, number>, planned: number | null,
 * }} Losses in nats a token, at parts of an epoch and at the ends of epochs
 */

/**
 * Draw losses, with a sentence that says the last of them.
 *
 * @param {Losses} losses
 * @param {number} width in pixels
 * @returns {Element[]} none where nothing was measured yet
 */
export function drawLosses({ points, epochs, references, planned }, width) {
  const heldOut = epochs
    .filter((row) => row.val_loss !== undefined)
    .map((row) => [row.epoch, row.val_loss]);
  const training = points.length
    ? points
    : epochs.filter((row) => row.loss !== undefined).map((row) => [row.epoch, row.loss]);
  const all = [...training, ...heldOut];
  if (!all.length) return [];
  const others = Object.entries(references);
  const values = [...all.map(([, loss]) => loss), ...others.map(([, loss]) => loss)];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const right = Math.max(planned ?? 0, ...all.map(([at]) => at));
  const x = (at) => LEFT + (at / right) * (width - LEFT - 8);
  const y = (loss) =>
    8 + ((high - loss) / (high - low || 1)) * (HEIGHT - BOTTOM - 8);

  const picture = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img" });
  const sentence = describe(training, heldOut, others);
  picture.setAttribute("aria-label", sentence);
  for (const loss of ticks(low, high)) {
    picture.append(
      shape("line", { x1: LEFT, x2: width - 8, y1: y(loss), y2: y(loss), class: "grid" }),
      label(loss.toFixed(high - low < 1 ? 2 : 1), LEFT - 6, y(loss) + 4, "end"),
    );
  }
  for (const epoch of ticks(0, right).filter((epoch) => Number.isInteger(epoch))) {
    picture.append(label(String(epoch), x(epoch), HEIGHT - 8, "middle"));
  }
  for (const [name, loss] of others) {
    picture.append(
      shape("line", {
        ...{ x1: LEFT, x2: width - 8, y1: y(loss), y2: y(loss) },
        class: "reference",
      }),
      label(name, width - 10, y(loss) + (loss === low ? -5 : 14), "end"),
    );
  }
  picture.append(line(training, x, y, "training"), line(heldOut, x, y, "held-out"));
  for (const [at, loss] of heldOut) {
    picture.append(shape("circle", { cx: x(at), cy: y(loss), r: 3.5, class: "held-out" }));
  }
  const caption = document.createElement("p");
  caption.textContent = sentence;
  return [picture, caption];
}

function describe(training, heldOut, others) {
  const said = [];
  if (heldOut.length) {
    const [epoch, loss] = heldOut.at(-1);
    said.push(`Held-out loss ${loss.toFixed(3)} after epoch ${epoch} (dots).`);
  }
  if (training.length) said.push(`Training ${training.at(-1)[1].toFixed(3)} (line).`);
  for (const [name, loss] of others) said.push(`${loss.toFixed(3)} ${name}.`);
  return `${said.join(" ")} In nats a token, by epoch.`;
}

/** Four to nine round numbers from low to high. */
function ticks(low, high) {
  const range = high - low || 1;
  const power = 10 ** Math.floor(Math.log10(range));
  const step = [0.2, 0.5, 1, 2].map((n) => n * power).find((n) => range / n <= 6);
  const first = Math.ceil(low / step);
  const count = Math.floor((high - first * step) / step + 1e-9) + 1;
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}

function line(points, x, y, name) {
  const coordinates = points.map(([at, loss]) => `${x(at)},${y(loss)}`).join(" ");
  return shape("polyline", { points: coordinates, class: name });
}

function label(text, x, y, anchor) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}
