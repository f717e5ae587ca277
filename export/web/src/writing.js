/**
 * The ids of a prompt, and the loop over a model's `generate` signature. It does not
 * depend on the runtime: `generate` is any function from arrays by name to such arrays.
 */

import { uniformNumbers } from "./sampling.js";

/** Size of `prompt`, `uniforms` and `tokens` in one call. */
export const CHUNK = 256;

/**
 * Ids of a prompt's known characters, and the unknown ones, which are dropped.
 *
 * An empty prompt stands for a newline, or for id 0 where there is none.
 *
 * @param {string} prompt
 * @param {string[]} characters of the model, by id
 * @returns {{ids: number[], unknown: string[]}} `unknown` in code point order, each once
 */
export function encodePrompt(prompt, characters) {
  const idOf = new Map(characters.map((character, id) => [character, id]));
  const ids = [];
  const unknown = new Set();
  // A string iterates by code points, and gives a lone surrogate unchanged.
  for (const character of prompt) {
    const id = idOf.get(character);
    if (id === undefined) unknown.add(character);
    else ids.push(id);
  }
  return {
    ids: ids.length > 0 ? ids : [idOf.get("\n") ?? 0],
    unknown: [...unknown].sort((a, b) => a.codePointAt(0) - b.codePointAt(0)),
  };
}

/**
 * Write tokens after a prompt, and give them out as they are made.
 *
 * @param {(inputs: object) => Promise<object>} generate the signature, on typed arrays
 * @param {object} job
 * @param {number[][]} job.stateShapes in the order of the states' names
 * @param {number[]} job.prompt ids, at least one
 * @param {number} job.length how many tokens to write
 * @param {number} job.seed from 0 to 2**31 - 1
 * @param {import("./sampling.js").Settings} job.settings
 * @param {number} [job.milliseconds] the time that one call should take: it makes as many
 *   tokens as the call before made in that time
 * @param {() => number} [job.now] a clock in milliseconds
 * @yields {Int32Array} `length` tokens together; none while a long prompt is read
 */
export async function* writeTokens(generate, job) {
  const { prompt, length, seed, settings } = job;
  const { milliseconds = 25, now = () => performance.now() } = job;
  let states = Object.fromEntries(
    job.stateShapes.map((shape, index) => [
      `state_${index}`,
      new Float32Array(shape.reduce((a, b) => a * b, 1)),
    ]),
  );
  const constant = {
    temperature: Float32Array.of(settings.temperature),
    top_k: Int32Array.of(settings.top_k),
    top_p: Float32Array.of(settings.top_p),
    min_p: Float32Array.of(settings.min_p),
  };
  let waiting = Int32Array.from(prompt);
  let written = 0;
  let size = 8;
  while (written < length) {
    // A prompt that is longer than the signature takes is read in chunks; the last
    // token of each chunk is read at the beginning of the next.
    const reads = waiting.length > CHUNK;
    const chunk = waiting.subarray(0, CHUNK);
    const count = reads ? 0 : Math.min(size, length - written);
    const padded = new Int32Array(CHUNK);
    padded.set(chunk);
    const before = now();
    const outputs = await generate({
      prompt: padded,
      prompt_length: Int32Array.of(chunk.length),
      length: Int32Array.of(count),
      uniforms: uniformNumbers(seed, written, CHUNK),
      ...constant,
      ...states,
    });
    states = Object.fromEntries(
      Object.keys(states).map((name) => [name, outputs[name]]),
    );
    if (reads) {
      waiting = waiting.subarray(CHUNK - 1);
      yield new Int32Array(0);
      continue;
    }
    // Reading a token takes about as long as writing one.
    const each = (now() - before) / (chunk.length - 1 + count);
    size = Math.max(1, Math.min(CHUNK, Math.floor(milliseconds / each)));
    const tokens = outputs.tokens.slice(0, count);
    waiting = tokens.slice(-1);
    written += count;
    yield tokens;
  }
}
