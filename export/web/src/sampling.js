/**
 * From a seed to uniform numbers, and from logits to a token: the contract's sampler
 * (export/README.md). A file's `generate` has the second half built in;
 * `chooseToken` is for hosts that call `step` themselves. All arithmetic is float32.
 */

const GOLDEN = 0x9e3779b9;
const SMALLEST_TEMPERATURE = Math.fround(1e-6);
const LARGEST_TEMPERATURE = 1e6;
const LARGEST_LOGIT = Math.fround(1e30);
const LARGEST_UNIFORM = 1 - 2 ** -24;
const { fround } = Math;

/** MurmurHash3's 32-bit finalizer. */
function mix(x) {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * Numbers `start` to `start + count - 1` of a seed's sequence.
 *
 * @param {number} seed from 0 to 2**31 - 1
 * @param {number} start
 * @param {number} count
 * @returns {Float32Array} multiples of 2**-24 from 0 to below 1
 */
export function uniformNumbers(seed, start, count) {
  const mixedSeed = mix((seed + GOLDEN) >>> 0);
  return Float32Array.from({ length: count }, (_, offset) => {
    const number = mix((mixedSeed + Math.imul(start + offset, GOLDEN)) >>> 0);
    return (number >>> 8) / 2 ** 24;
  });
}

/**
 * @typedef {object} Settings how to choose a token
 * @property {number} temperature 0 chooses the largest logit
 * @property {number} top_k keep the k largest; 0 keeps all
 * @property {number} top_p keep the likeliest up to this sum
 * @property {number} min_p drop what is below this fraction of the likeliest
 */

/** Settings that change no probability. */
export const NEUTRAL = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };

/**
 * Choose a token by inverting the distribution at a uniform number.
 *
 * @param {Float32Array} logits one for each token; NaN counts as the smallest
 * @param {number} uniform float32 from 0 to below 1
 * @param {Settings} settings
 * @returns {number} the token's id
 */
export function chooseToken(logits, uniform, settings) {
  const { kept, weights } = weigh(logits, settings);
  const sums = runningSums(kept, weights);
  // A number below 1 times the last sum is below that sum, so one sum exceeds it.
  const wanted = fround(Math.min(fround(uniform), LARGEST_UNIFORM) * sums.at(-1));
  return kept[sums.findIndex((sum) => sum > wanted)];
}

/**
 * With which probability each token is chosen.
 *
 * @param {Float32Array} logits
 * @param {Settings} settings
 * @returns {number[]} by id; 0 for those that the settings drop
 */
export function probabilitiesOf(logits, settings) {
  const { kept, weights } = weigh(logits, settings);
  const total = kept.reduce((sum, id) => sum + weights[id], 0);
  const probabilities = Array(logits.length).fill(0);
  for (const id of kept) probabilities[id] = weights[id] / total;
  return probabilities;
}

/** The weights of all tokens at a temperature, and the ids that are kept, ascending. */
function weigh(logits, settings) {
  const finite = logits.map((logit) =>
    logit > -LARGEST_LOGIT ? Math.min(logit, LARGEST_LOGIT) : -LARGEST_LOGIT,
  );
  const largest = finite.reduce((a, b) => Math.max(a, b));
  const divisor = Math.min(
    Math.max(fround(settings.temperature), SMALLEST_TEMPERATURE),
    LARGEST_TEMPERATURE,
  );
  // The difference comes first, so that small temperatures do not overflow.
  const weights = finite.map((logit) =>
    Math.exp(fround(fround(logit - largest) / divisor)),
  );
  const greedy = settings.temperature === 0;
  return { weights, kept: greedy ? [finite.indexOf(largest)] : keep(weights, settings) };
}

/** Ids that top-k, min-p and top-p keep, ascending. */
function keep(weights, { top_k, top_p, min_p }) {
  // The sort is stable, so at a tie the lower id stays first.
  const ordered = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
  // The largest weight is exp(0), so weights compare with min_p as they are.
  const likely = ordered
    .slice(0, top_k > 0 ? top_k : ordered.length)
    .filter((id) => weights[id] >= fround(min_p));
  const sums = runningSums(likely, weights);
  const reached = fround(fround(top_p) * sums.at(-1));
  const head = likely.filter((_, rank) => rank === 0 || sums[rank - 1] < reached);
  return (top_p < 1 ? head : likely).sort((a, b) => a - b);
}

/** Running sums of the weights of ids, in float32. */
function runningSums(ids, weights) {
  let sum = 0;
  return ids.map((id) => (sum = fround(sum + weights[id])));
}
