/**
 * Beam search by a translator's `encode` and `step`: all translations that it keeps,
 * where the file's `translate` gives the best one.
 */

import { END } from "./subwords.js";
import { statesOf, zeroStates } from "./writing.js";

const START = 1;
/** A translation has at most as many ids more than its source. */
const MOST_MORE = 50;

/**
 * @typedef {object} Hypothesis
 * @property {number[]} ids with the end, unless it was cut
 * @property {number} total the logarithm of its probability
 * @property {number} score `total`, divided by the penalty of its length
 * @property {Float32Array[]} looked how much each id looked at each source id
 */

/**
 * Search as the contract has it (export/README.md).
 *
 * @param {(signature: string, inputs: object) => Promise<object>} run
 * @param {object} card
 * @param {number[]} source ids with the end
 * @param {number} width how many hypotheses are kept, at most the rows of `step`
 * @param {number} alpha of the penalty of the length
 * @param {() => boolean} isStale whether the answer is not wanted any more
 * @returns {Promise<Hypothesis[] | undefined>} those that ended, best first, or, where
 *   none did, those that were cut; undefined where it is not wanted
 */
export async function searchBeam(run, card, source, width, alpha, isStale) {
  const { length, state_shapes } = card;
  const source_ids = new Int32Array(length);
  source_ids.set(source);
  const memory = await run("encode", { source_ids });
  const rows = state_shapes.at(-1)[0];
  const most = Math.min(length, source.length + MOST_MORE);
  let states = zeroStates(state_shapes);
  let beams = [{ ids: [], total: 0, score: 0, looked: [], row: 0 }];
  const hasEnded = ({ ids }) => ids.at(-1) === END;
  for (let step = 0; step < most && !beams.every(hasEnded); step += 1) {
    if (isStale()) return undefined;
    const order = Int32Array.from({ length: rows }, (_, row) => beams[row]?.row ?? 0);
    const token = new Int32Array(rows);
    token.set(beams.map(({ ids }) => ids.at(-1) ?? START));
    const outputs = await run("step", { token, ...memory, ...inOrder(states, order) });
    states = statesOf(outputs);
    const row = (array, index) => {
      const size = array.length / rows;
      return array.slice(index * size, (index + 1) * size);
    };
    const continued = beams.flatMap((beam, index) => {
      if (hasEnded(beam)) return [{ ...beam, row: index }];
      const logits = row(outputs.logits, index);
      const looked = [...beam.looked, row(outputs.alignment, index)];
      const sum = logSum(logits);
      return largest(logits, width).map((id) => {
        const ids = [...beam.ids, id];
        const total = beam.total + logits[id] - sum;
        const score = total / ((5 + ids.length) / 6) ** alpha;
        return { ids, total, score, looked, row: index };
      });
    });
    // The sort is stable, so at a tie the earlier row and the lower id stay first.
    beams = continued.sort((a, b) => b.score - a.score).slice(0, width);
  }
  const ended = beams.filter(hasEnded);
  return ended.length ? ended : beams;
}

/** States whose rows are taken from others. */
function inOrder(states, order) {
  const reordered = Object.entries(states).map(([name, before]) => {
    const size = before.length / order.length;
    const after = new Float32Array(before.length);
    order.forEach((row, index) => {
      after.set(before.subarray(row * size, (row + 1) * size), index * size);
    });
    return [name, after];
  });
  return Object.fromEntries(reordered);
}

/** The logarithm of the sum of exponentials. */
function logSum(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  return most + Math.log(logits.reduce((sum, each) => sum + Math.exp(each - most), 0));
}

/** Ids from the end up of the largest logits, in order; at a tie the lower id first. */
function largest(logits, count) {
  const best = [];
  for (let id = END; id < logits.length; id += 1) {
    if (best.length === count && !(logits[id] > logits[best.at(-1)])) continue;
    let rank = best.length;
    while (rank > 0 && logits[best[rank - 1]] < logits[id]) rank -= 1;
    best.splice(rank, 0, id);
    best.length = Math.min(best.length, count);
  }
  return best;
}
