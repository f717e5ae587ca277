/**
 * The ids of a prompt, and calls of a model's `generate` signature. It does not depend on
 * the runtime: `generate` is any function from arrays by name to such arrays.
 */

import { NEUTRAL, uniformNumbers } from "./sampling.js";
import { CHUNK } from "./shapes.js";


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

/** Writes tokens after a prompt, in pieces of any size, and goes on where it stopped. */
export class Writer {
  /**
   * @param {(inputs: object) => Promise<object>} generate the signature, on typed arrays
   * @param {object} job
   * @param {number[][]} job.stateShapes in the order of the states' names
   * @param {number[]} job.prompt ids, at least one
   * @param {number} job.seed from 0 to 2**31 - 1
   * @param {import("./sampling.js").Settings} job.settings
   * @param {number} [job.milliseconds] the time that one call should take: it makes as
   *   many tokens as the call before made in that time
   * @param {() => number} [job.now] a clock in milliseconds
   */
  constructor(generate, job) {
    const { prompt, seed, settings, stateShapes } = job;
    const { milliseconds = 25, now = () => performance.now() } = job;
    Object.assign(this, { generate, seed, milliseconds, now });
    this.constant = sampled(settings);
    this.states = zeroStates(stateShapes);
    this.waiting = Int32Array.from(prompt);
    this.written = 0;
    this.size = 8;
  }

  /**
   * @param {number} most how many tokens to write, 1 or more
   * @returns {Promise<Int32Array>} the next tokens; none while it reads a long prompt
   */
  async write(most) {
    // A prompt that is longer than the signature takes is read in chunks; the last
    // token of each chunk is read at the beginning of the next.
    const reads = this.waiting.length > CHUNK;
    const chunk = this.waiting.subarray(0, CHUNK);
    const count = reads ? 0 : Math.min(this.size, most);
    const before = this.now();
    const outputs = await this.generate({
      ...reading(chunk),
      length: Int32Array.of(count),
      uniforms: uniformNumbers(this.seed, this.written, CHUNK),
      ...this.constant,
      ...this.states,
    });
    this.states = statesOf(outputs);
    if (reads) {
      this.waiting = this.waiting.subarray(CHUNK - 1);
      return new Int32Array(0);
    }
    // Reading a token takes about as long as writing one.
    const each = (this.now() - before) / (chunk.length - 1 + count);
    this.size = Math.max(1, Math.min(CHUNK, Math.floor(this.milliseconds / each)));
    const tokens = outputs.tokens.slice(0, count);
    this.waiting = tokens.slice(-1);
    this.written += count;
    return tokens;
  }
}

/**
 * The logits of what comes after a prompt.
 *
 * @param {(signature: string, inputs: object) => Promise<object>} run
 * @param {number[][]} stateShapes
 * @param {number[]} prompt ids, at least one
 * @returns {Promise<Float32Array>}
 */
export async function logitsAfter(run, stateShapes, prompt) {
  let states = zeroStates(stateShapes);
  let waiting = Int32Array.from(prompt);
  while (waiting.length > 1) {
    // It reads all but the last.
    const chunk = waiting.subarray(0, CHUNK);
    const outputs = await run("generate", {
      ...reading(chunk),
      length: Int32Array.of(0),
      uniforms: new Float32Array(CHUNK),
      ...sampled(NEUTRAL),
      ...states,
    });
    states = statesOf(outputs);
    waiting = waiting.subarray(chunk.length - 1);
  }
  const { logits } = await run("step", { token: waiting, ...states });
  return logits;
}

/** The inputs of `generate` that say what it reads: ids, at most a chunk of them. */
function reading(chunk) {
  const prompt = new Int32Array(CHUNK);
  prompt.set(chunk);
  return { prompt, prompt_length: Int32Array.of(chunk.length) };
}

/** The inputs of `generate` that say how it chooses. */
function sampled({ temperature, top_k, top_p, min_p }) {
  return {
    temperature: Float32Array.of(temperature),
    top_k: Int32Array.of(top_k),
    top_p: Float32Array.of(top_p),
    min_p: Float32Array.of(min_p),
  };
}

/** The states at the start, by name, from their shapes. */
export function zeroStates(shapes) {
  return Object.fromEntries(
    shapes.map((shape, index) => [
      `state_${index}`,
      new Float32Array(shape.reduce((a, b) => a * b, 1)),
    ]),
  );
}

/** The states among the outputs of a signature. */
export function statesOf(outputs) {
  return Object.fromEntries(
    Object.entries(outputs).filter(([name]) => name.startsWith("state_")),
  );
}
